//! Handles that one thread waits for together: what all combinators are made of.
//!
//! # Invariants
//! 1. An entry that is not over has left a signal with its handle, which puts the entry's index into the inbox; from the start, or from
//!    when it was added. So what is not over when the inbox is empty will be heard of.
//! 2. `open` counts the entries that are not over. Each is reported once, when its index arrives and the handle says that it has
//!    ended; an index may arrive more often than that.
//! 3. A handle is offered a thread's help once, and again only if it asked for that, or if another thread waits: what could not help
//!    before may be a worker now. So help costs the same for each handle, however often one thread waits for the set.
//!
//! No lock is held here: the inbox has its own, and the handles theirs.

use std::collections::VecDeque;
use std::mem;

use super::limit::{Interrupt, Limit};
use super::quiet::drop_quietly;
use crate::sync::thread::{self, Thread};
use crate::sync::time::{self, Instant};
use crate::waitable::{Help, Inbox, Waitable};

/// How often a waiter gives its core away before it parks.
const YIELDS: u32 = if cfg!(any(gristmill_shuttle, gristmill_loom)) { 0 } else { 4 };

struct Entry<W> {
    /// `None` once it was taken out.
    handle: Option<W>,
    is_over: bool,
}

pub(super) struct Set<W: Waitable> {
    entries: Vec<Entry<W>>,
    inbox: Inbox,
    /// Indices out of the inbox, not looked at yet.
    arrived: VecDeque<usize>,
    open: usize,
    /// The first entry that was not offered help.
    unhelped: usize,
    /// Entries that asked to be offered help again.
    later: Vec<usize>,
    /// The thread that waited last.
    waiter: Option<Thread>,
}

/// What there is to be done before parking.
enum Step {
    LookAgain,
    ParkUntil(Option<Instant>),
}

impl<W: Waitable> Set<W> {
    pub(super) fn new(handles: impl IntoIterator<Item = W>) -> Self {
        let mut set = Self {
            entries: Vec::new(),
            inbox: Inbox::default(),
            arrived: VecDeque::new(),
            open: 0,
            unhelped: 0,
            later: Vec::new(),
            waiter: None,
        };
        // All of them first: the iterator may be what submits the tasks.
        set.entries.extend(handles.into_iter().map(|handle| Entry { handle: Some(handle), is_over: false }));
        set.open = set.entries.len();
        for (index, entry) in set.entries.iter().enumerate() {
            if let Some(handle) = &entry.handle {
                handle.watch(set.inbox.signal(index));
            }
        }
        set
    }

    /// One more; its index.
    pub(super) fn push(&mut self, handle: W) -> usize {
        let index = self.entries.len();
        handle.watch(self.inbox.signal(index));
        self.entries.push(Entry { handle: Some(handle), is_over: false });
        self.open += 1;
        index
    }

    /// How many there were, those included that have been taken out.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
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
        self.entries[index].handle.as_ref().is_none_or(W::is_finished)
    }

    /// The output of one that has ended.
    pub(super) fn output(&mut self, index: usize) -> W::Output {
        let handle = self.entries[index].handle.take();
        let output = handle.and_then(|mut handle| handle.take());
        output.unwrap_or_else(|| panic!("the output of handle {index} was taken before the combinator could"))
    }

    /// Cancels all that have not been reported.
    #[track_caller]
    pub(super) fn cancel_open(&self) {
        for entry in self.entries.iter().filter(|entry| !entry.is_over) {
            if let Some(handle) = &entry.handle {
                handle.cancel();
            }
        }
    }

    /// What has not been taken out, with its index, as it was handed in.
    pub(super) fn into_rest(mut self) -> Vec<(usize, W)> {
        let entries = mem::take(&mut self.entries).into_iter().enumerate();
        let rest = entries.filter_map(|(index, entry)| {
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
            while let Some(index) = self.arrived.pop_front() {
                let entry = &mut self.entries[index];
                // More often than once, by a nudge, or by one that is not over but was to be looked at.
                if !entry.is_over && entry.handle.as_ref().is_some_and(W::is_finished) {
                    entry.is_over = true;
                    self.open -= 1;
                    return Some(index);
                }
            }
            if !self.inbox.collect(&mut self.arrived) {
                return None;
            }
        }
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
            if yields > 0 {
                yields -= 1;
                thread::yield_now();
                continue;
            }
            if unpark.is_none() && limit.token.is_some() {
                unpark = limit.unpark_me();
                continue; // it may have been cancelled before
            }
            // From here on an arrival unparks this thread; one before is seen above.
            if self.inbox.listen() {
                match [until, limit.deadline].into_iter().flatten().min() {
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
        let mut place = 0;
        while let Some(&index) = self.later.get(place) {
            match self.entries[index].help() {
                Help::Helped => return Step::LookAgain,
                Help::Nothing => _ = self.later.remove(place),
                Help::Later(at) => {
                    later(at);
                    place += 1;
                }
            }
        }
        while let Some(entry) = self.entries.get(self.unhelped) {
            let help = entry.help();
            if help != Help::Nothing {
                self.later.push(self.unhelped);
            }
            self.unhelped += 1;
            match help {
                Help::Helped => return Step::LookAgain,
                Help::Nothing => {}
                Help::Later(at) => later(at),
            }
        }
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

impl<W: Waitable> Drop for Set<W> {
    fn drop(&mut self) {
        // One by one: the results of several that have ended may panic as they are dropped.
        for entry in mem::take(&mut self.entries) {
            drop_quietly(entry.handle);
        }
    }
}
