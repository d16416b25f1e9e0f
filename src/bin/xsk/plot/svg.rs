//! Writes a picture in the format SVG: a frame with two axes, a title and a legend.

use crate::plot::axis::Axis;
use crate::report::output::printable;
use std::fmt::Write;

pub(crate) const WIDTH: f64 = 900.0;
pub(crate) const HEIGHT: f64 = 480.0;
/// The edges of what is inside of the axes.
pub(crate) const LEFT: f64 = 80.0;
pub(crate) const RIGHT: f64 = WIDTH - 20.0;
pub(crate) const TOP: f64 = 50.0;

/// Colours of lines: those of Okabe and Ito, which can be told apart without seeing all colours.
pub(crate) const COLORS: [&str; 8] =
    ["#0072b2", "#e69f00", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000", "#999999"];

/// How high a line of the legend is, and how many columns it has.
const ROW: f64 = 18.0;

/// A picture that is being written.
pub(crate) struct Picture {
    text: String,
    /// The lower edge of what is inside of the axes.
    pub(crate) bottom: f64,
}

impl Picture {
    /// Begins a picture whose legend has so many lines below the axes.
    pub(crate) fn new(title: &str, legend: usize) -> Self {
        let bottom = HEIGHT - 50.0 - ROW * legend as f64;
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\">\n\
             <title>{title}</title>\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
             <text x=\"{x}\" y=\"28\" font-size=\"16\" text-anchor=\"middle\">{title}</text>\n",
            title = escaped(title),
            x = (LEFT + RIGHT) / 2.0,
        );
        Self { text, bottom }
    }

    fn add(&mut self, element: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{element}");
    }

    /// Draws the axis below, with a grid; `label` is what it shows, with its unit.
    pub(crate) fn axis_below(&mut self, axis: &Axis, label: &str, word: impl Fn(f64) -> String) {
        let bottom = self.bottom;
        for mark in axis.marks() {
            let x = axis.place(mark);
            self.line([x, TOP, x, bottom], "#ddd", "");
            self.words([x, bottom + 17.0], "middle", &word(mark));
        }
        self.line([LEFT, bottom, RIGHT, bottom], "black", "");
        self.words([(LEFT + RIGHT) / 2.0, bottom + 36.0], "middle", label);
    }

    /// Draws the axis on the left, with a grid.
    pub(crate) fn axis_left(&mut self, axis: &Axis, label: &str, word: impl Fn(f64) -> String) {
        for mark in axis.marks() {
            let y = axis.place(mark);
            self.line([LEFT, y, RIGHT, y], "#ddd", "");
            self.words([LEFT - 6.0, y + 4.0], "end", &word(mark));
        }
        self.line([LEFT, TOP, LEFT, self.bottom], "black", "");
        let middle = (TOP + self.bottom) / 2.0;
        self.add(&format!(
            "<text transform=\"translate(16 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">{}\
             </text>",
            escaped(label)
        ));
    }

    /// Draws a straight line; `more` is added to the element.
    fn line(&mut self, [x, y, to_x, to_y]: [f64; 4], color: &str, more: &str) {
        self.add(&format!(
            "<line x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{to_x:.1}\" y2=\"{to_y:.1}\" stroke=\"{color}\"{more}/>"
        ));
    }

    fn words(&mut self, [x, y]: [f64; 2], anchor: &str, text: &str) {
        let text = escaped(text);
        self.add(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    /// Draws a line through points; `filled` fills what is below it.
    pub(crate) fn curve(&mut self, points: &[(f64, f64)], color: &str, filled: bool) {
        let mut path = String::new();
        for (number, (x, y)) in points.iter().enumerate() {
            let _ = write!(path, "{}{x:.1} {y:.1}", if number == 0 { "M" } else { "L" });
        }
        let fill = if filled { color } else { "none" };
        self.add(&format!(
            "<path d=\"{path}\" fill=\"{fill}\" fill-opacity=\"0.25\" stroke=\"{color}\" \
             stroke-width=\"1.8\" stroke-linejoin=\"round\"/>"
        ));
    }

    /// Marks a place of the axis below with words.
    pub(crate) fn mark(&mut self, x: f64, text: &str) {
        self.line([x, TOP, x, self.bottom], "#888", " stroke-dasharray=\"4 3\"");
        self.add(&format!(
            "<text transform=\"translate({:.1} {:.1}) rotate(-90)\" text-anchor=\"end\" \
             font-size=\"11\" fill=\"#555\">{}</text>",
            x - 4.0,
            TOP + 4.0,
            escaped(text)
        ));
    }

    /// Ends the picture with a legend: colours and words, so many in a line.
    pub(crate) fn end(mut self, legend: &[(&str, String)], columns: usize) -> String {
        for (number, (color, text)) in legend.iter().enumerate() {
            let column = (number % columns) as f64;
            let x = LEFT + column * (RIGHT - LEFT) / columns as f64;
            let y = self.bottom + 58.0 + (number / columns) as f64 * ROW;
            self.line([x, y - 4.0, x + 22.0, y - 4.0], color, " stroke-width=\"3\"");
            let (x, text) = (x + 28.0, escaped(text));
            self.add(&format!("<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"12\">{text}</text>"));
        }
        self.text.push_str("</svg>\n");
        self.text
    }
}

/// Returns a text as XML takes it.
fn escaped(text: &str) -> String {
    let mut shown = String::new();
    for c in printable(text).chars() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            // No characters of XML.
            '\u{fffe}' | '\u{ffff}' => shown.push('?'),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn a_text_is_no_markup() {
        assert_eq!(escaped("a<b>&\"c\u{1}\u{ffff}"), "a&lt;b&gt;&amp;&quot;c\\u{1}?");
    }
}
