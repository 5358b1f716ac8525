//! A timeline as one self-contained SVG: threads as lanes, a colour for each row of stages, the queues below.
//!
//! A span of two pixels or more is a rectangle with a title of its own. Shorter ones are drawn together, column by column, each row of stages
//! with its share of the column's height, so that the picture is true at any length of the run and the file stays small.

use std::fmt::Write as _;
use std::io;

use crate::sync::time::Duration;

use super::short::Short;
use super::timeline::{Span, Timeline};

const LEFT: f64 = 96.0;
const WIDTH: f64 = 1100.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 44.0;
const LEGEND_LINE: f64 = 20.0;
const QUEUES: f64 = 130.0;
/// The width of a column in which short spans are drawn together.
const COLUMN: f64 = 2.0;
/// Spans from this width on are drawn by themselves.
const OWN: f64 = 2.0;

/// Colours that people with colour-blindness tell apart (M. Okabe and K. Ito, "Color Universal Design", 2008), then paler ones.
const COLOURS: [&str; 12] = [
    "#999999", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a90a", "#7b68c8",
    "#8c6d4f", "#5f9ea0", "#c05a7a",
];

fn colour(row: usize) -> &'static str {
    // The first is the source's.
    if row == 0 { COLOURS[0] } else { COLOURS[1 + (row - 1) % (COLOURS.len() - 1)] }
}

/// The name of a lane, as far as there is room for it; its number stays.
fn lane_label(name: &str) -> String {
    let (name, number) = name.rsplit_once(' ').unwrap_or((name, ""));
    let room = 12_usize.saturating_sub(number.len());
    let short: String = name.chars().take(room).collect();
    escaped(&format!("{short}{} {number}", if short.len() < name.len() { "…" } else { "" }))
}

/// The text as XML may hold it.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            // What XML 1.0 cannot hold in any form.
            '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                safe.push('\u{fffd}');
            }
            other => safe.push(other),
        }
    }
    safe
}

/// A text no longer than this many characters.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// The largest of 1, 2 and 5 times a power of ten that divides `whole` into at least `parts`.
fn step(whole: f64, parts: f64) -> f64 {
    let rough = whole / parts;
    let power = 10_f64.powf(rough.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|factor| factor * power).find(|step| *step <= rough).unwrap_or(power)
}

#[allow(clippy::cast_precision_loss)] // coordinates of a picture
fn float(number: usize) -> f64 {
    number as f64
}

struct Picture<'a> {
    timeline: &'a Timeline,
    seconds: f64,
    text: String,
}

/// Writes to a string, which cannot fail.
macro_rules! put {
    ($picture:expr, $($argument:tt)*) => { _ = writeln!($picture.text, $($argument)*) };
}

