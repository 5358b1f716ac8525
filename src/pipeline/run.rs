//! One run: the window, the reasons to stop, and who sleeps. Shared by all its workers.
//!
//! # Invariants
//! 1. `read - released <= window`, at every instant, inside the source's `next` too: readers check before they read, and
//!    `released` only grows. What is `held` in batches that are being filled comes on top.
//! 2. The first ending wins; it is stored before `stop` is set, and `stop` before anybody is woken.
//! 3. Whoever makes `finished()` true wakes all: the reader that sets `ended`, or the releaser of the last item. Both write
//!    first and look at the other's value afterwards (sequentially consistent), so one of them sees both.
//! 4. Work is never left lying while a worker sleeps: whoever makes it available (room in the window, a free source, a chunk in a
//!    feed) rings for it, or looks for work next; and whoever takes work rings if there is more. (Ringing at every release cost
//!    30 % with sixteen workers on two cores: the woken found the work taken by the one that rang.)
//! 5. Only threads that have nothing to do park, and each of them waits for a thread that is in user code. So cancellation is
//!    polled and has to wake nobody, except a source or sink that waits on a channel: these select on `token`.
//! 6. A thread of a blocking stage makes work, and never looks for any. What it puts into a feed it rings for; of everything else (room
//!    in the window, or the last item before a batch that is to be passed on) `stirs` tells, and no worker parks that has not
//!    looked everywhere since the last one.
//! 7. A worker that waits in a channel for the next item is asleep too, and hears of nothing but a nudge. Before it waits it says so in `in_source`, and then
//!    looks whether there is work; whoever offers work publishes it, and then looks there. One of the two sees the other. What is only put somewhere by a
//!    worker that looks for work next nudges nobody: it takes that itself, and then calls for somebody if what is left is heavy. (So where all items were light so
//!    far, and one is not, work may lie until it is through.)
//!
//! Lock order: `ending` is a leaf.

use std::sync::Arc;

use crate::cancel::{CancellationToken, Poll};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Mutex, Padded};
use crate::wakeup::WakeUp;

use super::attention::Attention;
use super::board::Board;
use super::bounds::Bounds;
use super::credit::Credit;
use super::crew::{Crew, Nudges};
use super::error::{Ending, Failure, What};
use super::expansion::Expansion;
use super::run_end::RunEnd;
use super::weight::WeightWindow;

/// The state that all workers of a run share.
#[derive(Debug)]
pub struct Run<E> {
    pub(super) window: usize,
    pub(super) workers: usize,
    /// The workers and the threads of blocking stages.
    hands: usize,
    /// Items taken from the source.
    pub(super) read: Padded<AtomicUsize>,
    /// Items that have left the pipeline, whole chunks at a time.
    released: Padded<AtomicUsize>,
    /// Items that are held in batches which are being filled; reading goes on for them.
    held: Padded<AtomicUsize>,
    /// The bound on the items' weight, if there is one.
    weight: Option<Arc<WeightWindow>>,
    /// The bounds of the stages that expand items, in their order.
    pub(super) expansions: Vec<Expansion>,
    /// Chunks without credit: pieces whose credit went with the last piece of what they were cut from.
    pieces: AtomicUsize,
    /// Items of chunks that were delivered in part when the run ended.
    in_part: AtomicUsize,
    /// Chunks that lie ready in front of a segment, all segments together.
    pub(super) queued: Padded<AtomicUsize>,
    /// A reader is at work.
    pub(super) reading: Padded<AtomicBool>,
    /// A reader has items that another worker may take.
    pub(super) opened: AtomicBool,
    /// Whether the source may wait for somebody; then the owner of a thread-bound sink leaves waiting to the others, so that no
    /// result waits for a thread that is waiting for the next item.
    pub(super) source_waits: AtomicBool,
    /// The caller's thread is the only worker.
    pub(super) alone: AtomicBool,
    /// How much room a reader waits for.
    pub(super) read_chunk: Padded<AtomicUsize>,
    /// The source has ended, or must not be read any more.
    ended: AtomicBool,
    stop: AtomicBool,
    ending: Mutex<Option<Ending<E>>>,
    /// A child of the caller's token, cancelled when the run ends early, to wake what waits on a channel.
    pub(super) token: CancellationToken,
    /// A child of that, cancelled too when nothing more is to be read, to wake what waits for the next item.
    pub(super) source_token: CancellationToken,
    /// The caller's, or a child of it that a control may cancel.
    pub(super) caller: CancellationToken,
    /// Both tokens, for stages and sinks.
    pub(super) end: RunEnd,
    pub(super) sleepers: WakeUp,
    /// Where the thread that owns a thread-bound sink parks; apart, because results are for it alone.
    pub(super) owner: WakeUp,
    /// The threads of the blocking stages.
    pub(super) crews: Vec<Crew>,
    /// Counts what a worker can find only by looking: what began to wait for its time, and what such a thread has changed. Whoever parks has
    /// looked since the last one, or looks again.
    pub(super) stirs: AtomicUsize,
    nudges: Nudges,
    /// A worker waits in the source for the next item, and has not been nudged (invariant 7).
    in_source: Padded<AtomicBool>,
    /// A worker went idle: a long chunk should be split. Cleared by whoever looks.
    pub(super) hungry: Padded<AtomicBool>,
    pub(super) board: Arc<Board>,
}

