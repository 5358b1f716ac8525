//! Handles that one thread waits for together: what all combinators are made of.
//!
//! # Invariants
//! 1. An entry that is not over has left a signal with its handle, which puts the entry's index into the inbox; from the start, or from
//!    when it was added. So what is not over when the inbox is empty will be heard of.
//! 2. `open` counts the entries that are not over. Each is reported once, when its index arrives and the handle says that it has
//!    ended; an index may arrive more often than that.
//! 3. A handle is offered a thread's help once, and again only if it asked for that, or if another thread waits: what could not help
//!    before may be a worker now. So help costs the same for each handle, however often one thread waits for the set; but for
//!    those that ask for it again, which are all asked at each wake.
//! 4. Of an entry whose signal was dropped nobody will tell (`lost`). A wait that is left with nothing else panics.
//! 5. What has ended with a stamp is reported when nothing with a smaller one can come any more: the inbox was empty after it was seen to have
//!    ended, and none whose stamp was known when it was put in (`stamped`) is smaller. By rule 5 of the handles' protocol there is no other.
//!
//! No lock is held here: the inbox has its own, and the handles theirs.

use std::collections::{BTreeSet, VecDeque};
use std::mem;

use super::entries::{Entries, Entry};
use super::limit::{Interrupt, Limit};
use super::turns::Turns;
use crate::cancel::CancellationToken;
use crate::panics::{self, Panic, drop_quietly};
use crate::sync::thread::{self, Thread};
use crate::sync::time::{self, Instant};
use crate::waitable::{Arrival, Help, Inbox, Waitable};

/// How often a waiter gives its core away before it parks.
const YIELDS: u32 = if cfg!(any(gristmill_shuttle, gristmill_loom)) { 0 } else { 4 };

pub(super) struct Set<W: Waitable> {
    // Before the handles, and so dropped before them: it has no use for what their signals say then.
    inbox: Inbox,
    entries: Entries<W>,
    /// Out of the inbox, not looked at yet.
    arrived: VecDeque<Arrival>,
    open: usize,
    /// How many of the open ones nobody will tell of.
    lost: usize,
    /// The first entry that was not offered help.
    unhelped: usize,
    /// Entries that asked to be offered help again.
    later: Vec<usize>,
    /// The thread that waited last.
    waiter: Option<Thread>,
    /// Those whose stamp was known when they were put in, and that have not been reported.
    stamped: BTreeSet<(u64, usize)>,
    /// Those that have ended with a stamp and have not been reported, the smallest first.
    in_turn: Turns,
}

/// What there is to be done before parking.
enum Step {
    LookAgain,
    ParkUntil(Option<Instant>),
}

impl<W: Waitable> Set<W> {
    pub(super) fn new(handles: impl IntoIterator<Item = W>) -> Self {
        let mut set = Self {
            inbox: Inbox::default(),
            entries: Entries::new(),
            arrived: VecDeque::new(),
            open: 0,
            lost: 0,
            unhelped: 0,
            later: Vec::new(),
            waiter: None,
            stamped: BTreeSet::new(),
            in_turn: Turns::default(),
        };
        // All of them first: the iterator may be what submits the tasks.
        let handles = handles.into_iter();
        set.entries.reserve(handles.size_hint().0);
        for handle in handles {
            set.entries.push(handle);
        }
        set.open = set.entries.total();
        for (index, entry) in set.entries.from(0) {
            if let Some(handle) = &entry.handle {
                // Before it is watched: one that is not known yet is larger than all that are.
                set.stamped.extend(handle.stamp().map(|stamp| (stamp, index)));
                handle.watch(set.inbox.signal(index));
            }
        }
        set
    }

    /// One more; its index.
    pub(super) fn push(&mut self, handle: W) -> usize {
        let index = self.entries.push(handle);
        self.open += 1;
        // It is there before it is watched: should that panic, its index is not given out again, and the signal that was dropped is its own.
        if let Some(handle) = self.get(index) {
            let stamp = handle.stamp();
            handle.watch(self.inbox.signal(index));
            self.stamped.extend(stamp.map(|stamp| (stamp, index)));
        }
        index
    }

