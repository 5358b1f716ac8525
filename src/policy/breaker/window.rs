//! The calls that the rates are taken from: the last so many, or those of the last while.

use super::tally::{Mark, Tally};

/// How many buckets a time window has.
pub(super) const BUCKETS: usize = 10;

/// What a window is to hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Span {
    /// So many calls.
    Calls(u32),
    /// A time, in nanoseconds.
    Time(u64),
}

/// The calls that the rates are taken from.
#[derive(Debug)]
pub(super) enum Window {
    Count(CountWindow),
    Time(TimeWindow),
}

impl Window {
    pub(super) fn new(span: Span) -> Self {
        match span {
            Span::Calls(calls) => Self::Count(CountWindow::new(calls)),
            Span::Time(nanoseconds) => Self::Time(TimeWindow::new(nanoseconds)),
        }
    }

    /// Adds a call that ended at `at`. Count windows do not look at `at`.
    #[inline]
    pub(super) fn add(&mut self, mark: Mark, at: u64) {
        match self {
            Self::Count(window) => window.add(mark),
            Self::Time(window) => window.add(mark, at),
        }
    }

    /// Lets go of what is too old at `at`.
    pub(super) fn advance(&mut self, at: u64) {
        if let Self::Time(window) = self {
            window.advance(at);
        }
    }

    pub(super) fn clear(&mut self) {
        match self {
            Self::Count(window) => window.clear(),
            Self::Time(window) => window.clear(),
        }
    }

    /// What is in it.
    #[inline]
    pub(super) fn sum(&self) -> Tally {
        match self {
            Self::Count(window) => window.sum,
            Self::Time(window) => window.sum,
        }
    }
}

/// A ring of the last calls, and their sum. The first `sum.calls` marks are valid until the ring is full, and all are after that.
#[derive(Debug)]
pub(super) struct CountWindow {
    marks: Box<[Mark]>,
    next: usize,
    sum: Tally,
}

impl CountWindow {
    fn new(calls: u32) -> Self {
        let marks = vec![Mark::default(); calls as usize].into_boxed_slice();
        Self { marks, next: 0, sum: Tally::default() }
    }

    #[inline]
    fn add(&mut self, mark: Mark) {
        let full = self.sum.calls == self.marks.len() as u64;
        let old = std::mem::replace(&mut self.marks[self.next], mark);
        if full {
            self.sum.remove(old);
        }
        self.sum.add(mark);
        self.next += 1;
        if self.next == self.marks.len() {
            self.next = 0;
        }
    }

    fn clear(&mut self) {
        (self.next, self.sum) = (0, Tally::default());
    }
}

/// Buckets of a tenth of the time each, and their sum. Bucket `number` covers the nanoseconds from `number * length` on.
#[derive(Debug)]
pub(super) struct TimeWindow {
    length: u64,
    buckets: Box<[Tally; BUCKETS]>,
    /// The number of the newest bucket, and where it ends, so that most calls need no division.
    newest: u64,
    end: u64,
    sum: Tally,
}

impl TimeWindow {
    fn new(nanoseconds: u64) -> Self {
        let length = nanoseconds.div_ceil(BUCKETS as u64).max(1);
        let buckets = Box::new([Tally::default(); BUCKETS]);
        Self { length, buckets, newest: 0, end: length, sum: Tally::default() }
    }

    /// A call from before the newest bucket counts there: threads come to the lock in another order than they read the clock in.
    #[inline]
    fn add(&mut self, mark: Mark, at: u64) {
        self.advance(at);
        self.buckets[place(self.newest)].add(mark);
        self.sum.add(mark);
    }

    #[inline]
    fn advance(&mut self, at: u64) {
        if at >= self.end {
            self.turn(at / self.length);
        }
    }

    fn turn(&mut self, to: u64) {
        for before in (self.newest..to).take(BUCKETS) {
            let old = std::mem::take(&mut self.buckets[place(before + 1)]);
            self.sum.subtract(old);
        }
        self.newest = to;
        self.end = to.saturating_add(1).saturating_mul(self.length);
    }

    fn clear(&mut self) {
        (*self.buckets, self.sum) = ([Tally::default(); BUCKETS], Tally::default());
    }
}

#[allow(clippy::cast_possible_truncation)] // below the number of buckets
fn place(number: u64) -> usize {
    (number % BUCKETS as u64) as usize
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    const FAILED: Mark = Mark { failed: true, slow: false };
    const GOOD: Mark = Mark { failed: false, slow: false };

    #[test]
    fn count_window_holds_the_last_calls_and_only_those() {
        let mut window = Window::new(Span::Calls(3));
        for (mark, failures) in [(FAILED, 1), (FAILED, 2), (GOOD, 2), (GOOD, 1), (GOOD, 0), (FAILED, 1)] {
            window.add(mark, 0);
            assert_eq!(window.sum().failures, failures);
        }
        assert_eq!(window.sum().calls, 3);
        window.clear();
        window.add(GOOD, 0);
        assert_eq!(
            window.sum(),
            Tally { calls: 1, failures: 0, slow: 0 },
            "what was cleared does not come back"
        );
    }

    #[test]
    fn time_window_drops_bucket_by_bucket() {
        let mut window = Window::new(Span::Time(100));
        window.add(FAILED, 9);
        window.add(GOOD, 10);
        window.advance(99);
        assert_eq!(window.sum().calls, 2);
        window.advance(100);
        assert_eq!(window.sum(), Tally { calls: 1, failures: 0, slow: 0 });
        window.advance(110);
        assert_eq!(window.sum(), Tally::default());
    }

    #[test]
    fn long_pause_and_the_end_of_time_empty_the_time_window() {
        let mut window = Window::new(Span::Time(7)); // buckets of one nanosecond
        window.add(FAILED, 3);
        window.add(FAILED, u64::MAX);
        window.add(FAILED, u64::MAX - 1);
        assert_eq!(window.sum().calls, 2, "one that comes late counts with the newest");
        let mut window = Window::new(Span::Time(u64::MAX));
        window.add(FAILED, 0);
        window.add(FAILED, u64::MAX);
        assert_eq!(window.sum().calls, 2, "nothing is as old as that");
    }
}
