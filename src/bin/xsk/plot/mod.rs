//! `xsk plot`: the JSON lines of a run as a picture.

mod axis;
mod histogram;
mod input;
mod svg;
mod throughput;

use crate::command_line::plot::PlotArgs;
use crate::failure::{Failure, Result};
use crate::plot::input::Data;
use crate::report::output;
use crate::run::ended::Ended;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;

pub(crate) fn run(args: &PlotArgs) -> Result<Ended> {
    let is_stream = |path: &Path| path == Path::new("-");
    let name = match is_stream(&args.file) {
        true => "the standard input".to_owned(),
        false => args.file.display().to_string(),
    };
    let input: Box<dyn BufRead> = match is_stream(&args.file) {
        true => Box::new(io::stdin().lock()),
        false => {
            let file = File::open(&args.file)
                .map_err(|error| Failure::Text(format!("{name} cannot be read: {error}")))?;
            Box::new(BufReader::new(file))
        }
    };
    let data = input::read(input, &name)?;
    let title = args.title.as_deref();
    let picture = match &data {
        Data::Throughput(run) => throughput::picture(run, title),
        Data::Latency(runs) => histogram::picture(runs, title),
    };
    if is_stream(&args.output) {
        output::print(&picture)?;
        return Ok(Ended::Count);
    }
    let path = &args.output;
    let same =
        |one: &Path, other: &Path| Some(one.canonicalize().ok()? == other.canonicalize().ok()?);
    if same(path, &args.file) == Some(true) {
        return Err(Failure::Text(format!(
            "{} is what is read: the picture would replace it. Name another file (-o)",
            path.display()
        )));
    }
    fs::write(path, picture)
        .map_err(|error| Failure::Text(format!("{} cannot be written: {error}", path.display())))?;
    Ok(Ended::Count)
}
