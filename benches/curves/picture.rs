//! The picture of a curve, from its numbers: the same bytes from the same numbers.

use super::{
    axes,
    curve::{Curve, View, X, Y},
    looks::{LOOP, Look, Mark, look},
    numbers::Numbers,
};
use plotters::{
    coord::{
        Shift,
        combinators::{BindKeyPoints as _, IntoLogRange as _},
    },
    prelude::{
        ChartBuilder, Circle, Cross, DrawingArea, IntoDrawingArea as _, IntoFont as _, LineSeries,
        PathElement, RGBColor, SVGBackend, Text, TriangleMarker,
    },
    style::{
        Color as _, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};
use std::error::Error;

const WIDTH: u32 = 900;
/// Where the legend begins.
const LEGEND: i32 = 650;
const HEIGHT_OF_VIEW: u32 = 330;
const LETTERS: &str = "sans-serif";
const SIZE: i32 = 15;
const SIZE_OF_CAPTION: i32 = 18;

const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
const INK: RGBColor = RGBColor(0x24, 0x29, 0x2F);
const GRID: RGBColor = RGBColor(0xD8, 0xDE, 0xE4);
/// What becomes of these where a dark page is wanted.
const IN_THE_DARK: [(RGBColor, RGBColor); 3] = [
    (PAPER, RGBColor(0x0D, 0x11, 0x17)),
    (INK, RGBColor(0xE6, 0xED, 0xF3)),
    (GRID, RGBColor(0x30, 0x36, 0x3D)),
];

type Area<'a, 'b> = DrawingArea<SVGBackend<'a>, Shift>;

/// The text of an SVG file.
pub(crate) fn draw(curve: &Curve, numbers: &Numbers) -> Result<String, Box<dyn Error>> {
    let views = curve.views.len();
    let height = HEIGHT_OF_VIEW * u32::try_from(views)?;
    let mut text = String::new();
    {
        let paper = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        paper.fill(&PAPER)?;
        for (view, area) in curve.views.iter().zip(paper.split_evenly((views, 1))) {
            draw_view(curve, view, numbers, &area)?;
        }
        paper.present()?;
    }
    Ok(with_dark_mode(&text))
}

fn draw_view(
    curve: &Curve,
    view: &View,
    numbers: &Numbers,
    area: &Area<'_, '_>,
) -> Result<(), Box<dyn Error>> {
    let (left, right) = area.split_horizontally(LEGEND);
    let lines = lines(curve, view, numbers);
    let points = || lines.iter().flat_map(|(_, points)| points.iter().copied());
    if points().next().is_none() {
        return Err(format!("{}: nothing was measured for {}", curve.name, view.panel).into());
    }
    let across = axes::range(points().map(|point| point.0));
    let up = axes::range(points().map(|point| point.1));
    let marks_across = match curve.x {
        X::Each => numbers.points(view.panel).into_iter().map(as_float).collect(),
        X::Decades | X::TimeOfLoop => axes::marks(&across),
    };
    let marks_up = axes::marks(&up);
    let font = (LETTERS, SIZE).into_font().color(&INK);
    let mut chart = ChartBuilder::on(&left)
        .caption(view.panel, (LETTERS, SIZE_OF_CAPTION).into_font().color(&INK))
        .margin(8)
        .x_label_area_size(42)
        .y_label_area_size(76)
        .build_cartesian_2d(
            across.log_scale().with_key_points(marks_across),
            up.log_scale().with_key_points(marks_up),
        )?;
    chart
        .configure_mesh()
        .light_line_style(GRID)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(font.clone())
        .axis_desc_style(font.clone())
        .x_desc(curve.x_axis)
        .y_desc(match view.y {
            Y::Time => "time per item",
            Y::OfLoop => "times what the loop takes",
            Y::PerSecond => "items per second",
            Y::OfLinear => "of linear",
        })
        .x_label_formatter(&|&value| axes::below(value, curve.x))
        .y_label_formatter(&|&value| axes::beside(value, view.y))
        .draw()?;
    for (look, points) in &lines {
        chart.draw_series(LineSeries::new(points.iter().copied(), stroke(look)))?;
        let style = look.color.filled();
        let points = points.iter().copied();
        match look.mark {
            Mark::Circle => chart.draw_series(points.map(|at| Circle::new(at, 3, style)))?,
            Mark::Triangle => chart.draw_series(points.map(|at| TriangleMarker::new(at, 4, style)))?,
            Mark::Cross => chart.draw_series(points.map(|at| Cross::new(at, 3, stroke(look))))?,
        };
    }
    draw_legend(&lines, &font, &right)
}

/// A line of the picture: a case, and its points from left to right.
type Line = (&'static Look, Vec<(f64, f64)>);

fn lines(curve: &Curve, view: &View, numbers: &Numbers) -> Vec<Line> {
    let place = |x| match curve.x {
        X::Each | X::Decades => Some(as_float(x)),
        X::TimeOfLoop => numbers.median(view.panel, LOOP, x),
    };
    let line = |case| {
        let point = |x| Some((place(x)?, numbers.shown(view.panel, case, x, view.y)?));
        (look(case), numbers.points(view.panel).into_iter().filter_map(point).collect())
    };
    numbers.cases(view.panel).into_iter().map(line).collect()
}

fn draw_legend(lines: &[Line], font: &TextStyle<'_>, area: &Area<'_, '_>) -> Result<(), Box<dyn Error>> {
    let font = font.pos(Pos::new(HPos::Left, VPos::Center));
    for (number, (look, _)) in (0..).zip(lines) {
        let (y, style) = (50 + number * 24, look.color.filled());
        area.draw(&PathElement::new([(4, y), (32, y)], stroke(look)))?;
        match look.mark {
            Mark::Circle => area.draw(&Circle::new((18, y), 3, style))?,
            Mark::Triangle => area.draw(&TriangleMarker::new((18, y), 4, style))?,
            Mark::Cross => area.draw(&Cross::new((18, y), 3, stroke(look)))?,
        }
        area.draw(&Text::new(look.case, (40, y), font.clone()))?;
    }
    Ok(())
}

fn stroke(look: &Look) -> ShapeStyle {
    look.color.stroke_width(look.width)
}

#[allow(clippy::cast_precision_loss)] // a hundred million at most
fn as_float(x: u64) -> f64 {
    x as f64
}

/// Adds the rules by which paper, ink and grid change where the reader has asked for dark pages.
fn with_dark_mode(text: &str) -> String {
    let hex = |RGBColor(red, green, blue): RGBColor| format!("#{red:02X}{green:02X}{blue:02X}");
    let rules = IN_THE_DARK.map(|(light, dark)| {
        let (light, dark) = (hex(light), hex(dark));
        format!(r#"[fill="{light}"] {{ fill: {dark} }} [stroke="{light}"] {{ stroke: {dark} }}"#)
    });
    let style = format!("<style>@media (prefers-color-scheme: dark) {{ {} }}</style>\n", rules.join(" "));
    let (root, rest) = text.split_once('\n').unwrap_or((text, ""));
    format!("{root}\n{style}{rest}")
}
