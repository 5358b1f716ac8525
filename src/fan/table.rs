//! The lanes of a router: how they come and go, and where the items of a key are. What one attempt to send does with them is in `attempt`.
//!
//! # Invariants
//! All of it lies under the one lock of [`Core`](super::core::Core).
//! 1. Items enter a lane's channel under the lock only, and without a wait. So a lane that has room has it until the attempt is over, a
//!    broadcast reaches all of its lanes or none, and a lane that is removed under the lock gets nothing after that.
//! 2. A lane is alive as long as its [`Lane`](super::Lane) exists. The table keeps a receiver of each channel, so nothing that
//!    was sent goes away with the lane: it is there until somebody takes it.
//! 3. Whatever may let an attempt go another way than the last time, besides room in a lane, replaces `changed`.
//! 4. By key: `in_flight` of a lane has one entry for each item that its queue holds and for the last `in_hand` that were taken out, or more of
//!    them, oldest first; at most twice as many as there can be in flight.
//! 5. By key: `bindings` counts the same entries by key. So a key that is not bound has nothing in flight. Without `bindings` all entries are in the lane
//!    that is the home of their key, where its next item goes anyway: so it is for as long as no lane comes or goes and no lane is passed over. Then
//!    a send neither counts keys nor asks for the length of a queue, which is on a line that its receiver writes to.
//!
//! No user code runs here: what goes is handed out, to be dropped without the lock.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::mem;

use super::cut::{Cut, Cutting};
use super::id::{LaneId, LaneRule, LaneSnapshot, RouterSnapshot};
use super::keys::{self, Bindings};
use crate::sync::channel::{Receiver, Sender, bounded};

/// One lane, as the router sees it.
pub(super) struct Entry<T> {
    pub(super) id: LaneId,
    /// Gone when the lane is dead, so that other receivers of its queue come to an end.
    pub(super) sender: Option<Sender<T>>,
    queue: Receiver<T>,
    pub(super) sent: u64,
    pub(super) missed: u64,
    in_flight: VecDeque<u64>,
    /// Of a shared queue: tells the lane that it is removed.
    cut: Option<Cut>,
}

/// What a new lane receives with.
pub(super) struct Ends<T> {
    pub(super) id: LaneId,
    pub(super) queue: Receiver<T>,
    pub(super) cut: Option<Cutting>,
}

pub(super) struct Table<T> {
    capacity: usize,
    pub(super) lanes: Vec<Entry<T>>,
    /// The one queue of all lanes, if they share one.
    pub(super) shared: Option<(Sender<T>, Receiver<T>)>,
    next_id: u64,
    /// Items that were sent, and broadcasts that lanes missed, of lanes that are gone as well.
    pub(super) sent: u64,
    pub(super) missed: u64,
    /// Where the next round begins.
    pub(super) turn: usize,
    bindings: Option<Bindings>,
    /// Whether keys may have another home than before, so that `bindings` are to be made anew.
    are_homes_new: bool,
    pub(super) in_hand: usize,
    pub(super) slow: LaneRule,
    pub(super) dead: LaneRule,
    changed: Sender<Infallible>,
    pub(super) on_change: Receiver<Infallible>,
    /// Whether somebody waits for the lane whose turn it is.
    pub(super) turn_is_awaited: bool,
}

impl<T> Table<T> {
    pub(super) fn new(capacity: usize, is_shared: bool, slow: LaneRule) -> Self {
        let (changed, on_change) = bounded(1);
        Self {
            capacity,
            lanes: Vec::new(),
            shared: is_shared.then(|| bounded(capacity)),
            next_id: 0,
            sent: 0,
            missed: 0,
            turn: 0,
            bindings: None,
            are_homes_new: false,
            in_hand: 1,
            slow,
            dead: LaneRule::Skip,
            changed,
            on_change,
            turn_is_awaited: false,
        }
    }

    pub(super) fn snapshot(&self) -> Vec<LaneSnapshot> {
        let see = |lane: &Entry<T>| LaneSnapshot {
            id: lane.id,
            queued: lane.queue.len(),
            sent: lane.sent,
            missed: lane.missed,
            is_alive: lane.sender.is_some(),
        };
        self.lanes.iter().map(see).collect()
    }

    pub(super) fn snapshot_of_all(&self, refused: u64) -> RouterSnapshot {
        let lanes = self.snapshot();
        let (queued, undelivered) = if let Some((_, queue)) = &self.shared {
            (queue.len(), if lanes.is_empty() { queue.len() } else { 0 })
        } else {
            let dead = lanes.iter().filter(|lane| !lane.is_alive).map(|lane| lane.queued);
            (lanes.iter().map(|lane| lane.queued).sum(), dead.sum())
        };
        RouterSnapshot { sent: self.sent, refused, missed: self.missed, queued, undelivered, lanes }
    }

    pub(super) fn alive(&self) -> usize {
        self.lanes.iter().filter(|lane| lane.sender.is_some()).count()
    }

    pub(super) fn add(&mut self) -> Ends<T> {
        let id = LaneId(self.next_id);
        self.next_id += 1;
        let (sender, queue) = self.shared.clone().unwrap_or_else(|| bounded(self.capacity));
        let (cut, of_lane) = self.shared.is_some().then(Cutting::pair).unzip();
        self.lanes.push(Entry {
            id,
            sender: Some(sender),
            queue: queue.clone(),
            sent: 0,
            missed: 0,
            in_flight: VecDeque::new(),
            cut,
        });
        self.announce();
        Ends { id, queue, cut: of_lane }
    }