    /// The handle of one that has not been taken out.
    pub(super) fn get(&self, index: usize) -> Option<&W> {
        self.entries.get(index)?.handle.as_ref()
    }

    /// How many there were, those included that have been taken out.
    pub(super) fn len(&self) -> usize {
        self.entries.total()
    }

    /// How many have not been reported as ended.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// The index of the next one that has ended, in the order of their ends; `None` if all have been reported. What has ended comes before
    /// what limits the wait.
    pub(super) fn next(&mut self, limit: Limit<'_>) -> Result<Option<usize>, Interrupt> {
        if let Some(index) = self.look() {
            return Ok(Some(index));
        }
        if self.open == 0 {
            return Ok(None);
        }
        let answer = self.wait(limit);
        self.inbox.stop_listening();
        answer.map(Some)
    }

    /// Whether one has ended, reported or not.
    pub(super) fn has_ended(&self, index: usize) -> bool {
        self.get(index).is_none_or(W::is_finished)
    }

    /// The output of one that has ended, or the panic of the handle that was to give it: of a function that it is mapped by, say.
    pub(super) fn output(&mut self, index: usize) -> Result<W::Output, Panic> {
        // Both out here: what unwinds must not drop them.
        let (mut handle, mut output) = (self.entries.take(index), None);
        let whole = panics::catch(
            || "a handle",
            || {
                output = handle.as_mut().and_then(W::take);
                assert!(
                    output.is_some(),
                    "the output of handle {index} was taken before the combinator could"
                );
                drop(handle.take());
            },
        );
        match (output, whole) {
            // If it panicked, that was its drop.
            (Some(output), _) => Ok(output),
            (None, whole) => {
                drop_quietly(handle);
                whole.map(|()| unreachable!("it panics without an output"))
            }
        }
    }

    /// [`output`](Self::output), where nothing is to be done before the panic goes on.
    pub(super) fn output_or_resume(&mut self, index: usize) -> W::Output {
        self.output(index).unwrap_or_else(|panic| panic.resume())
    }

    /// [`output`](Self::output), where the others are to be cancelled before the panic goes on: the call that it ends is their only end.
    #[track_caller]
    pub(super) fn output_or_cancel(&mut self, index: usize) -> W::Output {
        match self.output(index) {
            Ok(output) => output,
            Err(panic) => {
                self.cancel_open();
                panic.resume()
            }
        }
    }

    /// Cancels all that have not been reported, the last first: those handed in last are those that have most likely not started, and a
    /// running one that is told, and ends at once, would let a worker start the next.
    #[track_caller]
    pub(super) fn cancel_open(&self) {
        for (_, entry) in self.entries.from(0).rev().filter(|(_, entry)| !entry.is_over) {
            if let Some(handle) = &entry.handle {
                handle.cancel();
            }
        }
    }

    /// What has not been taken out, with its index, as it was handed in.
    pub(super) fn into_rest(self) -> Vec<(usize, W)> {
        self.inbox.close(); // it has no use for what the signals say that are dropped here
        let entries = self.entries.into_all().into_iter();
        let rest = entries.filter_map(|entry| {
            let index = entry.index();
            let handle = entry.handle?;
            if !entry.is_over {
                handle.unwatch();
            }
            Some((index, handle))
        });
        rest.collect()
    }

    /// [`into_rest`](Self::into_rest) without the indices.
    pub(super) fn into_handles(self) -> Vec<W> {
        self.into_rest().into_iter().map(|(_, handle)| handle).collect()
    }

