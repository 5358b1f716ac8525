//! The table of shapes: everything that runs the user's code, or waits, and takes a token.

#[cfg(feature = "journal")]
mod journals;
mod limits;
mod loops;
mod pipelines;
mod pools;
mod waits;

use super::script::{End, Script};

/// One row: what is run, and what is known of it beside what holds for all.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// Runs it to its end, and holds its counts to be closed.
    pub(crate) run: fn(&Script) -> End,
    /// How many of the last steps are too late to cancel it, with one worker: what they cancel may have come to its end.
    pub(crate) tail: usize,
    /// How many steps of work may begin after a cancel, with one worker.
    pub(crate) late: usize,
    /// How many when it is cancelled before it begins.
    pub(crate) unasked: usize,
    /// Whether the first failure is its end.
    pub(crate) fails: bool,
    /// Whether it has threads beside its workers, so that steps may be under way together with one worker, too.
    pub(crate) threads: bool,
}

const fn shape(name: &'static str, run: fn(&Script) -> End) -> Shape {
    Shape { name, run, tail: 1, late: 0, unasked: 0, fails: true, threads: false }
}

impl Shape {
    const fn tail(mut self, steps: usize) -> Self {
        self.tail = steps;
        self
    }

    const fn late(mut self, steps: usize) -> Self {
        self.late = steps;
        self
    }

    const fn unasked(mut self, steps: usize) -> Self {
        self.unasked = steps;
        self
    }

    const fn threads(mut self) -> Self {
        self.threads = true;
        self
    }

    /// Whose parts fail each on its own.
    const fn each_alone(mut self) -> Self {
        self.fails = false;
        self
    }
}

/// The whole table.
pub(crate) fn all() -> impl Iterator<Item = Shape> {
    [
        pipelines::rows(),
        pools::rows(),
        loops::rows(),
        waits::rows(),
        limits::rows(),
        #[cfg(feature = "journal")]
        journals::rows(),
    ]
    .into_iter()
    .flatten()
}