    /// Takes a lane out, with what nobody has received from it.
    pub(super) fn remove(&mut self, id: LaneId) -> Option<(Entry<T>, Vec<T>)> {
        let at = self.position(id)?;
        self.release_keys(at);
        let lane = self.lanes.remove(at);
        if at < self.turn {
            self.turn -= 1;
        }
        if let Some(cut) = &lane.cut {
            cut.remove();
        }
        let left = if self.shared.is_none() { lane.queue.try_iter().collect() } else { Vec::new() };
        self.announce();
        Some((lane, left))
    }

    /// The lane's receiver is gone. Its entry goes too, if nothing is left in it and dead lanes are passed over.
    pub(super) fn die(&mut self, id: LaneId) -> Option<Entry<T>> {
        let at = self.position(id)?;
        let lane = &mut self.lanes[at];
        lane.sender = None;
        let is_forgotten = self.shared.is_some() || (self.dead == LaneRule::Skip && lane.queue.is_empty());
        if is_forgotten {
            return self.remove(id).map(|(lane, _)| lane);
        }
        if self.dead == LaneRule::Skip {
            self.release_keys(at);
        }
        self.announce();
        None
    }

    /// What is done about dead lanes from now on. Where they are passed over, the keys of those that are there are free.
    pub(super) fn set_dead(&mut self, rule: LaneRule) {
        self.dead = rule;
        for at in 0..self.lanes.len() {
            if rule == LaneRule::Skip && self.lanes[at].sender.is_none() {
                self.release_keys(at);
            }
        }
        self.announce();
    }

    /// What lies in dead lanes, and in the shared queue if it has no lane.
    pub(super) fn take_undelivered(&mut self) -> (Vec<T>, Vec<Entry<T>>) {
        let mut left = Vec::new();
        let mut gone = Vec::new();
        match &self.shared {
            Some((_, queue)) if self.lanes.is_empty() => left.extend(queue.try_iter()),
            Some(_) => {}
            None => {
                for lane in self.lanes.iter().filter(|lane| lane.sender.is_none()) {
                    left.extend(lane.queue.try_iter());
                }
                if self.dead == LaneRule::Skip {
                    let dead: Vec<_> =
                        self.lanes.iter().filter(|lane| lane.sender.is_none()).map(|lane| lane.id).collect();
                    gone.extend(dead.into_iter().filter_map(|id| self.remove(id)).map(|(lane, _)| lane));
                }
            }
        }
        (left, gone)
    }

    /// Makes those who wait look again.
    pub(super) fn announce(&mut self) {
        self.are_homes_new = true;
        (self.changed, self.on_change) = bounded(1);
    }

    pub(super) fn position(&self, id: LaneId) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.id == id)
    }

    /// The lane that has items of the key in flight, if that is to be asked for.
    pub(super) fn bound_lane(&mut self, hash: u64) -> Option<usize> {
        if mem::take(&mut self.are_homes_new) {
            self.bind();
        }
        let at = self.position(self.bindings.as_ref()?.lane_of(hash)?)?;
        self.settle_keys(at);
        let bindings = self.bindings.as_ref()?;
        bindings.lane_of(hash).map(|_| at)
    }

    /// Counts what is in flight by key.
    #[cold]
    fn bind(&mut self) {
        self.bindings = None;
        let mut bindings = Bindings::default();
        for at in 0..self.lanes.len() {
            self.settle_keys(at);
            let lane = &self.lanes[at];
            for hash in &lane.in_flight {
                bindings.add(*hash, lane.id, self.lanes[self.home(*hash)].id);
            }
        }
        self.bindings = Some(bindings);
        self.unbind();
    }

    /// Stops counting where the homes say the same.
    fn unbind(&mut self) {
        if self.slow != LaneRule::Skip && self.bindings.as_ref().is_some_and(Bindings::are_all_at_home) {
            self.bindings = None;
        }
    }

    /// An item of the key lies in the lane now.
    pub(super) fn key_sent(&mut self, at: usize, hash: u64) {
        let lane = &mut self.lanes[at];
        lane.in_flight.push_back(hash);
        let (id, known) = (lane.id, lane.in_flight.len());
        if self.bindings.is_some() {
            let home = self.lanes[self.home(hash)].id;
            self.bindings.get_or_insert_default().add(hash, id, home);
        } else if known <= 2 * (self.capacity + self.in_hand) {
            return;
        }
        self.settle_keys(at);
    }

    /// The lane that a key goes to when nothing of it is in flight.
    pub(super) fn home(&self, hash: u64) -> usize {
        let mut best = (0, 0);
        for (at, lane) in self.lanes.iter().enumerate() {
            let is_open = lane.sender.is_some() || self.dead != LaneRule::Skip;
            let score = if is_open { keys::score(hash, lane.id) } else { 0 };
            // A choice between values and not of a way to go, which would be guessed wrong for every other key.
            best = if score > best.1 { (at, score) } else { best };
        }
        best.0
    }

    /// Lets go of the keys of items that are in flight no longer.
    fn settle_keys(&mut self, at: usize) {
        let lane = &mut self.lanes[at];
        let in_flight = lane.queue.len().saturating_add(self.in_hand);
        while lane.in_flight.len() > in_flight {
            let hash = lane.in_flight.pop_front();
            if let Some((bindings, hash)) = self.bindings.as_mut().zip(hash) {
                bindings.remove(hash);
            }
        }
        self.unbind();
    }

    fn release_keys(&mut self, at: usize) {
        self.lanes[at].in_flight.clear();
        self.are_homes_new = true;
    }
}
