//! `xsk status`: the XDP programs and AF_XDP sockets of this network namespace.

mod json;
mod text;
mod view;

use crate::command_line::status::StatusArgs;
use crate::failure::{NotWritten, Result};
use crate::report::output;
use crate::run::ended::Ended;
use std::io::{self, BufWriter, Write};
use view::View;
pub(crate) use view::{holder, listed, pins_of, title};

pub(crate) fn run(args: &StatusArgs) -> Result<Ended> {
    let view = View::look(args.interface.as_deref())?;
    let mut stream = BufWriter::new(io::stdout().lock());
    if args.json {
        for object in json::objects(&view) {
            writeln!(stream, "{object}").map_err(NotWritten)?;
        }
    } else {
        let text = text::all(&view, output::width());
        stream.write_all(text.as_bytes()).map_err(NotWritten)?;
    }
    stream.flush().map_err(NotWritten)?;
    Ok(Ended::Count)
}