    /// The next one that is known to have ended.
    fn look(&mut self) -> Option<usize> {
        loop {
            while let Some(arrival) = self.arrived.pop_front() {
                let (Arrival::Look(index) | Arrival::Lost(index)) = arrival;
                // More often than once, by a nudge, or by one that is not over but was to be looked at.
                let Some(entry) = self.entries.get_mut(index).filter(|entry| !entry.is_over) else {
                    continue;
                };
                let Some(handle) = entry.handle.as_ref() else { continue };
                if handle.is_finished() {
                    entry.is_over = true;
                    self.lost -= usize::from(entry.is_lost);
                    if let Some(stamp) = handle.stamp() {
                        self.in_turn.push((stamp, index));
                        continue;
                    }
                    self.open -= 1;
                    return Some(index);
                }
                if matches!(arrival, Arrival::Lost(_)) {
                    let stamp = handle.stamp();
                    // A handle may have left two signals, and drop both.
                    self.lost += usize::from(!mem::replace(&mut entry.is_lost, true));
                    // Nobody waits for its turn.
                    stamp.map(|stamp| self.stamped.remove(&(stamp, index)));
                }
            }
            if !self.inbox.collect(&mut self.arrived) {
                return self.look_in_turn();
            }
        }
    }

    /// The one with the smallest stamp of those that have ended, unless a smaller one is to come.
    fn look_in_turn(&mut self) -> Option<usize> {
        let next = self.in_turn.first()?;
        if self.stamped.first().is_some_and(|&first| first < next) {
            return None;
        }
        self.in_turn.pop();
        self.stamped.remove(&next);
        self.open -= 1;
        Some(next.1)
    }

    fn wait(&mut self, limit: Limit<'_>) -> Result<usize, Interrupt> {
        let me = thread::current();
        if self.waiter.as_ref().is_none_or(|waiter| waiter.id() != me.id()) {
            (self.unhelped, self.waiter) = (0, Some(me));
            self.later.clear();
        }
        let mut unpark = None;
        let mut yields = YIELDS;
        loop {
            if let Some(index) = self.look() {
                return Ok(index);
            }
            if let Some(interrupt) = limit.interrupt() {
                return Err(interrupt);
            }
            let Step::ParkUntil(until) = self.help() else { continue };
            assert!(
                self.lost < self.open || until.is_some(),
                "the wait would never end: all that has not ended, of {} handles, has dropped its signal",
                self.len()
            );
            if yields > 0 {
                yields -= 1;
                thread::yield_now();
                continue;
            }
            if unpark.is_none() && limit.token.is_some() {
                unpark = limit.token.map(CancellationToken::unpark_me);
                continue; // it may have been cancelled before
            }
            // From here on an arrival unparks this thread; one before is seen above.
            if self.inbox.listen() {
                match [until, limit.wake_at()].into_iter().flatten().min() {
                    None => thread::park(),
                    Some(at) => thread::park_timeout(at.saturating_duration_since(time::now())),
                }
            }
        }
    }

    /// Offers the calling thread's help to those that might need it.
    fn help(&mut self) -> Step {
        let mut until: Option<Instant> = None;
        let mut later = |at: Option<Instant>| until = [until, at].into_iter().flatten().min();
        let (mut asked, mut kept, mut has_helped) = (0, 0, false);
        while let Some(&index) = self.later.get(asked).filter(|_| !has_helped) {
            asked += 1;
            match self.entries.get(index).map_or(Help::Nothing, Entry::help) {
                Help::Helped => has_helped = true,
                Help::Nothing => continue,
                Help::Later(at) => later(at),
            }
            self.later[kept] = index;
            kept += 1;
        }
        self.later.drain(kept..asked);
        if has_helped {
            return Step::LookAgain;
        }
        while let Some((index, entry)) = self.entries.from(self.unhelped).next() {
            let help = entry.help();
            if help != Help::Nothing {
                self.later.push(index);
            }
            self.unhelped = index + 1;
            match help {
                Help::Helped => return Step::LookAgain,
                Help::Nothing => {}
                Help::Later(at) => later(at),
            }
        }
        // Past the holes at the end, so that they are not gone through again at each look.
        self.unhelped = self.entries.total();
        Step::ParkUntil(until)
    }
}

impl<W: Waitable> Entry<W> {
    fn help(&self) -> Help {
        match &self.handle {
            Some(handle) if !self.is_over => handle.help(),
            _ => Help::Nothing,
        }
    }
}
