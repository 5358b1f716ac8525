//! Whose turn it is to deliver: finished chunks wait here for those before them.
//!
//! # Invariants
//! 1. Ordered: only the worker that holds the chunk at `head` delivers, and only it moves `head`; so `head == first` is the
//!    right to deliver, without a lock.
//! 2. Unordered: whoever finds `delivering` false takes it, and delivers until nothing is left; nobody waits for it.
//! 3. A chunk that finds it is not its turn is parked under the lock under which `head` moves, so it is either seen by the
//!    worker that moves `head` there, or sees it itself.
//!
//! Lock order: `state` is a leaf; no user code runs under it.

use std::collections::BinaryHeap;

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, Padded};

use super::board::Gauge;
use super::chunk::{Chunk, Parked};

struct State<U, E> {
    parked: BinaryHeap<Parked<U, E>>,
    delivering: bool,
    /// Empty buffers, for results to come.
    spare: Vec<Vec<U>>,
}

/// The order in which a segment's results are delivered.
pub(super) struct Turn<U, E> {
    ordered: bool,
    /// False where one thread alone delivers and the others only park their chunks.
    shared: bool,
    /// The first place that has not been delivered.
    head: Padded<AtomicUsize>,
    /// The lowest place that failed: nothing from there on is needed.
    cut: AtomicUsize,
    state: Padded<Mutex<State<U, E>>>,
    /// The items that are parked.
    pub(super) queued: Gauge,
}

impl<U, E> Turn<U, E> {
    pub(super) fn new(ordered: bool, shared: bool) -> Self {
        Self {
            ordered,
            shared,
            head: Padded(AtomicUsize::new(0)),
            cut: AtomicUsize::new(usize::MAX),
            state: Padded(Mutex::new(State {
                parked: BinaryHeap::new(),
                delivering: false,
                spare: Vec::new(),
            })),
            queued: Gauge::default(),
        }
    }

    /// Whether the holder of the chunk at `first` may deliver already, before it has finished all of it.
    #[inline]
    pub(super) fn is_at_head(&self, first: usize) -> bool {
        self.ordered && self.shared && self.head.load(Ordering::Acquire) == first
    }

    /// Whether the first `total` places are delivered.
    pub(super) fn is_at_head_of_all(&self, total: usize) -> bool {
        self.head.load(Ordering::SeqCst) == total
    }

    /// Notes that the chunk at `first` failed.
    pub(super) fn cut(&self, first: usize) {
        if self.ordered {
            self.cut.fetch_min(first, Ordering::Relaxed);
        }
    }

    /// Whether the results of the chunk at `first` can no longer be delivered.
    #[inline]
    pub(super) fn is_cut(&self, first: usize) -> bool {
        self.cut.load(Ordering::Relaxed) < first
    }

    /// Gives the chunk back if it is the caller's to deliver now; otherwise parks it, and leaves a spare buffer in `buffer`. The
    /// second value says that a chunk was parked which the owner of a thread-bound sink waits for.
    pub(super) fn offer(&self, chunk: Chunk<U, E>, buffer: &mut Vec<U>) -> (Option<Chunk<U, E>>, bool) {
        if self.is_at_head(chunk.first) {
            return (Some(chunk), false);
        }
        let mut state = self.state.lock();
        let turn = if self.ordered {
            self.head.load(Ordering::Relaxed) == chunk.first
        } else {
            !std::mem::replace(&mut state.delivering, self.shared)
        };
        if turn && self.shared {
            return (Some(chunk), false);
        }
        self.queued.add(chunk.items.len());
        state.parked.push(Parked(chunk));
        if let Some(spare) = state.spare.pop() {
            *buffer = spare;
        }
        (None, turn)
    }

    /// The places before `head` are delivered (from a buffer that may be used again): gives the next chunk that is to be.
    pub(super) fn advance(&self, span: usize, spare: Option<Vec<U>>) -> Option<Chunk<U, E>> {
        let mut state = self.state.lock();
        // One without room is no buffer: of a chunk that was credit alone, or of items without a size. Nobody would ever take it back.
        if let Some(spare) = spare.filter(|spare| size_of::<U>() > 0 && spare.capacity() > 0) {
            state.spare.push(spare);
        }
        let head = self.head.load(Ordering::Relaxed) + span;
        self.head.store(head, Ordering::SeqCst);
        if !self.shared {
            return None; // the owner takes with `take_ready`
        }
        let next = self.pop(&mut state, head);
        state.delivering = next.is_some();
        next
    }

    fn pop(&self, state: &mut State<U, E>, head: usize) -> Option<Chunk<U, E>> {
        let ready = state.parked.peek().is_some_and(|next| !self.ordered || next.0.first == head);
        if !ready {
            return None;
        }
        let chunk = state.parked.pop().map(|parked| parked.0)?;
        self.queued.sub(chunk.items.len());
        Some(chunk)
    }

    /// Takes everything that is parked, once all workers have ended.
    pub(super) fn take_all(&self) -> Vec<Chunk<U, E>> {
        let parked = std::mem::take(&mut self.state.lock().parked);
        parked.into_iter().map(|parked| parked.0).collect()
    }

    /// For the owner of a thread-bound sink: the next chunk, if it is there.
    pub(super) fn take_ready(&self) -> Option<Chunk<U, E>> {
        let mut state = self.state.lock();
        let head = self.head.load(Ordering::Relaxed);
        self.pop(&mut state, head)
    }

    /// For the owner of a thread-bound sink: whether there is something to take.
    pub(super) fn is_ready(&self) -> bool {
        let state = self.state.lock();
        let head = self.head.load(Ordering::Relaxed);
        state.parked.peek().is_some_and(|next| !self.ordered || next.0.first == head)
    }
}
