//! The error policies: what becomes of items that fail in the stage before.

use crate::sync::channel::Sender;

use super::builder::Pipeline;
use super::error_log::ErrorLog;
use super::error_policy::{Collect, Divert, Handle, Skip};
use super::failed_item::{FailedItem, ItemError};
use super::last_stage::{LastCanFail, LastTakes};
use super::ready::{LocalPipeline, ReadyPipeline};

/// What becomes of items that fail in the stage before. Without one of these the first failure ends the run.
///
/// A policy is written right after the stage that it belongs to: [`try_map`](Pipeline::try_map),
/// [`try_map_init`](Pipeline::try_map_init), [`try_serial`](Pipeline::try_serial), [`try_keyed`](Pipeline::try_keyed) or
/// [`try_blocking`](Pipeline::try_blocking), or an unordered form of these; sinks have the same methods. Every stage has its
/// own, and other stages and the source still end the run. A source of results is brought under one by
/// `from_iter(results).try_map("read", |result| result)`.
///
/// An item that the run goes on without is dropped like one that [`filter`](Pipeline::filter) drops: the others keep their order, and
/// it leaves the window when its place has been passed. It counts in [`StageReport::failed`](super::StageReport::failed), and in
/// [`Report::finished`](super::Report::finished), since it is through.
///
/// No policy is asked about a panic, which always ends the run, nor about an error that a stage returns once the run is over: after a
/// cancellation that is a reaction, and the run ends as cancelled.
impl<P, S, T, M> Pipeline<P, S, T, M> {
    /// Drops the items that fail in the stage before, and counts them in the [`Report`](super::Report).
    ///
    /// Not where it matters which ones they were: [`collect_errors`](Self::collect_errors) and [`divert_errors`](Self::divert_errors) keep that.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (numbers, report) = Pipeline::from_iter(["1", "two", "3"])
    ///     .try_map("parse", |text: &str| text.parse::<u32>())
    ///     .skip_errors()
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(numbers, [1, 3]);
    /// assert_eq!(report.stage("parse").unwrap().failed(), 1);
    /// # Ok::<(), gristmill::PipelineError<std::num::ParseIntError>>(())
    /// ```
    ///
    /// # Cost
    /// None that can be measured while nothing fails, at 10 ns an item; about 1.5 ns an item where one in ten does
    /// (`benches/pipeline.rs`, policy).
    pub fn skip_errors(self) -> <Self as LastCanFail>::With<Skip>
    where
        Self: LastCanFail,
    {
        self.with_policy(|_| Skip)
    }

    /// Drops the items that fail in the stage before, and records their failures in `log`, up to as many as it [may
    /// hold](ErrorLog::new).
    ///
    /// # Examples
    /// ```
    /// use gristmill::pipeline::ErrorLog;
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let log = ErrorLog::new(1);
    /// let outcome = Pipeline::from_iter(["1", "two", "3", "four"])
    ///     .workers(1)
    ///     .try_map("parse", |text: &str| text.parse::<u32>())
    ///     .collect_errors(&log)
    ///     .for_each("drop", drop)
    ///     .run(&CancellationToken::new());
    /// let error = outcome.unwrap_err(); // one was put up with, but not two
    /// assert_eq!(error.index(), Some(3));
    /// assert_eq!(log.take()[0].index, 1);
    /// ```
    ///
    /// # Errors
    /// A failure that finds the log full ends the run, as if there were no policy. Which ones those are is a matter of time, where there are several
    /// workers: in an ordered run the error is the lowest of them, but the log may hold failures of items before and behind it.
    ///
    /// # Cancellation
    /// What was recorded before stays in the log.
    ///
    /// # Cost
    /// About 2 ns an item where nothing fails, and some 50 ns a failure (`benches/pipeline.rs`, policy): a lock, and a place in the
    /// log.
    pub fn collect_errors<E>(self, log: &ErrorLog<E>) -> <Self as LastCanFail>::With<Collect<E>>
    where
        Self: LastCanFail<Error = E>,
    {
        self.with_policy(|stage| Collect { stage, log: log.clone() })
    }

