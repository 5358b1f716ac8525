//! Tasks that belong to one worker each, and who gets the next.

use crate::pool::distribution::Distribution;
use crate::pool::lanes::{Lanes, Place};

#[derive(Debug)]
pub(in crate::pool) struct Crew<T> {
    distribution: Distribution,
    ageing: u64,
    /// By worker; those of workers that are not there are empty.
    lanes: Vec<Lanes<T>>,
    /// Whether it runs a task, by worker, as of its last visit.
    is_busy: Vec<bool>,
    /// The workers that are there, lowest first.
    there: Vec<usize>,
    /// Whose turn it is, as a place in `there`.
    next: usize,
    len: usize,
}

impl<T> Crew<T> {
    pub(in crate::pool) fn new(distribution: Distribution, ageing: u64) -> Self {
        let (lanes, is_busy, there) = (Vec::new(), Vec::new(), Vec::new());
        Self { distribution, ageing, lanes, is_busy, there, next: 0, len: 0 }
    }

    /// Adds a worker.
    pub(super) fn seat(&mut self, worker: usize) {
        while self.lanes.len() <= worker {
            self.lanes.push(Lanes::new(self.ageing, std::iter::empty().collect()));
            self.is_busy.push(false);
        }
        if let Err(place) = self.there.binary_search(&worker) {
            self.there.insert(place, worker);
        }
    }

    /// Takes a worker out, and what it had not started, with the numbers.
    pub(super) fn leave(&mut self, worker: usize) -> Vec<(Place, u64, T)> {
        self.there.retain(|there| *there != worker);
        self.is_busy[worker] = false;
        let rest = self.lanes[worker].take();
        self.len -= rest.len();
        rest
    }

    /// Gives a task to a worker; which one.
    pub(super) fn push(&mut self, place: Place, hash: Option<u64>, number: u64, task: T) -> usize {
        let worker = self.choose(hash);
        self.lanes[worker].push(place, number, task);
        self.len += 1;
        worker
    }

    /// Puts a task back that a worker took, as [`Lanes::put_back`] does.
    pub(super) fn count_back(&mut self) {
        self.len += 1;
    }

    /// A worker has come, and takes a task or not.
    pub(super) fn visited(&mut self, worker: usize, takes: bool) {
        self.is_busy[worker] = takes;
        self.len -= usize::from(takes);
    }

    fn choose(&mut self, hash: Option<u64>) -> usize {
        let crew = self.there.len();
        let turn = self.next % crew;
        let place = match (self.distribution, hash) {
            (Distribution::ByKey, Some(hash)) => usize::try_from(hash % crew as u64).unwrap_or(0),
            (Distribution::LeastLoaded, _) => {
                // From whose turn it is on, so that ties go round.
                let load = |place: &usize| {
                    let worker = self.there[*place % crew];
                    self.lanes[worker].len() + usize::from(self.is_busy[worker])
                };
                (turn..turn + crew).min_by_key(load).unwrap_or(turn) % crew
            }
            _ => turn,
        };
        if !matches!((self.distribution, hash), (Distribution::ByKey, Some(_))) {
            self.next = place + 1;
        }
        self.there[place]
    }

    pub(super) fn lanes_of(&mut self, worker: usize) -> &mut Lanes<T> {
        &mut self.lanes[worker]
    }

    pub(super) fn open_all(&mut self) {
        self.lanes.iter_mut().for_each(Lanes::open_all);
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Takes everything, with the numbers.
    pub(super) fn drain(&mut self) -> Vec<(Place, u64, T)> {
        self.len = 0;
        self.lanes.iter_mut().flat_map(Lanes::take).collect()
    }

    pub(super) fn levels(&self) -> impl Iterator<Item = (i8, usize)> + '_ {
        self.lanes.iter().flat_map(Lanes::levels)
    }
}