impl Picture<'_> {
    fn x(&self, at: Duration) -> f64 {
        LEFT + WIDTH * (at.as_secs_f64() / self.seconds).min(1.0)
    }

    /// The items of the legend with their places; gives the height.
    fn legend(&mut self) -> f64 {
        let timeline = self.timeline;
        let (mut x, mut y) = (LEFT, TOP);
        for (number, row) in timeline.rows.iter().enumerate() {
            let name = shortened(&row.name, 60);
            let width = 30.0 + 7.0 * float(name.chars().count());
            if x + width > LEFT + WIDTH && x > LEFT {
                (x, y) = (LEFT, y + LEGEND_LINE);
            }
            put!(
                self,
                r#"<g><title>{}</title><rect x="{x:.1}" y="{:.1}" width="12" height="12" fill="{}"/><text x="{:.1}" y="{y:.1}">{}</text></g>"#,
                escaped(&row.name),
                y - 11.0,
                colour(number),
                x + 17.0,
                escaped(&name)
            );
            x += width;
        }
        y + LEGEND_LINE
    }

    fn title(&self, span: &Span) -> String {
        let name = escaped(&self.timeline.rows[self.timeline.row(span)].name);
        let (start, end, length) = (Short(span.start()), Short(span.end()), Short(span.length()));
        format!("{name}: {} items, {length}, from {start} to {end}", span.items())
    }

    fn lane(&mut self, worker: usize, y: f64, height: f64) {
        let timeline = self.timeline;
        let rows = timeline.rows.len();
        let columns = (WIDTH / COLUMN).ceil();
        // The seconds of short spans by column and row, and by row how many they are, and how many items were in them.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a picture's width
        let mut shares = vec![vec![0.0; rows]; columns as usize];
        let mut short = vec![(0_u64, 0_u64, Duration::ZERO); rows];
        for span in timeline.spans(worker) {
            let row = timeline.row(span);
            let (from, to) = (self.x(span.start()), self.x(span.end()));
            if to - from >= OWN {
                let title = self.title(span);
                put!(
                    self,
                    r#"<rect x="{from:.2}" y="{y:.1}" width="{:.2}" height="{height:.1}" fill="{}"><title>{title}</title></rect>"#,
                    to - from,
                    colour(row)
                );
                continue;
            }
            short[row].0 += 1;
            short[row].1 += span.items();
            short[row].2 += span.length();
            // Shorter than a column, so in one or two.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let column = (((from - LEFT) / COLUMN) as usize).min(shares.len() - 1);
            let edge = LEFT + COLUMN * float(column + 1);
            shares[column][row] += to.min(edge) - from;
            if let Some(next) = shares.get_mut(column + 1) {
                next[row] += (to - edge).max(0.0);
            }
        }
        for row in (0..rows).filter(|row| short[*row].0 > 0) {
            let mut path = String::new();
            for (column, shares) in shares.iter().enumerate().filter(|(_, shares)| shares[row] > 0.0) {
                let below: f64 = shares[..row].iter().sum();
                let (part, base) = (shares[row] / COLUMN * height, y + height - below / COLUMN * height);
                let x = LEFT + COLUMN * float(column);
                _ = write!(path, "M{x:.0} {base:.1}v-{part:.1}h{COLUMN:.0}v{part:.1}z");
            }
            let (spans, items, time) = short[row];
            put!(
                self,
                r#"<path d="{path}" fill="{}"><title>{}: {spans} short spans, {items} items, {} in all</title></path>"#,
                colour(row),
                escaped(&timeline.rows[row].name),
                Short(time)
            );
        }
    }

    /// Marks of time from `top` to `bottom`.
    fn axis(&mut self, top: f64, bottom: f64) {
        let step = step(self.seconds, 6.0);
        let mut number = 0.0;
        while number * step <= self.seconds * 1.000_001 {
            let at = number * step;
            let x = LEFT + WIDTH * at / self.seconds;
            let name = Short(Duration::from_secs_f64(at));
            put!(self, r##"<path d="M{x:.1} {top:.1}V{:.1}" stroke="#ccc"/>"##, bottom + 4.0);
            put!(self, r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{name}</text>"#, bottom + 17.0);
            number += 1.0;
        }
    }

    /// The lengths of the queues, and what was in flight, over the same time.
    fn queues(&mut self, top: f64) {
        let timeline = self.timeline;
        let bottom = top + QUEUES;
        let highest = timeline
            .samples
            .iter()
            .map(|sample| sample.in_flight().max(*sample.queued().iter().max().unwrap_or(&0)));
        let highest = float(highest.max().unwrap_or(0).max(1));
        let y = |items: usize| bottom - QUEUES * float(items) / highest;
        let line = |value: &dyn Fn(&super::queues::QueueSample) -> usize| -> String {
            let points =
                timeline.samples.iter().map(|one| format!("{:.1},{:.1} ", self.x(one.at()), y(value(one))));
            points.collect::<String>().trim_end().to_owned()
        };
        let mut lines = vec![("in flight".to_owned(), "#000000", "2 2", line(&|sample| sample.in_flight()))];
        for (number, row) in timeline.rows.iter().enumerate() {
            if timeline.samples.iter().any(|sample| sample.queued()[row.stage] > 0) {
                let name = format!("waiting for {}", escaped(&row.name));
                lines.push((name, colour(number), "none", line(&|sample| sample.queued()[row.stage])));
            }
        }
        for (name, colour, dashes, points) in lines {
            put!(
                self,
                r#"<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5" stroke-dasharray="{dashes}"><title>{name}</title></polyline>"#
            );
        }
        put!(
            self,
            r##"<path d="M{LEFT} {top:.1}V{bottom:.1}H{:.1}" fill="none" stroke="#888"/>"##,
            LEFT + WIDTH
        );
        for (y, label) in [(top + 4.0, format!("{highest}")), (bottom, "0".to_owned())] {
            put!(self, r#"<text x="{:.1}" y="{y:.1}" text-anchor="end">{label}</text>"#, LEFT - 6.0);
        }
        put!(
            self,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="end">items</text>"#,
            LEFT - 6.0,
            top + QUEUES / 2.0
        );
        put!(
            self,
            r#"<text x="{LEFT}" y="{:.1}">dashed: in flight; a stage's colour: waiting in front of it</text>"#,
            top - 6.0
        );
    }
}

impl Timeline {
    /// Writes the timeline as one SVG that needs nothing else: threads as lanes, a colour for each row of stages, a time axis, the queues
    /// below; what a span was shows when the mouse rests on it.
    ///
    /// Spans shorter than two pixels are drawn together: in each column every row of stages has its share of the height.
    ///
    /// # Errors
    /// Those of the writer.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let report = Pipeline::from_iter(0..1000_u64)
    ///     .record_timeline()
    ///     .map("square", |number| number * number)
    ///     .for_each("drop", drop)
    ///     .run(&CancellationToken::new())?;
    /// let mut picture = Vec::new(); // or a file, behind a `BufWriter`
    /// report.timeline().expect("it was recorded").write_svg(&mut picture)?;
    /// assert!(picture.starts_with(b"<svg "));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_svg(&self, mut writer: impl io::Write) -> io::Result<()> {
        let seconds = self.elapsed.as_secs_f64().max(1e-9);
        let mut picture = Picture { timeline: self, seconds, text: String::new() };
        let workers = float(self.workers().max(1));
        let lane = (900.0 / workers).clamp(11.0, 30.0);
        let gap = if lane > 15.0 { 4.0 } else { 1.0 };
        let top = picture.legend();
        let bottom = top + lane * workers;
        picture.axis(top, bottom);
        for worker in 0..self.workers() {
            let y = top + lane * float(worker);
            put!(
                picture,
                r##"<rect x="{LEFT}" y="{y:.1}" width="{WIDTH}" height="{:.1}" fill="#f4f4f4"/><text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"##,
                lane - gap,
                LEFT - 6.0,
                y + lane / 2.0 + 3.0,
                lane_label(self.name(worker))
            );
            picture.lane(worker, y, lane - gap);
        }
        let queues = bottom + 50.0;
        picture.queues(queues);
        let (width, height) = (LEFT + WIDTH + RIGHT, queues + QUEUES + 16.0);
        let (left_out, time) = self.left_out();
        let note = if left_out == 0 {
            String::new()
        } else {
            format!("; {left_out} short spans left out, {} in all", Short(time))
        };
        writeln!(
            writer,
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" font-family="sans-serif" font-size="12">
<rect width="{width:.0}" height="{height:.0}" fill="#ffffff"/>
<text x="{LEFT}" y="18" font-size="14">{} threads, {}{note}</text>"##,
            self.workers(),
            Short(self.elapsed)
        )?;
        writer.write_all(picture.text.as_bytes())?;
        writeln!(writer, "</svg>")
    }
}