    /// Sends the items that fail in the stage before into a channel, with their errors; a full one slows the pipeline down.
    ///
    /// They come in no particular order. The pipeline drops its sender before `run` returns, so a receiver ends with the run if there is no other
    /// sender. It must be received from on another thread while the run goes on, or the channel must have room for all that may fail: a
    /// full one that nobody receives from holds the run for ever, or until its token is cancelled.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let (sender, failed) = crossbeam_channel::bounded(16);
    /// let (numbers, failed) = std::thread::scope(|scope| {
    ///     let failed = scope.spawn(move || failed.iter().collect::<Vec<_>>());
    ///     let (numbers, _) = Pipeline::from_iter(["1", "two", "3"])
    ///         .try_map("parse", |text: &str| text.parse::<u32>())
    ///         .divert_errors(sender)
    ///         .collect::<Vec<_>>()
    ///         .run(&CancellationToken::new())?;
    ///     Ok::<_, gristmill::PipelineError<_>>((numbers, failed.join().unwrap()))
    /// })?;
    /// assert_eq!(numbers, [1, 3]);
    /// assert_eq!((failed[0].index, failed[0].item), (1, "two"));
    /// # Ok::<(), gristmill::PipelineError<std::num::ParseIntError>>(())
    /// ```
    ///
    /// # Errors
    /// A channel without a receiver ends the run with [`PipelineErrorKind::ReceiverGone`](super::PipelineErrorKind::ReceiverGone),
    /// which names the item that failed and holds its error; the clone of the item is dropped. What was sent before and not received
    /// is dropped with the channel.
    ///
    /// # Cancellation
    /// Ends a wait for room at once, as any other end of the run does. The failure is dropped then, and its item is not
    /// [finished](super::Report::finished). What was sent before stays in the channel.
    ///
    /// # Cost
    /// A clone of every item, made before the stage takes it; all else as [`collect_errors`](Self::collect_errors). Where a clone is
    /// dear, let the items be `Arc`s; or let the stage give the item back in its error, and send that in
    /// [`handle_errors`](Self::handle_errors).
    pub fn divert_errors<I, E>(
        self,
        sender: Sender<FailedItem<I, E>>,
    ) -> <Self as LastCanFail>::With<Divert<I, E>>
    where
        I: Clone,
        Self: LastTakes<I> + LastCanFail<Error = E>,
    {
        self.with_policy(|stage| Divert { stage, sender })
    }

    /// Has `call` decide about each failure of the stage before: `Ok` drops the item and goes on, `Err` ends the run with that error.
    ///
    /// It runs on the worker that met the failure, on several at once; of a serial stage or a sink, on one at a time. A panic in it is a
    /// panic of the stage.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    /// use std::io::ErrorKind::NotFound;
    ///
    /// let (texts, _) = Pipeline::from_iter(["Cargo.toml", "no such file"])
    ///     .try_map("read", std::fs::read_to_string)
    ///     .handle_errors(|failed| match failed.error.kind() {
    ///         NotFound => Ok(eprintln!("{failed}")), // gone since it was listed
    ///         _ => Err(failed.error),
    ///     })
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(texts.len(), 1);
    /// # Ok::<(), gristmill::PipelineError<std::io::Error>>(())
    /// ```
    ///
    /// # Cancellation
    /// A call that waits is not interrupted: let it poll the token.
    ///
    /// # Cost
    /// About 2 ns an item where nothing fails (`benches/pipeline.rs`, policy), and the closure for each failure.
    pub fn handle_errors<F, E>(self, call: F) -> <Self as LastCanFail>::With<Handle<F>>
    where
        F: Fn(ItemError<E>) -> Result<(), E> + Send + Sync,
        Self: LastCanFail<Error = E>,
    {
        self.with_policy(|stage| Handle { stage, call })
    }
}

