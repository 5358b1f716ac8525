//! What one attempt to send does with the lanes of a router. The invariants are those of `table`; no user code runs here either.

use std::convert::Infallible;
use std::mem;

use super::error::RouteErrorKind;
use super::id::LaneRule;
use super::policy::Wish;
use super::table::Table;
use crate::sync::channel::{Receiver, Sender, TrySendError};

/// What came of one attempt.
pub(super) enum Attempt<T> {
    Sent,
    /// Nothing was sent; worth another attempt when one of these is ready. `None` if the attempt was not asked for what to wait for.
    Wait(T, Option<Waiting<T>>),
    /// The lane that was chosen is gone.
    Again(T),
    Refused(T, RouteErrorKind),
}

/// What a sender waits for: room in one of these lanes, or another set of lanes.
pub(super) struct Waiting<T> {
    pub(super) room: Vec<Sender<T>>,
    pub(super) on_change: Receiver<Infallible>,
}

impl<T> Table<T> {
    fn waiting(&self, room: Vec<Sender<T>>, waits: bool) -> Option<Waiting<T>> {
        waits.then(|| Waiting { room, on_change: self.on_change.clone() })
    }

    /// Sends to one lane, the first of those that may have the item, as the rules say.
    #[inline]
    pub(super) fn send_to_one(&mut self, mut value: T, wish: Wish, waits: bool) -> Attempt<T> {
        let count = self.lanes.len();
        let mut tries = if self.shared.is_some() { count.min(1) } else { count };
        let first = match wish {
            Wish::Next => self.turn,
            Wish::LeastLoaded => self.least_loaded(),
            Wish::First => 0,
            Wish::Key(hash) => match self.bound_lane(hash) {
                Some(lane) => {
                    tries = 1; // the others are closed to it, whatever the rule for slow lanes
                    lane
                }
                None => self.home(hash),
            },
            Wish::Lane(id) => match self.position(id) {
                Some(lane) => lane,
                None => return Attempt::Again(value),
            },
        };
        // Most often that lane is alive and has room. If not, it is asked again, as the first of those that may have the item.
        if let Some(sender) = self.lanes.get(first).and_then(|lane| lane.sender.as_ref()) {
            match sender.try_send(value) {
                Ok(()) => {
                    self.sent(first, wish);
                    return Attempt::Sent;
                }
                Err(TrySendError::Full(back) | TrySendError::Disconnected(back)) => value = back,
            }
        }
        self.send_past(value, first, tries, wish, waits)
    }

    /// Sends to the first of so many lanes that may have the item.
    #[cold]
    fn send_past(
        &mut self,
        mut value: T,
        mut first: usize,
        tries: usize,
        wish: Wish,
        waits: bool,
    ) -> Attempt<T> {
        let count = self.lanes.len();
        let (mut room, mut is_any_full) = (Vec::new(), false);
        let slow = match self.slow {
            LaneRule::Skip if tries == 1 => LaneRule::Wait,
            slow => slow,
        };
        // Who waits for the lane whose turn it is has to look again when the turn moves.
        self.turn_is_awaited |= waits && matches!(wish, Wish::Next);
        for _ in 0..tries {
            let at = if first < count { first } else { first - count };
            first = at + 1;
            let lane = &mut self.lanes[at];
            let Some(sender) = &lane.sender else {
                match self.dead {
                    LaneRule::Skip => continue,
                    LaneRule::Wait => return Attempt::Wait(value, self.waiting(room, waits)),
                    LaneRule::Refuse => {
                        return Attempt::Refused(value, RouteErrorKind::LaneDead(lane.id));
                    }
                }
            };
            match sender.try_send(value) {
                Ok(()) => {
                    self.sent(at, wish);
                    return Attempt::Sent;
                }
                // The table has a receiver of its own, so the channel is never disconnected.
                Err(TrySendError::Full(back) | TrySendError::Disconnected(back)) => value = back,
            }
            is_any_full = true;
            if slow == LaneRule::Refuse {
                return Attempt::Refused(value, RouteErrorKind::Full);
            }
            if waits {
                room.push(sender.clone());
            }
            if slow == LaneRule::Wait {
                if waits && matches!(wish, Wish::LeastLoaded) {
                    // If the least loaded is full, all are: whichever has room first is the least loaded then.
                    room = self.lanes.iter().filter_map(|lane| lane.sender.clone()).collect();
                }
                break;
            }
        }
        if !is_any_full {
            return Attempt::Refused(value, RouteErrorKind::NoLanes);
        }
        Attempt::Wait(value, self.waiting(room, waits))
    }

