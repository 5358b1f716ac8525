//! Which threads a run was to have, and which of them are missing.

use crate::sync::atomic::{AtomicUsize, Ordering};

use super::crew::Crew;

/// The threads of a run, by number: the workers first, then those of the blocking stages.
#[derive(Debug)]
pub(super) struct Staff {
    workers: usize,
    missing: AtomicUsize,
    crews: Vec<StageThreads>,
}

/// The threads of one blocking stage.
#[derive(Debug)]
struct StageThreads {
    stage: usize,
    /// The number of its first.
    first: usize,
    wanted: usize,
    missing: AtomicUsize,
}

/// What a thread of that number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Worker(usize),
    /// Of a blocking stage, the thread of that number, from 1.
    StageThread(usize),
}

/// The threads of the workers, or of the blocking stage of that number, as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) stage: Option<usize>,
    pub(super) first: usize,
    pub(super) wanted: usize,
    pub(super) present: usize,
}

impl Staff {
    pub(super) fn new(workers: usize, crews: &[Crew]) -> Self {
        let mut next = workers;
        let threads = |crew: &Crew| {
            let first = next;
            next = next.saturating_add(crew.wanted);
            StageThreads { stage: crew.stage, first, wanted: crew.wanted, missing: AtomicUsize::new(0) }
        };
        let crews = crews.iter().map(threads).collect();
        Self { workers, missing: AtomicUsize::new(0), crews }
    }

    /// How many there are to be.
    pub(super) fn threads(&self) -> usize {
        self.crews.iter().fold(self.workers, |sum, crew| sum.saturating_add(crew.wanted))
    }

    /// So many workers could not be started.
    pub(super) fn miss_workers(&self, missing: usize) {
        self.missing.store(missing, Ordering::Relaxed);
    }

    /// So many threads of that crew could not be started.
    pub(super) fn miss_threads(&self, crew: usize, missing: usize) {
        self.crews[crew].missing.store(missing, Ordering::Relaxed);
    }

    /// The workers, and then the blocking stages.
    pub(super) fn counts(&self) -> Vec<Count> {
        let count = |stage, first, wanted, missing: &AtomicUsize| {
            let present = usize::saturating_sub(wanted, missing.load(Ordering::Relaxed));
            Count { stage, first, wanted, present }
        };
        let crew = |crew: &StageThreads| count(Some(crew.stage), crew.first, crew.wanted, &crew.missing);
        let workers = count(None, 0, self.workers, &self.missing);
        std::iter::once(workers).chain(self.crews.iter().map(crew)).collect()
    }
}

/// What the thread of that number is, where these are the threads.
pub(super) fn place(counts: &[Count], thread: usize) -> Place {
    let of = counts.iter().rev().find(|count| count.first <= thread);
    match of.filter(|count| count.stage.is_some()) {
        Some(count) => Place::StageThread(thread - count.first + 1),
        None => Place::Worker(thread),
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn threads_are_numbered_from_the_workers_on() {
        let staff = Staff::new(2, &[Crew::new(3, 1), Crew::new(5, 2)]);
        assert_eq!(staff.threads(), 5);
        let places: Vec<_> = (0..5).map(|thread| place(&staff.counts(), thread)).collect();
        let [worker, thread] = [Place::Worker, Place::StageThread];
        assert_eq!(places, [worker(0), worker(1), thread(1), thread(1), thread(2)]);
    }
}