macro_rules! policies_of_a_sink {
    ($pipeline:ident, $sink:literal) => {
        /// What becomes of items that fail in a sink that can. Without one of these the first failure ends the run.
        impl<P, S, T, M, K> $pipeline<P, S, T, M, K> {
            /// As [`Pipeline::skip_errors`], for the sink.
            ///
            /// # Examples
            /// ```
            /// use gristmill::{CancellationToken, Pipeline};
            ///
            /// let report = Pipeline::from_iter(1..=3)
            #[doc = concat!("     .", $sink, r#"("take", |number| if number == 2 { Err("two") } else { Ok(()) })"#)]
            ///     .skip_errors()
            ///     .run(&CancellationToken::new())?;
            /// let sink = report.stage("take").unwrap();
            /// assert_eq!((sink.items_out(), sink.failed()), (2, 1));
            /// # Ok::<(), gristmill::PipelineError<&str>>(())
            /// ```
            pub fn skip_errors(self) -> <Self as LastCanFail>::With<Skip>
            where
                Self: LastCanFail,
            {
                self.with_policy(|_| Skip)
            }

            /// As [`Pipeline::collect_errors`], for the sink.
            ///
            /// # Examples
            /// ```
            /// use gristmill::pipeline::ErrorLog;
            /// use gristmill::{CancellationToken, Pipeline};
            ///
            /// let log = ErrorLog::new(10);
            /// Pipeline::from_iter(1..=3)
            #[doc = concat!("     .", $sink, r#"("take", |number| if number == 2 { Err("two") } else { Ok(()) })"#)]
            ///     .collect_errors(&log)
            ///     .run(&CancellationToken::new())?;
            /// assert_eq!(log.take()[0].to_string(), "take failed at item 1: two");
            /// # Ok::<(), gristmill::PipelineError<&str>>(())
            /// ```
            ///
            /// # Errors
            /// As there. Sinks take one item at a time, so in an ordered run the log holds the first failures, and the error is the one that follows.
            pub fn collect_errors<E>(self, log: &ErrorLog<E>) -> <Self as LastCanFail>::With<Collect<E>>
            where
                Self: LastCanFail<Error = E>,
            {
                self.with_policy(|stage| Collect { stage, log: log.clone() })
            }

            /// As [`Pipeline::divert_errors`], for the sink.
            ///
            /// # Examples
            /// ```
            /// use gristmill::{CancellationToken, Pipeline};
            ///
            /// let (sender, failed) = crossbeam_channel::bounded(3); // room for all
            /// Pipeline::from_iter(1..=3)
            #[doc = concat!("     .", $sink, r#"("take", |number| if number == 2 { Err("two") } else { Ok(()) })"#)]
            ///     .divert_errors(sender)
            ///     .run(&CancellationToken::new())?;
            /// assert!(failed.iter().map(|failed| failed.item).eq([2]));
            /// # Ok::<(), gristmill::PipelineError<&str>>(())
            /// ```
            ///
            /// # Errors
            /// As there.
            ///
            /// # Cancellation
            /// As there.
            pub fn divert_errors<E>(
                self,
                sender: Sender<FailedItem<T, E>>,
            ) -> <Self as LastCanFail>::With<Divert<T, E>>
            where
                T: Clone,
                Self: LastCanFail<Error = E>,
            {
                self.with_policy(|stage| Divert { stage, sender })
            }

            /// As [`Pipeline::handle_errors`], for the sink.
            ///
            /// # Examples
            /// ```
            /// use gristmill::{CancellationToken, Pipeline};
            ///
            /// let error = Pipeline::from_iter(1..=3)
            #[doc = concat!("     .", $sink, r#"("take", |number| if number == 2 { Err("two") } else { Err("odd") })"#)]
            ///     .handle_errors(|failed| if failed.error == "odd" { Ok(()) } else { Err(failed.error) })
            ///     .run(&CancellationToken::new())
            ///     .unwrap_err();
            /// assert_eq!(error.into_error(), Some("two"));
            /// ```
            pub fn handle_errors<F, E>(self, call: F) -> <Self as LastCanFail>::With<Handle<F>>
            where
                F: Fn(ItemError<E>) -> Result<(), E> + Send + Sync,
                Self: LastCanFail<Error = E>,
            {
                self.with_policy(|stage| Handle { stage, call })
            }
        }
    };
}

policies_of_a_sink!(ReadyPipeline, "try_for_each");
policies_of_a_sink!(LocalPipeline, "try_for_each_local");