impl<E> Run<E> {
    /// `given` is the caller's token, and `caller` that or a child of it.
    pub(super) fn new(
        bounds: Bounds,
        workers: usize,
        crews: Vec<Crew>,
        given: &CancellationToken,
        caller: CancellationToken,
        board: Arc<Board>,
    ) -> Self {
        let token = caller.child();
        let end = RunEnd::new(&token, &caller, given);
        Self {
            window: bounds.window,
            workers,
            hands: crews.iter().fold(workers, |sum, crew| sum.saturating_add(crew.wanted)),
            read: Padded(AtomicUsize::new(0)),
            released: Padded(AtomicUsize::new(0)),
            held: Padded(AtomicUsize::new(0)),
            weight: bounds.weight,
            expansions: bounds.expansions.into_iter().map(Expansion::new).collect(),
            pieces: AtomicUsize::new(0),
            in_part: AtomicUsize::new(0),
            queued: Padded(AtomicUsize::new(0)),
            reading: Padded(AtomicBool::new(false)),
            opened: AtomicBool::new(false),
            source_waits: AtomicBool::new(false),
            alone: AtomicBool::new(workers == 1),
            read_chunk: Padded(AtomicUsize::new(1)),
            ended: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            ending: Mutex::new(None),
            source_token: token.child(),
            token,
            caller,
            end,
            sleepers: WakeUp::new(),
            owner: WakeUp::new(),
            nudges: Nudges::new(workers > 1 || !crews.is_empty() || bounds.timed),
            in_source: Padded(AtomicBool::new(false)),
            crews,
            stirs: AtomicUsize::new(0),
            hungry: Padded(AtomicBool::new(false)),
            board,
        }
    }

    /// How many items may still be read.
    #[inline]
    pub(super) fn room(&self) -> usize {
        // `released` first: a stale value only makes the room too small.
        let released = self.released.load(Ordering::SeqCst);
        let held = self.held.load(Ordering::SeqCst);
        let inside = (self.read.load(Ordering::SeqCst) - released).saturating_sub(held);
        match &self.weight {
            Some(weight) if !weight.has_room() => 0,
            _ => self.window.saturating_sub(inside),
        }
    }

    /// A stage that held the credit `before` holds `now`.
    pub(super) fn hold(&self, before: Credit, now: Credit) {
        if now.items >= before.items {
            self.held.fetch_add(now.items - before.items, Ordering::SeqCst);
        } else {
            self.held.fetch_sub(before.items - now.items, Ordering::SeqCst);
        }
        if let Some(weight) = &self.weight {
            weight.hold(before.weight, now.weight);
        }
        if let Some(expansion) = self.expansions.get(before.expansion.max(now.expansion)) {
            expansion.hold(before.expanded, now.expanded);
        }
    }

    /// The most items that one chunk may hold: with half a thread's share of the window, waiting for a whole chunk of room always
    /// ends, because others hold work that will leave.
    #[inline]
    pub(super) fn largest_chunk(&self) -> usize {
        (self.window / self.hands.saturating_mul(2)).max(1)
    }

    #[inline]
    pub(super) fn stopped(&self) -> bool {
        if self.stop.load(Ordering::Acquire) {
            return true;
        }
        if self.caller.is_cancelled() {
            self.halt_cancelled();
            return true;
        }
        false
    }