    /// Sends to every lane that is alive, or to none. `Err` asks for so many `copies` of the item; what was not needed stays
    /// among them.
    pub(super) fn send_to_all(
        &mut self,
        value: T,
        copies: &mut Vec<T>,
        waits: bool,
    ) -> Result<Attempt<T>, (T, usize)> {
        let alive = self.alive();
        if alive < self.lanes.len() {
            let dead = self.lanes.iter().find(|lane| lane.sender.is_none()).map(|lane| lane.id);
            match (self.dead, dead) {
                (LaneRule::Wait, _) => return Ok(Attempt::Wait(value, self.waiting(Vec::new(), waits))),
                (LaneRule::Refuse, Some(id)) => {
                    return Ok(Attempt::Refused(value, RouteErrorKind::LaneDead(id)));
                }
                _ => {}
            }
        }
        if alive == 0 {
            return Ok(Attempt::Refused(value, RouteErrorKind::NoLanes));
        }
        // Looked at once for each lane: receivers make room meanwhile, and who waits has to wait for a lane that was full.
        let mut full = 0;
        let mut first_full = None;
        for sender in self.lanes.iter().filter_map(|lane| lane.sender.as_ref()) {
            if sender.is_full() {
                full += 1;
                first_full = first_full.or(Some(sender));
            }
        }
        match (self.slow, first_full) {
            (_, None) => {}
            (LaneRule::Refuse, _) => return Ok(Attempt::Refused(value, RouteErrorKind::Full)),
            // For one of them: as long as it is full, room in the others is of no use.
            (LaneRule::Wait, Some(sender)) => {
                return Ok(Attempt::Wait(value, self.waiting(vec![sender.clone()], waits)));
            }
            (LaneRule::Skip, _) if full == alive => {
                let room = self.lanes.iter().filter_map(|lane| lane.sender.clone()).collect();
                return Ok(Attempt::Wait(value, self.waiting(room, waits)));
            }
            (LaneRule::Skip, _) => {}
        }
        if copies.len() + 1 < alive {
            return Err((value, alive - 1));
        }
        let mut left = Some(value);
        for lane in &mut self.lanes {
            let Some(sender) = &lane.sender else { continue };
            // There is one for each lane that is alive; a lane without room gives its own back.
            let Some(item) = copies.pop().or_else(|| left.take()) else { break };
            match sender.try_send(item) {
                Ok(()) => lane.sent += 1,
                Err(TrySendError::Full(item) | TrySendError::Disconnected(item)) => {
                    lane.missed += 1;
                    self.missed += 1;
                    copies.push(item);
                }
            }
        }
        copies.extend(left);
        self.sent += 1;
        Ok(Attempt::Sent)
    }

    fn sent(&mut self, at: usize, wish: Wish) {
        self.sent += 1;
        self.turn = if at + 1 < self.lanes.len() { at + 1 } else { 0 };
        if mem::take(&mut self.turn_is_awaited) {
            self.announce();
        }
        if self.shared.is_some() {
            return;
        }
        let lane = &mut self.lanes[at];
        lane.sent += 1;
        if let Wish::Key(hash) = wish {
            self.key_sent(at, hash);
        }
    }

    /// The lane with the shortest queue; of several, the next in turn.
    fn least_loaded(&self) -> usize {
        let in_turn = (self.turn..self.lanes.len()).chain(0..self.turn);
        let load = |at: &usize| self.lanes[*at].sender.as_ref().map_or(usize::MAX, Sender::len);
        in_turn.min_by_key(load).unwrap_or(0)
    }
}
