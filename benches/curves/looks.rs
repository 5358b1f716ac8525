//! The names of the cases, and how each looks in every picture.

use plotters::style::RGBColor;

pub(crate) const LOOP: &str = "loop";
pub(crate) const EQUAL_PARTS: &str = "threads with equal parts";
pub(crate) const PARITER: &str = "pariter";
pub(crate) const BY_HAND: &str = "crossbeam by hand, per item";
pub(crate) const CHUNKS: &str = "crossbeam by hand, in chunks";
pub(crate) const PAR_BRIDGE: &str = "rayon par_bridge (no order)";
pub(crate) const PAR_ITER: &str = "rayon par_iter over a Vec";
pub(crate) const PIPELINE: &str = "gristmill pipeline";
pub(crate) const BOXED: &str = "crossbeam by hand, no handles";
pub(crate) const THREADPOOL: &str = "threadpool, no handles";
pub(crate) const RAYON_SCOPE: &str = "rayon scope, no handles";
pub(crate) const EXECUTE: &str = "rusty_pool, no handles";
pub(crate) const EVALUATE: &str = "rusty_pool with handles";
pub(crate) const SUBMIT: &str = "gristmill with handles";
pub(crate) const SUBMIT_MANY: &str = "gristmill submit_many";

/// What stands at the points of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Circle,
    Triangle,
    Cross,
}

/// How a case looks.
pub(crate) struct Look {
    pub(crate) case: &'static str,
    pub(crate) color: RGBColor,
    pub(crate) mark: Mark,
    pub(crate) width: u32,
}

/// In the order of the legends. The colours stand out from white and from a dark grey alike.
pub(crate) const LOOKS: [Look; 15] = [
    peer(LOOP, RGBColor(128, 136, 144), Mark::Cross),
    peer(EQUAL_PARTS, RGBColor(128, 136, 144), Mark::Triangle),
    peer(PARITER, RGBColor(163, 113, 247), Mark::Triangle),
    peer(BY_HAND, RGBColor(217, 115, 13), Mark::Triangle),
    peer(CHUNKS, RGBColor(217, 115, 13), Mark::Cross),
    peer(PAR_BRIDGE, RGBColor(45, 164, 78), Mark::Triangle),
    peer(PAR_ITER, RGBColor(45, 164, 78), Mark::Cross),
    ours(PIPELINE, RGBColor(47, 129, 247)),
    peer(BOXED, RGBColor(217, 115, 13), Mark::Triangle),
    peer(THREADPOOL, RGBColor(163, 113, 247), Mark::Triangle),
    peer(RAYON_SCOPE, RGBColor(45, 164, 78), Mark::Triangle),
    peer(EXECUTE, RGBColor(219, 97, 162), Mark::Triangle),
    peer(EVALUATE, RGBColor(219, 97, 162), Mark::Cross),
    ours(SUBMIT, RGBColor(47, 129, 247)),
    ours(SUBMIT_MANY, RGBColor(27, 158, 158)),
];

const fn peer(case: &'static str, color: RGBColor, mark: Mark) -> Look {
    Look { case, color, mark, width: 1 }
}

const fn ours(case: &'static str, color: RGBColor) -> Look {
    Look { case, color, mark: Mark::Circle, width: 2 }
}

/// Whether the case is one of the library's own.
pub(crate) fn is_ours(case: &str) -> bool {
    case.starts_with("gristmill")
}

/// How the case looks.
pub(crate) fn look(case: &str) -> &'static Look {
    LOOKS.iter().find(|look| look.case == case).expect("every case has a look")
}
