//! A merge as the source of a pipeline.

use super::builder::Pipeline;
use super::plan::{FromSource, Sure};
use super::source::{Readiness, Reading, Source, Wait};
use super::step::Through;
use crate::cancel::CancellationToken;
use crate::fan::{Merge, ReceiveError};
use crate::sync::channel::Receiver;

/// Many channels, read as one.
#[derive(Debug)]
pub struct Merged<T> {
    merge: Merge<T>,
    token: CancellationToken,
    nudges: Option<Receiver<()>>,
}

impl<T: Send, E> Source<E> for Merged<T> {
    type Item = T;

    fn readiness(&self) -> Readiness {
        Readiness::Polled
    }

    fn begin(&mut self, token: &CancellationToken, nudges: Option<Receiver<()>>) {
        self.token = token.clone();
        self.nudges = nudges;
    }

    fn read(&mut self, limit: usize, wait: Wait, into: &mut Vec<T>) -> Reading<E> {
        for got in 0..limit {
            let until = match wait {
                Wait::Until(due) => Some(due),
                Wait::Forever | Wait::Never => None,
            };
            let received = match (self.merge.try_recv(), wait) {
                (Err(ReceiveError::Empty), Wait::Forever) if got == 0 && self.nudges.is_none() => {
                    self.merge.recv_with(&self.token)
                }
                (Err(ReceiveError::Empty), Wait::Forever | Wait::Until(_)) if got == 0 => {
                    self.merge.recv_until(&self.token, until, self.nudges.as_ref())
                }
                (received, _) => received,
            };
            match received {
                Ok(item) => into.push(item),
                Err(ReceiveError::Ended) => return Reading::End,
                Err(error @ (ReceiveError::Gap { .. } | ReceiveError::Late { .. })) => {
                    return Reading::NotReceived(error);
                }
                Err(_) => return Reading::Pause,
            }
        }
        Reading::Full
    }
}

impl<T> Pipeline<FromSource<Merged<T>>, Through, T, Sure> {
    /// Starts from many channels as one, in the order of the [`Merge`]; the source ends when all its inputs have ended.
    ///
    /// For the results of several pipelines, each of which [sends](Pipeline::send) into a channel of its own and runs on a thread of its own, and for inputs that are added
    /// while this one runs. Pipelines that can share one channel need no merge: give each a clone of its sender.
    ///
    /// A run that fails lets go of its channel as one that has ended does. So that this one does not take a part for the whole, have all of them run under one token,
    /// and cancel it when one fails.
    ///
    /// A merge [by sequence](Merge::by_sequence) ends the run with [`PipelineErrorKind::NotReceived`](super::PipelineErrorKind::NotReceived) where a number is missing, late,
    /// or there twice.
    ///
    /// # Examples
    /// ```
    /// use gristmill::fan::Merge;
    /// use gristmill::{CancellationToken, Pipeline, PipelineError};
    ///
    /// let token = CancellationToken::new();
    /// let (senders, receivers): (Vec<_>, Vec<_>) = (0..2).map(|_| crossbeam_channel::bounded(16)).unzip();
    /// let numbers = std::thread::scope(|scope| {
    ///     let parts: Vec<_> = (0_u64..).zip(senders).map(|(part, sender)| {
    ///         let token = &token;
    ///         scope.spawn(move || {
    ///             let run = Pipeline::from_iter((0..5).map(move |number| 2 * number + part))
    ///                 .map("square", |number| number * number)
    ///                 .send(sender)
    ///                 .run(token);
    ///             run.inspect_err(|_| _ = token.cancel())
    ///         })
    ///     }).collect();
    ///     let merged = Pipeline::from_merge(Merge::sorted(receivers)).collect::<Vec<_>>().run(&token);
    ///     parts.into_iter().try_for_each(|part| part.join().unwrap().map(drop))?; // the first cause
    ///     Ok::<_, PipelineError>(merged?.0)
    /// })?;
    /// assert_eq!(numbers, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
    /// # Ok::<(), PipelineError>(())
    /// ```
    ///
    /// # Cancellation
    /// Ends a wait at once. What was not read stays in the inputs, see [`Merge`].
    pub fn from_merge(merge: Merge<T>) -> Self {
        super::builder::start(Merged { merge, token: CancellationToken::new(), nudges: None })
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::sync::channel::{Sender, bounded};
    use crate::sync::fault;
    use crate::sync::time::{self, Duration};

    /// A merge of one input, whose sender lives on.
    fn merged(token: &CancellationToken, nudges: Option<Receiver<()>>) -> (Sender<u32>, Merged<u32>) {
        let (sender, receiver) = bounded(4);
        (sender, Merged { merge: Merge::fair([receiver]), token: token.clone(), nudges })
    }

    /// Reads what is there, and says whether the source has paused then.
    fn read(source: &mut Merged<u32>, wait: Wait) -> (Vec<u32>, bool) {
        let mut items = Vec::new();
        let reading: Reading<Infallible> = source.read(3, wait, &mut items);
        (items, matches!(reading, Reading::Pause))
    }

    #[test]
    fn only_the_first_item_is_waited_for() {
        let (sender, mut source) = merged(&CancellationToken::new(), None);
        for number in 0..4 {
            sender.send(number).expect("there is room");
        }
        assert_eq!(read(&mut source, Wait::Forever), (vec![0, 1, 2], false));
        // A wait for one more would hold this one back, and nobody ends it.
        assert_eq!(read(&mut source, Wait::Forever), (vec![3], true));
        assert_eq!(read(&mut source, Wait::Never), (Vec::new(), true));
        drop(sender);
    }

    #[test]
    fn nudge_ends_the_wait_for_the_first_item_and_so_does_its_time() {
        let (nudge, nudges) = bounded(1);
        let (sender, mut source) = merged(&CancellationToken::new(), Some(nudges));
        nudge.send(()).expect("there is room");
        assert_eq!(read(&mut source, Wait::Forever), (Vec::new(), true));
        assert_eq!(read(&mut source, Wait::Until(time::now())), (Vec::new(), true));
        drop((sender, nudge));
    }

    #[test]
    fn deadline_of_the_token_ends_the_wait_though_no_thread_can_be_had_to_watch_it() {
        let _fault = fault::fail_every_spawn();
        let token = CancellationToken::with_timeout(Duration::from_millis(1));
        let (sender, mut source) = merged(&token, None);
        assert_eq!(read(&mut source, Wait::Forever), (Vec::new(), true));
        assert!(token.is_cancelled());
        drop(sender);
    }

    #[test]
    fn deadline_that_nobody_watches_ends_a_wait_that_a_nudge_or_its_time_could_end_too() {
        let hour = time::now() + Duration::from_secs(3600);
        for wait in [Wait::Forever, Wait::Until(hour)] {
            // Longer than it lingers before it sleeps, so that it does sleep.
            let token = CancellationToken::unwatched(Duration::from_millis(50));
            let (nudge, nudges) = bounded(1);
            let (sender, mut source) = merged(&token, Some(nudges));
            assert_eq!(read(&mut source, wait), (Vec::new(), true));
            assert!(token.is_cancelled());
            drop((sender, nudge));
        }
    }
}
