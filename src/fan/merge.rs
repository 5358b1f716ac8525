//! Many receivers as one.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::door::{Door, MergeHandle};
use super::error::ReceiveError;
use super::input::MergeInput;
use super::lines::{Line, Lines};
use super::numbered::Numbered;
use super::patience::Patience;
use super::rotation::Rotation;
use super::sight::MergeMonitor;
use super::sorted::{Smallest, Sorted};
use crate::cancel::CancellationToken;
use crate::sync::channel::{Receiver, Select};
use crate::sync::time::{Duration, Instant};

/// How many items in a row a fair merge takes from one input, unless it is told otherwise.
const TURN: usize = 64;

enum Order<T> {
    Fair(Rotation),
    Priority,
    Sorted(Box<dyn Smallest<T>>),
    Numbered(Numbered<T>),
}

impl<T> Order<T> {
    #[inline]
    fn next(&mut self, lines: &mut Lines<T>) -> Option<T> {
        match self {
            Self::Fair(rotation) => rotation.next(lines),
            Self::Priority => (0..lines.all.len()).find_map(|at| lines.take(at)),
            Self::Sorted(sorted) => sorted.next(lines),
            Self::Numbered(numbered) => numbered.next(lines),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Fair(_) => "fair",
            Self::Priority => "by priority",
            Self::Sorted(_) => "sorted",
            Self::Numbered(_) => "by sequence",
        }
    }
}

/// Receives from many channels as from one, in the calling thread: there is no thread that forwards.
///
/// | Made by | The next item is |
/// |---|---|
/// | [`fair`](Self::fair) | that of the input whose turn it is |
/// | [`by_priority`](Self::by_priority) | that of the first input that has one |
/// | [`sorted`](Self::sorted), [`sorted_by`](Self::sorted_by) | the smallest of all, the inputs being sorted |
/// | [`by_sequence`](Self::by_sequence) | the one with the number that is due |
///
/// It ends when all inputs have ended. Inputs can be [added](Self::add) at any time, from other threads too by a [`handle`](Self::handle). Not for receivers that can
/// share one channel: let their senders be clones of one sender, which costs less than any merge.
///
/// # Examples
/// ```
/// use gristmill::fan::Merge;
///
/// let inputs = [[1, 4, 6], [2, 3, 9]].map(|numbers| {
///     let (sender, receiver) = crossbeam_channel::bounded(3);
///     numbers.map(|number| sender.send(number).unwrap());
///     receiver
/// });
/// assert_eq!(Merge::sorted(inputs).collect::<Vec<_>>(), [1, 2, 3, 4, 6, 9]);
/// ```
///
/// # Receiving
/// The words are the crate's: `try_recv` does not wait, `recv` waits, `recv_timeout` waits for a time at most, `recv_with` until a token is cancelled. As an iterator it
/// gives what `recv` gives until that fails; [`until`](Self::until) takes a token. Why an iteration has ended says the next `try_recv`: an end, a gap, a late
/// item, or nothing but the token.
///
/// # What is not delivered
/// stays in its channel. A fair merge, and one by priority, take an item from its channel only to deliver it. The others have to look at items first: at
/// one of each input if sorted, and by sequence at the window besides. Those are given back to their inputs when the merge is dropped, by a panic as well: to be found
/// in the clones of the [`MergeInput`], or in what [`into_inputs`](Self::into_inputs) gives. What was made from a bare receiver of which there is no clone goes with the
/// merge, as any channel does with its last receiver.
///
/// # Panics
/// The closures given to it run in the thread that receives, without a lock. If one panics, so does the call; nothing was delivered, nothing is lost, and the next call asks again.
///
/// # Cost
/// Fair, an item from one of eight producers costs a third of what it costs by crossbeam's `Select`; to wait for the next one costs a look at each
/// input (`benches/versus.rs`, fan-in). The sorted merge makes `log2(inputs)` comparisons an item, rounded up, and
/// one less than there are inputs when one comes or has ended.
///
/// A merge that waits does not count as a receiver that waits: a `try_send` into a channel of capacity 0 never finds it, a `send` does.
#[must_use = "a merge receives only when it is asked"]
pub struct Merge<T> {
    order: Order<T>,
    lines: Lines<T>,
    door: Option<Door<T>>,
}

impl<T> Merge<T> {
    fn with<I: Into<MergeInput<T>>>(order: Order<T>, inputs: impl IntoIterator<Item = I>) -> Self {
        let mut lines = Lines::new();
        for input in inputs {
            lines.add(input.into());
        }
        Self { order, lines, door: None }
    }

    /// Takes from one input after the other, up to 64 items in a row from each.
    ///
    /// So an input that has an item waits for at most 64 items of each of the others, whatever they have; [`turn`](Self::turn) sets another number.
    pub fn fair<I: Into<MergeInput<T>>>(inputs: impl IntoIterator<Item = I>) -> Self {
        Self::with(Order::Fair(Rotation::new(TURN)), inputs)
    }

