//! The bytes on the heap between the turns, counted by the allocator.
//!
//! What is noticed: [`MOST`] bytes more than after the warm-up, so a leak of `MOST / turns` bytes a turn. In the two minutes of the gate, some thousands of turns
//! where nothing else runs, that is a score of bytes a turn, or a few hundred in each turn of one scenario; in an hour a byte or so. The warm-up is a quarter of the time: what is
//! left behind once, such as a table that grows with the most threads that there ever were at once, is no leak.

use std::alloc::System;
use std::fmt;

use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Some times what such tables were seen to take when a later turn outdid those of the warm-up: 8 kilobytes.
const MOST: i64 = 64 * 1024;

/// So often every scenario comes before the bytes are counted.
const WARM_UP: usize = 1;

fn bytes() -> i64 {
    i64::try_from(ALLOCATOR.allocated()).expect("less than there is")
}

/// What the storm has left on the heap so far.
pub(crate) struct Heap {
    scenarios: usize,
    turns: usize,
    /// After the warm-up.
    base: i64,
    last: i64,
    /// By scenario, what its turns have left.
    left: Vec<i64>,
}

impl Heap {
    pub(crate) fn new(scenarios: usize) -> Self {
        let mut heap = Self { scenarios, turns: 0, base: 0, last: 0, left: vec![0; scenarios] };
        heap.base = bytes();
        heap.last = heap.base;
        heap
    }

    /// Whether every scenario has had its turns of the warm-up, and one more.
    pub(crate) fn is_warm(&self) -> bool {
        self.turns >= self.scenarios * (WARM_UP + 1)
    }

    /// After a turn; `warms_up`: one of the first.
    pub(crate) fn look(&mut self, scenario: usize, warms_up: bool) {
        let now = bytes();
        self.turns += 1;
        if warms_up || self.turns <= self.scenarios * WARM_UP {
            self.base = now;
        } else {
            self.left[scenario] += now - self.last;
        }
        self.last = now;
    }

    #[track_caller]
    pub(crate) fn check<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let by_name: Vec<(&str, i64)> = names.zip(self.left.iter().copied()).collect();
        assert!(self.last - self.base <= MOST, "{self}: {by_name:?}");
    }
}

impl fmt::Display for Heap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bytes on the heap after the warm-up, {} in the end", self.base, self.last)
    }
}
