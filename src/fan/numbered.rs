//! Merging by number: the item whose number is due, wherever it comes from; what comes early waits within a window.
//!
//! The rules are those of oneTBB's `sequencer_node` (numbers from 0, each once), with a bound, and with answers where that waits for
//! ever or drops an item.

use std::collections::{BTreeMap, VecDeque};
use std::mem;

use super::error::ReceiveError;
use super::lines::{Line, Lines};

type Number<T> = Box<dyn FnMut(&T) -> u64 + Send>;

pub(super) struct Numbered<T> {
    number: Number<T>,
    window: u64,
    /// The number that is due; once `is_over`, the last one, and it has come.
    next: u64,
    /// There is no number after the last one that was given.
    is_over: bool,
    /// Numbers below it are not waited for.
    floor: u64,
    /// What came early, each below `next + window`, by number.
    parked: BTreeMap<u64, Parked<T>>,
    arrivals: u64,
}

struct Parked<T> {
    item: T,
    line: u64,
    arrival: u64,
}

impl<T> Numbered<T> {
    pub(super) fn new(window: usize, number: Number<T>) -> Self {
        // Whatever the window, the number that is due is never parked.
        let window = u64::try_from(window).unwrap_or(u64::MAX);
        Self { number, window, next: 0, is_over: false, floor: 0, parked: BTreeMap::new(), arrivals: 0 }
    }

    pub(super) fn skip_to(&mut self, number: u64) {
        self.floor = self.floor.max(number);
    }

    pub(super) fn next(&mut self, lines: &mut Lines<T>) -> Option<T> {
        loop {
            if let Some(parked) = self.parked.remove(&self.next) {
                self.advance();
                if let Some(line) = lines.all.iter_mut().find(|line| line.id == parked.line) {
                    line.parked -= 1;
                }
                return Some(parked.item);
            }
            if let Some(item) = self.read(lines) {
                self.advance();
                return Some(item);
            }
            if self.next >= self.floor {
                return None;
            }
            // Everything that is there has been looked at: what is missing up to the floor is skipped.
            self.next = self.found(lines).map_or(self.floor, |found| found.min(self.floor));
        }
    }

    fn advance(&mut self) {
        match self.next.checked_add(1) {
            Some(next) => self.next = next,
            None => self.is_over = true,
        }
    }

    /// Reads all inputs as far as the window allows; the item that is due, if it comes along.
    fn read(&mut self, lines: &mut Lines<T>) -> Option<T> {
        let count = lines.all.len();
        for step in 0..count {
            let at = (lines.turn + step) % count;
            while lines.look(at) {
                let line = &mut lines.all[at];
                let known = line.number;
                let number = known.or_else(|| line.head().map(|item| (self.number)(item)))?;
                line.number = Some(number);
                if number == self.next && !self.is_over {
                    lines.turn = at;
                    return lines.take(at);
                }
                if self.is_late(number) || number - self.next >= self.window {
                    break;
                }
                line.parked += 1;
                let line = line.id;
                let item = lines.take(at)?;
                self.parked.insert(number, Parked { item, line, arrival: self.arrivals });
                self.arrivals += 1;
            }
        }
        None
    }

    fn is_late(&self, number: u64) -> bool {
        number < self.next || self.is_over || self.parked.contains_key(&number)
    }

    /// The lowest number that is there and not over.
    fn found(&self, lines: &Lines<T>) -> Option<u64> {
        let heads = lines.all.iter().filter_map(|line| line.number).filter(|number| !self.is_late(*number));
        heads.chain(self.parked.keys().next().copied()).min()
    }

    fn late_line<'a>(&self, lines: &'a mut Lines<T>) -> Option<(usize, &'a mut Line<T>)> {
        lines
            .all
            .iter_mut()
            .enumerate()
            .find(|(_, line)| line.number.is_some_and(|number| self.is_late(number)))
    }

    /// What is wrong with an item, if something is: to be asked when nothing is due.
    pub(super) fn late(&self, lines: &mut Lines<T>) -> Option<ReceiveError> {
        let number = self.late_line(lines)?.1.number?;
        Some(ReceiveError::Late { number })
    }

    pub(super) fn take_late(&self, lines: &mut Lines<T>) -> Option<T> {
        let at = self.late_line(lines)?.0;
        lines.take(at)
    }

    /// Why nothing will come without help.
    pub(super) fn end(&self, lines: &Lines<T>) -> ReceiveError {
        match self.found(lines) {
            Some(found) => ReceiveError::Gap { missing: self.next, found },
            None => ReceiveError::Ended,
        }
    }

    /// Puts what is parked back before what its input has still to give.
    pub(super) fn give_back(&mut self, lines: &mut Lines<T>) {
        let mut parked: VecDeque<_> = mem::take(&mut self.parked).into_values().collect();
        parked.make_contiguous().sort_by_key(|parked| parked.arrival);
        while let Some(Parked { item, line, .. }) = parked.pop_back() {
            if let Some(line) = lines.all.iter_mut().find(|other| other.id == line) {
                line.parked -= 1;
                line.put_back(item);
            }
        }
    }
}
