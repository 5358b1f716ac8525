//! Room for another key: which one can be forgotten, and who gets its place. The invariants are those of the [`State`].

use super::super::gcra::Gcra;
use super::super::line::Line;
use super::entry::{After, KeyLine, Standing};
use super::state::State;
use crate::sync::thread::Thread;
use crate::sync::time::Instant;

impl<K> State<K> {
    /// The tick from which on there is room for another key: zero if there is.
    pub(super) fn room_at(&mut self, now: Instant) -> u128 {
        if self.kept() < self.most_keys {
            return 0;
        }
        while let Some((listed, at)) = self.listed.first().copied() {
            let actual = self.lines.get(at).map_or(listed, |line| line.paid_off(&self.scale, now));
            if actual <= listed {
                return listed;
            }
            self.list(at, actual);
        }
        u128::MAX
    }

    /// Moves a kept line in the list.
    fn list(&mut self, at: usize, tick: u128) {
        if let Some(KeyLine { standing: Standing::Kept { listed }, .. }) = self.lines.get_mut(at) {
            self.listed.remove(&(*listed, at));
            self.listed.insert((tick, at));
            *listed = tick;
        }
    }

    /// Whether a key that comes now gets room.
    pub(super) fn has_room(&mut self, now: Instant) -> bool {
        self.pending.is_empty() && self.room_at(now) <= self.scale.ticks(now)
    }

    /// Forgets a key, if that is what it takes to have room.
    fn make_room(&mut self, now: Instant, after: &mut After<K>) -> Result<(), u128> {
        let room = self.room_at(now);
        if room > self.scale.ticks(now) {
            return Err(room);
        }
        if self.kept() < self.most_keys {
            return Ok(());
        }
        // Listed up to now, and put right: nobody waits for it, since that would be paid for later than now.
        if let Some((_, at)) = self.listed.pop_first() {
            if let Some((key, KeyLine { line, .. })) = self.lines.remove(at) {
                self.forgotten_tat = self.forgotten_tat.max(line.gcra.tat());
                self.report.forgotten += 1;
                after.gone = Some(key);
            }
        }
        Ok(())
    }

    fn fresh(&mut self) -> Line {
        self.generation += 1;
        Line::new(Gcra::new(self.forgotten_tat, self.generation))
    }

    /// Takes on a key, if it [gets room](Self::has_room).
    pub(super) fn keep(&mut self, hash: u64, key: K, now: Instant, after: &mut After<K>) -> Option<usize> {
        if !self.pending.is_empty() || self.make_room(now, after).is_err() {
            after.gone = Some(key);
            return None;
        }
        let line = self.fresh();
        let listed = line.gcra.tat();
        let at = self.lines.insert(hash, key, KeyLine { line, standing: Standing::Kept { listed } });
        self.listed.insert((listed, at));
        Some(at)
    }

    /// Puts a key at the end of those that want room. The caller enters its line at once.
    pub(super) fn pend(&mut self, hash: u64, key: K) -> usize {
        let line = self.fresh();
        let arrival = self.arrivals;
        self.arrivals += 1;
        let at = self.lines.insert(hash, key, KeyLine { line, standing: Standing::Pending { arrival } });
        self.pending.insert(arrival, at);
        at
    }

    /// Sees to it that the line is kept, if it is its turn to get room; `Err` is when to try again, for the one who has to.
    pub(super) fn admit(
        &mut self,
        at: usize,
        ticket: u64,
        now: Instant,
        after: &mut After<K>,
    ) -> Result<(), Option<Instant>> {
        let Some(KeyLine { line, standing: Standing::Pending { arrival } }) = self.lines.get(at) else {
            return Ok(());
        };
        let arrival = *arrival;
        if !line.queue.is_first(ticket)
            || self.pending.first_key_value().is_none_or(|(first, _)| *first != arrival)
        {
            return Err(None);
        }
        if let Err(room) = self.make_room(now, after) {
            return Err(self.scale.instant(room, now));
        }
        self.pending.remove(&arrival);
        let tat = self.forgotten_tat; // it was made before the one that made room was forgotten
        self.generation += 1;
        if let Some(line) = self.lines.get_mut(at) {
            line.line.gcra = Gcra::new(tat, self.generation);
            line.standing = Standing::Kept { listed: tat };
            self.listed.insert((tat, at));
        }
        after.wake[0] = self.watcher();
        Ok(())
    }

    /// Who watches the clock for room.
    pub(super) fn watcher(&self) -> Option<Thread> {
        let (_, at) = self.pending.first_key_value()?;
        self.lines.get(*at)?.line.queue.first()
    }

    /// Lists a kept line anew if it can be forgotten earlier than it is listed (invariant 3), and tells who waits for that.
    pub(super) fn list_earlier(&mut self, at: usize, now: Instant, after: &mut After<K>) {
        let Some(line) = self.lines.get(at) else { return };
        let actual = line.paid_off(&self.scale, now);
        if matches!(line.standing, Standing::Kept { listed } if actual < listed) {
            self.list(at, actual);
            after.wake[0] = self.watcher();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::setting::Rate;
    use super::*;
    use crate::sync::time::{self, Duration};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_who_read_the_clock_before_its_key_was_forgotten_gets_nothing_by_it() {
        let start = time::now();
        let mut state = State::new(Rate::new(1, SECOND, 1).unwrap(), 1, start);
        let mut take_new = |key: u32, now| {
            let mut after = After::nothing();
            let at = state.keep(u64::from(key), key, now, &mut after).unwrap();
            (state.take(at, 1, now).is_some(), after.gone)
        };
        assert_eq!(take_new(1, start), (true, None));
        assert_eq!(take_new(2, start + SECOND), (true, Some(1)));
        let mut after = After::nothing();
        let at = state.keep(1, 1, start + 2 * SECOND, &mut after).unwrap();
        assert!(state.take(at, 1, start + SECOND / 2).is_none(), "half a second after its last permit");
        assert!(state.take(at, 1, start + 2 * SECOND).is_some());
    }
}