    /// What to look at between two items.
    #[inline]
    pub(super) fn attention(&self) -> Attention<'_> {
        Attention { hungry: &self.hungry.0, stop: &self.stop, caller: Poll::of(&self.caller) }
    }

    /// Whether somebody has gone idle since anybody asked.
    #[inline]
    pub(super) fn is_asked(&self) -> bool {
        let asked = self.hungry.load(Ordering::Relaxed) && self.hungry.swap(false, Ordering::AcqRel);
        if asked && self.stop.load(Ordering::Relaxed) {
            self.hungry.store(true, Ordering::Relaxed); // it stays then: see `halt`
        }
        asked
    }

    /// As [`stopped`](Self::stopped), for use under the lock of a wake-up: a deadline that nobody watches is for those who look before.
    pub(super) fn must_stop(&self) -> bool {
        self.stop.load(Ordering::SeqCst) || self.caller.seen_cause().is_some()
    }

    /// Ends the run if an error comes after the caller's cancellation, or somebody stops receiving: it is a reaction then, and not the
    /// cause.
    pub(super) fn halt_if_reaction(&self, failure: &Failure<E>) -> bool {
        let reaction = !matches!(failure.what, What::Panic(_)) && self.end.cancelled();
        if reaction {
            self.halt_cancelled();
        }
        reaction
    }

    #[cold]
    fn halt_cancelled(&self) {
        if let Some(cancelled) = self.end.cause() {
            self.halt(Ending::Cancelled(cancelled));
        }
    }

    /// Ends the run early. The first ending stays.
    #[cold]
    pub(super) fn halt(&self, ending: Ending<E>) {
        let late = {
            let mut first = self.ending.lock();
            if first.is_none() {
                *first = Some(ending);
                None
            } else {
                Some(ending)
            }
        };
        drop(late); // user data: outside the lock
        self.stop.store(true, Ordering::SeqCst);
        // Workers in the middle of a block look up; whoever clears it sets it again.
        self.hungry.store(true, Ordering::SeqCst);
        self.token.cancel();
        self.wake_all();
    }

    #[cold]
    pub(super) fn fail(&self, failure: Box<Failure<E>>) {
        self.halt(Ending::Failed(failure));
    }

    /// Nothing more will be read.
    pub(super) fn end_source(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.wake_if_finished();
    }

    /// Whether the source has been closed from outside: nothing more is to be read.
    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.source_token.is_cancelled()
    }

    #[inline]
    pub(super) fn source_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Items have left the pipeline: their room in the window is free. Rings for nobody: the caller looks for work itself next,
    /// or calls [`offer_work`](Self::offer_work).
    #[inline]
    pub(super) fn release(&self, credit: Credit) {
        if !credit.is_plain() {
            self.free(credit);
        }
        if credit.items == 0 {
            self.pieces.fetch_sub(1, Ordering::SeqCst);
        } else {
            self.board.finish(credit.items);
            self.released.fetch_add(credit.items, Ordering::SeqCst);
        }
        if self.source_ended() {
            self.wake_if_finished();
        }
    }

    /// What a credit bounds besides source items is free.
    pub(super) fn free(&self, credit: Credit) {
        if let Some(weight) = &self.weight {
            weight.release(credit.weight);
        }
        if let Some(expansion) = self.expansions.get(credit.expansion) {
            expansion.release(credit.expanded);
        }
    }

    /// A piece without credit was cut off a chunk. Called before either part can be delivered: where order is not kept, the one
    /// with the credit may come first, and the run is not over then.
    #[inline]
    pub(super) fn note_piece(&self) {
        self.pieces.fetch_add(1, Ordering::SeqCst);
    }

    /// Items of a chunk that was cut short are through; their room is not needed any more.
    pub(super) fn count_in_part(&self, items: usize) {
        self.in_part.fetch_add(items, Ordering::Relaxed);
        self.board.finish(items);
    }

    /// Everything that was read has left, and nothing more will be read.
    #[inline]
    pub(super) fn finished(&self) -> bool {
        // `pieces` last: whoever sees the credit of a chunk released sees the pieces that were cut off it.
        self.source_ended()
            && self.released.load(Ordering::SeqCst) == self.read.load(Ordering::SeqCst)
            && self.pieces.load(Ordering::SeqCst) == 0
    }

    /// How many items have been read and have not left, chunks that are being delivered included; a hint.
    pub(super) fn in_flight(&self) -> usize {
        // `read` first: what leaves in between makes it too small, and never larger than the window lets it be.
        let read = self.read.load(Ordering::Acquire);
        read.saturating_sub(self.released.load(Ordering::Acquire))
    }

    /// Whether the source waits for room in the window; a hint.
    pub(super) fn is_full(&self) -> bool {
        !self.source_ended()
            && !self.reading.load(Ordering::Relaxed)
            && self.room() < self.read_chunk.load(Ordering::Relaxed)
    }

    /// How many items are through, once all workers have ended.
    pub(super) fn through(&self) -> u64 {
        (self.released.load(Ordering::Relaxed) + self.in_part.load(Ordering::Relaxed)) as u64
    }

    /// Why the run ended early, if it did; by value, once.
    pub(super) fn take_ending(&self) -> Option<Ending<E>> {
        self.ending.lock().take()
    }
}

mod waking;

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests;
