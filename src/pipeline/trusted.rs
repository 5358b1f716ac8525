//! A source, and how many items at a time are read from it before the others can take them.

use super::run::Run;
use super::source::{Readiness, Reading, Source, Wait};
use super::timed::Pulse;
use super::worker::Worker;
use crate::sync::atomic::Ordering;
use crate::sync::time::{self, Duration};

/// How long one who waits for a channel leaves it at that, before he asks those for a share who are in the middle of a chunk. (Measured: asking at once makes
/// them look at the clock so often that items of ten nanoseconds behind a fast channel cost half as much again.)
const PATIENCE: Duration = Duration::from_micros(200);

/// A chunk that takes longer than this to read has met a pause.
const PAUSE: Duration = Duration::from_micros(70);

/// Items without a pause before a source is read in longer bursts, at first; four times as many after each pause.
const FIRST_PENALTY: usize = 256;
const HIGHEST_PENALTY: usize = 1 << 16;

/// The source and how far it is trusted not to block.
pub(super) struct Trusted<S> {
    pub(super) source: S,
    /// Items read between two publications.
    pub(super) trust: usize,
    /// Items read so far.
    pub(super) read: usize,
    /// Items read without a pause since `trust` last fell.
    good: usize,
    penalty: usize,
    pub(super) pulse: Pulse,
}

impl<S> Trusted<S> {
    pub(super) fn new(source: S) -> Self {
        Self { source, trust: 1, read: 0, good: 0, penalty: FIRST_PENALTY, pulse: Pulse::default() }
    }

    /// So many items were read in such a time.
    pub(super) fn learn(&mut self, readiness: Readiness, got: usize, spent: Duration) {
        if spent > PAUSE {
            (self.trust, self.good) = (1, 0);
            self.penalty = (self.penalty * 4).min(HIGHEST_PENALTY);
        } else if readiness == Readiness::Ready {
            self.good += got;
            if self.good > self.penalty {
                self.trust = self.trust.saturating_mul(2);
            }
        }
    }

    /// Reads up to `limit` items, and waits for the first if it may, which only a source that is polled can, and has nothing else to do.
    pub(super) fn read<E>(
        &mut self,
        run: &Run<E>,
        me: &Worker,
        limit: usize,
        may_wait: bool,
        items: &mut Vec<S::Item>,
    ) -> Reading<E>
    where
        S: Source<E>,
    {
        let before = items.len();
        let mut wait = Wait::Never;
        // One call for all waits: that of an iterator, which has none, is the hot one, and grows into this loop.
        let reading = loop {
            let reading = self.source.read(limit, wait, items);
            if !may_wait || items.len() > before || !matches!(reading, Reading::Pause) {
                break reading;
            }
            match Self::next_wait(run, me, wait) {
                Some(next) => wait = next,
                None => break reading,
            }
        };
        if wait != Wait::Never {
            run.leave_source();
        }
        reading
    }

    /// How to wait for an item after such a wait in vain; `None` if there is something else to do.
    #[cold]
    fn next_wait<E>(run: &Run<E>, me: &Worker, wait: Wait) -> Option<Wait> {
        let longest = me.due.map_or(Wait::Forever, Wait::Until);
        match wait {
            Wait::Never => run.enter_source(|| me.is_behind(run)).then(|| {
                let soon = time::now() + PATIENCE;
                let may_ask = !run.alone.load(Ordering::Relaxed) && me.due.is_none_or(|due| soon < due);
                if may_ask { Wait::Until(soon) } else { longest }
            }),
            Wait::Until(soon) if wait != longest && time::now() >= soon && !run.is_called() => {
                run.hungry.store(true, Ordering::Relaxed);
                Some(longest)
            }
            _ => None,
        }
    }
}
