//! The results of ranges, reduced with their neighbours as they come.
//!
//! # Invariants
//! 1. What is in `runs` are results of ranges without gaps in between; runs do not touch each other, but for moments in which a worker has
//!    one of two in its hand and looks again before it puts it down.
//! 2. So between two runs lies a range that a worker has not put down: there are at most as many runs as workers, and one more.
//!
//! Reducing is the user's code, and runs with the lock released.

use std::collections::BTreeMap;
use std::mem;

use super::super::task::drop_quietly;
use crate::sync::Mutex;

/// By its start: the end, and what the items in between came to.
type Runs<B> = BTreeMap<usize, (usize, B)>;

pub(super) struct Confluence<B> {
    runs: Mutex<Runs<B>>,
}

impl<B> Confluence<B> {
    pub(super) fn new() -> Self {
        Self { runs: Mutex::new(Runs::new()) }
    }

    /// Takes the result of the items from `start` up to `end`, together with all that touches it.
    pub(super) fn put(&self, mut start: usize, mut end: usize, mut value: B, reduce: impl Fn(B, B) -> B) {
        loop {
            let mut runs = self.runs.lock();
            let before = runs.range(..start).next_back().filter(|(_, run)| run.0 == start).map(|(at, _)| *at);
            if let Some((at, (_, left))) = before.and_then(|at| runs.remove_entry(&at)) {
                drop(runs);
                start = at;
                value = reduce(left, value);
            } else if let Some((far, right)) = runs.remove(&end) {
                drop(runs);
                end = far;
                value = reduce(value, right);
            } else {
                runs.insert(start, (end, value));
                return;
            }
        }
    }

    /// What all came to, once nobody works on it any more.
    pub(super) fn take(&self) -> Option<B> {
        let mut runs = mem::take(&mut *self.runs.lock()).into_values();
        let whole = runs.next();
        // Several are left only where the loop ended early.
        runs.for_each(drop_quietly);
        whole.map(|(_, value)| value)
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_reduced_in_order_whichever_comes_last() {
        for last in 0..3_usize {
            let confluence = Confluence::new();
            let put = |at: usize| {
                confluence.put(at, at + 1, at.to_string(), |left, right| left + &right);
            };
            (0..3).filter(|&at| at != last).for_each(put);
            assert_eq!(confluence.runs.lock().len(), if last == 1 { 2 } else { 1 });
            put(last);
            assert_eq!(confluence.take().as_deref(), Some("012"));
        }
    }
}
