//! The results of ranges, put in order as they come.
//!
//! One buffer becomes the result. A worker whose range is the next in it takes it out and computes straight into it; the others
//! compute into small buffers that stay in their caches and are used again and again. So of all results one copy at most is made,
//! from a cache, and nobody waits for anybody: what comes too early is parked, and whoever has the result appends what follows.
//!
//! # Invariants
//! 1. `whole` is absent exactly while one worker has it. That worker looks at `parked` again after it has put it back.
//! 2. Parts start where ranges start, and ranges do not overlap: at most one part fits at a time.

use std::collections::BTreeMap;
use std::mem;

use super::super::task::drop_quietly;
use super::error::BulkError;
use crate::sync::Mutex;

/// How many buffers are kept to be used again.
const SPARES: usize = 16;

pub(super) struct Assembly<B> {
    state: Mutex<State<B>>,
}

struct State<B> {
    whole: Option<Vec<B>>,
    parked: BTreeMap<usize, Vec<B>>,
    spares: Vec<Vec<B>>,
}

/// Where a range's results go.
pub(super) enum Target<B> {
    Whole(Vec<B>),
    Part(Vec<B>),
}

impl<B> Target<B> {
    pub(super) fn buffer(&mut self) -> &mut Vec<B> {
        match self {
            Self::Whole(buffer) | Self::Part(buffer) => buffer,
        }
    }
}

impl<B> Assembly<B> {
    /// Goes on from an empty buffer.
    pub(super) fn new(whole: Vec<B>) -> Self {
        Self { state: Mutex::new(State { whole: Some(whole), parked: BTreeMap::new(), spares: Vec::new() }) }
    }

    /// Where the results of the range that begins at `start` go.
    pub(super) fn target(&self, start: usize) -> Target<B> {
        let mut state = self.state.lock();
        match state.whole.take() {
            Some(whole) if whole.len() == start => Target::Whole(whole),
            whole => {
                state.whole = whole;
                Target::Part(state.spares.pop().unwrap_or_default())
            }
        }
    }

    /// Takes what was put into the target of that range.
    pub(super) fn put(&self, start: usize, target: Target<B>) {
        let mut state = self.state.lock();
        match target {
            Target::Whole(whole) => state.whole = Some(whole),
            Target::Part(part) => _ = state.parked.insert(start, part),
        }
        while let Some((mut whole, mut part)) = state.next() {
            drop(state);
            whole.append(&mut part);
            state = self.state.lock();
            state.whole = Some(whole);
            if state.spares.len() < SPARES {
                state.spares.push(part);
            }
        }
    }

    /// What a loop came to that ended in that way; nobody works on it any more.
    pub(super) fn end(&self, outcome: Result<(), BulkError>) -> Result<Vec<B>, BulkError> {
        let results = self.take();
        match outcome {
            Ok(()) => Ok(results),
            Err(error) => {
                // One by one: their drops may panic.
                results.into_iter().for_each(drop_quietly);
                Err(error)
            }
        }
    }

    /// The results so far.
    fn take(&self) -> Vec<B> {
        let mut state = self.state.lock();
        let (whole, parked) = (state.whole.take(), mem::take(&mut state.parked));
        drop(state);
        // Left over only where the loop ended early.
        parked.into_values().flatten().for_each(drop_quietly);
        whole.unwrap_or_default()
    }
}

impl<B> State<B> {
    fn next(&mut self) -> Option<(Vec<B>, Vec<B>)> {
        let whole = self.whole.take()?;
        let part = self.parked.remove(&whole.len());
        if part.is_none() {
            self.whole = Some(whole);
            return None;
        }
        part.map(|part| (whole, part))
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn parts_that_come_too_early_wait_for_those_before_them() {
        let assembly = Assembly::new(Vec::new());
        let mut first = assembly.target(0);
        let (mut second, mut third) = (assembly.target(2), assembly.target(4));
        assert!(matches!((&first, &second), (Target::Whole(_), Target::Part(_))));
        third.buffer().push(4);
        assembly.put(4, third);
        second.buffer().extend([2, 3]);
        assembly.put(2, second);
        first.buffer().extend([0, 1]);
        assembly.put(0, first);
        assert_eq!(assembly.take(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn gap_ends_the_result() {
        let assembly = Assembly::new(Vec::new());
        let mut late = assembly.target(1);
        late.buffer().push(1);
        assembly.put(1, late);
        assert!(assembly.take().is_empty());
    }
}