    /// Takes from the first input that has an item, in the order in which they are given and added.
    ///
    /// As long as the first has items the others wait, for ever if need be.
    pub fn by_priority<I: Into<MergeInput<T>>>(inputs: impl IntoIterator<Item = I>) -> Self {
        Self::with(Order::Priority, inputs)
    }

    /// Merges sorted inputs into one sorted sequence; of equal items, that of the input added first comes first.
    ///
    /// It has to see an item of every input that has not ended. So one that sends nothing and does not end holds up the others, for ever if its sender waits
    /// for one of them to be read.
    ///
    /// What comes of an input that is not sorted is not sorted either; nothing is lost by it. Of an input that is added later, items that are smaller than what
    /// was delivered come next.
    pub fn sorted<I: Into<MergeInput<T>>>(inputs: impl IntoIterator<Item = I>) -> Self
    where
        T: Ord,
    {
        // The function itself would have `T: 'static`.
        #[allow(clippy::redundant_closure_for_method_calls)]
        Self::sorted_by(inputs, |one: &T, other: &T| one.cmp(other))
    }

    /// As [`sorted`](Self::sorted), in the order of `compare`.
    pub fn sorted_by<I: Into<MergeInput<T>>>(
        inputs: impl IntoIterator<Item = I>,
        compare: impl FnMut(&T, &T) -> Ordering + Send + 'static,
    ) -> Self {
        Self::with(Order::Sorted(Box::new(Sorted::new(compare))), inputs)
    }

    /// Delivers items by the number that `number` gives for each: 0, 1, 2 and so on, each from whichever input has it.
    ///
    /// What comes early is kept until its turn, if its number is less than the one that is due plus `window`; an input whose next item is beyond that is not
    /// read until it is within. So at most `window` items are kept besides one for each input. A window of 0 counts as 1.
    ///
    /// # Gaps
    /// A number that does not come holds up those after it. As long as it may still come, the merge waits. Once every input has ended, or waits with an item beyond the
    /// window, it cannot come, and receiving fails with [`ReceiveError::Gap`] until [`skip_to`](Self::skip_to) says to go on. An item whose number has had its turn, or
    /// that another item has, is a [`ReceiveError::Late`] until [`take_late`](Self::take_late). Neither loses anything.
    ///
    /// # Examples
    /// ```
    /// use gristmill::fan::{Merge, ReceiveError};
    ///
    /// let (sender, receiver) = crossbeam_channel::bounded(4);
    /// ["2 c", "0 a", "3 d"].map(|line| sender.send(line).unwrap());
    /// drop(sender);
    /// let mut merge = Merge::by_sequence([receiver], 4, |line: &&str| u64::from(line.as_bytes()[0] - b'0'));
    /// assert_eq!(merge.recv().unwrap(), "0 a");
    /// let Err(ReceiveError::Gap { missing: 1, found }) = merge.recv() else { unreachable!("1 is missing") };
    /// merge.skip_to(found);
    /// assert_eq!(merge.by_ref().collect::<Vec<_>>(), ["2 c", "3 d"]);
    /// ```
    pub fn by_sequence<I: Into<MergeInput<T>>>(
        inputs: impl IntoIterator<Item = I>,
        window: usize,
        number: impl FnMut(&T) -> u64 + Send + 'static,
    ) -> Self {
        Self::with(Order::Numbered(Numbered::new(window, Box::new(number))), inputs)
    }

    /// Sets how many items in a row a [`fair`](Self::fair) merge takes from one input. One is the fairest, and costs a look at another channel for
    /// each item; 0 counts as 1. Others take no turns.
    pub fn turn(mut self, items: usize) -> Self {
        if let Order::Fair(rotation) = &mut self.order {
            *rotation = Rotation::new(items.max(1));
        }
        self
    }

    /// Adds an input: the last in turn and in rank.
    pub fn add(&mut self, input: impl Into<MergeInput<T>>) {
        self.lines.add(input.into());
        self.lines_changed();
    }

    /// What adds inputs from other threads, while this one waits too. As long as there is a handle, the merge does not end.
    pub fn handle(&mut self) -> MergeHandle<T> {
        if let Some(handle) = self.door.as_ref().and_then(Door::handle) {
            return handle;
        }
        self.admit();
        let (door, handle) = Door::new(&self.lines.sight);
        self.door = Some(door);
        handle
    }

    /// What shows the merge to other threads while this one receives.
    pub fn monitor(&self) -> MergeMonitor<T> {
        MergeMonitor(Arc::clone(&self.lines.sight))
    }

    /// By sequence: numbers below `number` are not waited for any more. Items with such numbers that are there, or come while their turn is not over, are delivered in
    /// their order; so nothing is dropped. Without effect in other merges.
    pub fn skip_to(&mut self, number: u64) {
        if let Order::Numbered(numbered) = &mut self.order {
            numbered.skip_to(number);
        }
    }

    /// By sequence: takes the item that came too late or twice, which [`ReceiveError::Late`] told of. `None` if there is none that is known.
    pub fn take_late(&mut self) -> Option<T> {
        match &self.order {
            Order::Numbered(numbered) => numbered.take_late(&mut self.lines),
            _ => None,
        }
    }

    /// Receives without waiting.
    ///
    /// # Errors
    /// [`ReceiveError::Empty`], or as for [`recv`](Self::recv).
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, ReceiveError> {
        self.receive(&Patience::None)
    }

    /// Receives; waits for an item.
    ///
    /// # Errors
    /// [`ReceiveError::Ended`]; by sequence also [`Gap`](ReceiveError::Gap) and [`Late`](ReceiveError::Late).
    #[inline]
    pub fn recv(&mut self) -> Result<T, ReceiveError> {
        self.receive(&Patience::Endless)
    }

    /// Receives; waits at most `timeout`. Zero asks once; `Duration::MAX` waits without limit.
    ///
    /// # Errors
    /// [`ReceiveError::TimedOut`], or as for [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, ReceiveError> {
        self.receive(&Patience::timeout(timeout))
    }

    /// Receives; waits until `token` is cancelled.
    ///
    /// # Errors
    /// [`ReceiveError::Cancelled`], also if an item was there but the token was cancelled before; or as for [`recv`](Self::recv).
    ///
    /// # Cancellation
    /// Nothing is taken.
    pub fn recv_with(&mut self, token: &CancellationToken) -> Result<T, ReceiveError> {
        self.receive(&Patience::token(token).map_err(ReceiveError::Cancelled)?)
    }

    /// As [`recv_with`](Self::recv_with), at most until an instant or a nudge; for a source that has something else to do then.
    pub(crate) fn recv_until(
        &mut self,
        token: &CancellationToken,
        until: Option<Instant>,
        nudges: Option<&Receiver<()>>,
    ) -> Result<T, ReceiveError> {
        token.check().map_err(ReceiveError::Cancelled)?;
        self.receive(&Patience::Source(token, token.cancelled(), until, nudges))
    }

    /// Items until the merge ends or `token` is cancelled, waiting for each.
    pub fn until<'a>(&'a mut self, token: &'a CancellationToken) -> impl Iterator<Item = T> + 'a {
        std::iter::from_fn(|| self.recv_with(token).ok())
    }

    /// Ends the merge and gives its inputs back, with what it had looked at and not delivered; without those that have ended and hold nothing.
    pub fn into_inputs(mut self) -> Vec<MergeInput<T>> {
        // Closed in one step: what is let in after a look would be lost.
        let added = self.door.take().map(|door| Door::close(&door)).unwrap_or_default();
        let mut inputs = self.give_back();
        inputs.extend(added);
        inputs
    }

    #[inline]
    fn receive(&mut self, patience: &Patience<'_>) -> Result<T, ReceiveError> {
        let mut step = 0;
        loop {
            if self.door.as_ref().is_some_and(Door::is_waiting) {
                self.admit();
            }
            if let Some(item) = self.order.next(&mut self.lines) {
                self.lines.sight.receive();
                return Ok(item);
            }
            if matches!(patience, Patience::None) || !Patience::linger(step) {
                self.idle(patience)?;
                step = 0;
            } else {
                step += 1;
            }
        }
    }

    /// Nothing can be delivered now: waits until something may be, or says why not.
    #[cold]
    fn idle(&mut self, patience: &Patience<'_>) -> Result<(), ReceiveError> {
        if self.lines.forget_ended() {
            self.lines_changed();
        }
        if let Order::Numbered(numbered) = &self.order {
            if let Some(late) = numbered.late(&mut self.lines) {
                return Err(late);
            }
        }
        let is_closed = self.door.as_ref().is_none_or(Door::is_closed);
        if self.admit() {
            return Ok(());
        }
        if is_closed {
            self.door = None;
            if !self.lines.all.iter().any(Line::is_awaited) {
                return Err(match &self.order {
                    Order::Numbered(numbered) => numbered.end(&self.lines),
                    _ => ReceiveError::Ended,
                });
            }
        }
        patience.check()?;
        let mut select = Select::new();
        for line in self.lines.all.iter().filter(|line| line.is_awaited()) {
            select.recv(line.receiver());
        }
        if let Some(door) = &self.door {
            select.recv(&door.bell);
        }
        patience.watch(&mut select);
        patience.wait(&mut select);
        Ok(())
    }

    /// Lets in what was added by a handle; true if there was anything.
    fn admit(&mut self) -> bool {
        let inputs = self.door.as_ref().map(Door::admit).unwrap_or_default();
        let any = !inputs.is_empty();
        for input in inputs {
            self.add(input);
        }
        any
    }

    fn lines_changed(&mut self) {
        if let Order::Sorted(sorted) = &mut self.order {
            sorted.lines_changed();
        }
    }

    fn give_back(&mut self) -> Vec<MergeInput<T>> {
        if let Order::Numbered(numbered) = &mut self.order {
            numbered.give_back(&mut self.lines);
        }
        self.lines.give_back()
    }
}

impl<T> Iterator for Merge<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.recv().ok()
    }
}

impl<T> Drop for Merge<T> {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl<T> fmt::Debug for Merge<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Merge")
            .field("order", &self.order.name())
            .field("inputs", &self.lines.all.len())
            .finish_non_exhaustive()
    }
}
