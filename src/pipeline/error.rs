//! How a run ends early: the failure inside the engine, and the error that the caller gets.

use std::convert::Infallible;
use std::fmt;

use crate::cancel::Cancelled;
use crate::fan::{ReceiveError, RouteErrorKind};
use crate::panics::Panic;

use super::report::Report;

/// What went wrong at one item, while it still travels towards its place in the order.
#[derive(Debug)]
pub struct Failure<E> {
    pub(super) stage: usize,
    pub(super) index: u64,
    pub(super) what: What<E>,
}

#[derive(Debug)]
pub enum What<E> {
    Error(E),
    Panic(Panic),
    /// A channel has no receiver left; with the error that was to be sent into it, if it was a failure that was.
    ReceiverGone(Option<E>),
    /// A router did not take the item.
    NotRouted(RouteErrorKind),
    /// A merge has nothing to give before somebody decides how to go on.
    NotReceived(ReceiveError),
}

/// Why a run ended before its source did.
///
/// ```
/// use gristmill::{CancellationToken, Pipeline, PipelineErrorKind};
///
/// let error = Pipeline::from_iter(["12", "oops", "7"])
///     .try_map("parse", |text: &str| text.parse::<u32>())
///     .collect::<Vec<_>>()
///     .run(&CancellationToken::new())
///     .unwrap_err();
/// match error.into_kind() {
///     PipelineErrorKind::Failed { stage, index, .. } => assert_eq!((stage.as_str(), index), ("parse", 1)),
///     other => unreachable!("{other:?}"),
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineErrorKind<E> {
    /// The source, a stage or the sink returned an error.
    #[error("{stage} failed at item {index}: {source}")]
    Failed {
        /// The name of the stage; `source` for the source.
        stage: String,
        /// The item's index in the source, from 0.
        index: u64,
        /// The error itself.
        source: E,
    },
    /// The source, a stage or the sink panicked; the panic's name is the stage.
    #[error("at item {index}: {panic}")]
    Panicked {
        /// The item's index in the source, from 0.
        index: u64,
        /// The panic, with the stage's name, payload, text and location.
        panic: Panic,
    },
    /// The channel that [`send`](super::Pipeline::send), [`tee`](super::Pipeline::tee) or [`divert_errors`](super::Pipeline::divert_errors)
    /// sends into has no receiver left.
    #[error("{stage} could not send item {index}: the channel has no receiver left")]
    ReceiverGone {
        /// The name of the sink, or of the stage that failed.
        stage: String,
        /// The item's index in the source, from 0.
        index: u64,
        /// The stage's error, if it was a failure that was to be sent.
        source: Option<E>,
    },
    /// The router that [`route`](super::Pipeline::route) sends through did not take an item.
    #[error("{stage} could not send item {index}: {source}")]
    NotRouted {
        /// The name of the sink.
        stage: String,
        /// The item's index in the source, from 0.
        index: u64,
        /// Why not.
        source: RouteErrorKind,
    },
    /// The merge that [`from_merge`](super::Pipeline::from_merge) reads cannot go on by itself: a number is missing, came late, or came twice.
    #[error("source failed at item {index}: {source}")]
    NotReceived {
        /// The index that the next item would have had, from 0.
        index: u64,
        /// Why not.
        source: ReceiveError,
    },
    /// The token was cancelled or its deadline passed.
    #[error("{0}")]
    Cancelled(Cancelled),
    /// A setting makes no sense; nothing was read from the source.
    #[error("{setting} must be at least 1")]
    InvalidSetting {
        /// The method that was given the value.
        setting: &'static str,
    },
}

/// Why a run ended before its source did.
#[derive(Debug)]
pub(super) enum Ending<E> {
    Failed(Box<Failure<E>>),
    Cancelled(Cancelled),
    /// The lazy iterator was dropped; nobody asks why.
    Abandoned,
}

/// A run that ended before its source did: why, and what had been done by then.
///
/// In an ordered run the sink has seen exactly the items before the one that is named; where an item becomes several results, or several items become a
/// batch, it may have seen results of that item too, those before the one that failed. The type is `Send` and `Sync` where `E` is,
/// and an error where `E` is one, so that `?` boxes it.
///
/// ```
/// use gristmill::{CancellationToken, Pipeline};
///
/// let error = Pipeline::from_iter(["12", "oops", "7"])
///     .try_map("parse", |text: &str| text.parse::<u32>())
///     .collect::<Vec<_>>()
///     .run(&CancellationToken::new())
///     .unwrap_err();
/// assert_eq!((error.stage(), error.index()), (Some("parse"), Some(1)));
/// assert_eq!(error.report().stage("parse").map(|stage| stage.failed()), Some(1));
/// let error = error.into_error().expect("it neither panicked nor was cancelled");
/// assert_eq!(error, "oops".parse::<u32>().unwrap_err());
/// ```
pub struct PipelineError<E = Infallible> {
    // Both on the heap: the error is the rare side of every `Result` that carries it.
    kind: Box<PipelineErrorKind<E>>,
    report: Box<Report>,
}

impl<E> PipelineError<E> {
    pub(super) fn new(kind: PipelineErrorKind<E>, report: Report) -> Self {
        Self { kind: Box::new(kind), report: Box::new(report) }
    }

    /// Why the run ended.
    pub fn kind(&self) -> &PipelineErrorKind<E> {
        &self.kind
    }

    /// Why the run ended, by value.
    pub fn into_kind(self) -> PipelineErrorKind<E> {
        *self.kind
    }

    /// What had been done when it ended.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The name of the stage that failed or panicked; `None` for the other kinds.
    pub fn stage(&self) -> Option<&str> {
        match self.kind() {
            PipelineErrorKind::Failed { stage, .. }
            | PipelineErrorKind::ReceiverGone { stage, .. }
            | PipelineErrorKind::NotRouted { stage, .. } => Some(stage),
            PipelineErrorKind::Panicked { panic, .. } => Some(panic.name()),
            PipelineErrorKind::NotReceived { .. } => Some("source"),
            _ => None,
        }
    }

    /// The source index, from 0, of the item that failed; `None` if the run did not end at an item.
    pub fn index(&self) -> Option<u64> {
        match self.kind() {
            PipelineErrorKind::Failed { index, .. }
            | PipelineErrorKind::Panicked { index, .. }
            | PipelineErrorKind::ReceiverGone { index, .. }
            | PipelineErrorKind::NotRouted { index, .. }
            | PipelineErrorKind::NotReceived { index, .. } => Some(*index),
            _ => None,
        }
    }

    /// The error that the source, a stage or the sink returned, if that is what ended the run; the one that
    /// [`divert_errors`](super::Pipeline::divert_errors) could not send, too.
    pub fn into_error(self) -> Option<E> {
        match self.into_kind() {
            PipelineErrorKind::Failed { source, .. } => Some(source),
            PipelineErrorKind::ReceiverGone { source, .. } => source,
            _ => None,
        }
    }

    /// True if the run ended because its token was cancelled or the token's deadline passed.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.kind(), PipelineErrorKind::Cancelled(_))
    }

    /// True if the source, a stage or the sink panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.kind(), PipelineErrorKind::Panicked { .. })
    }
}

impl<E: fmt::Debug> fmt::Debug for PipelineError<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The report is left out: `unwrap` should show why, not a table.
        fmt::Debug::fmt(&self.kind, formatter)
    }
}

impl<E: fmt::Display> fmt::Display for PipelineError<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            PipelineErrorKind::Failed { stage, index, source } => {
                write!(formatter, "{stage} failed at item {index}: {source}")
            }
            PipelineErrorKind::Panicked { index, panic } => write!(formatter, "at item {index}: {panic}"),
            PipelineErrorKind::ReceiverGone { stage, index, .. } => {
                write!(formatter, "{stage} could not send item {index}: the channel has no receiver left")
            }
            PipelineErrorKind::NotRouted { stage, index, source } => {
                write!(formatter, "{stage} could not send item {index}: {source}")
            }
            PipelineErrorKind::NotReceived { index, source } => {
                write!(formatter, "source failed at item {index}: {source}")
            }
            PipelineErrorKind::Cancelled(cancelled) => fmt::Display::fmt(cancelled, formatter),
            PipelineErrorKind::InvalidSetting { setting } => {
                write!(formatter, "{setting} must be at least 1")
            }
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for PipelineError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.kind() {
            PipelineErrorKind::Failed { source, .. }
            | PipelineErrorKind::ReceiverGone { source: Some(source), .. } => Some(source),
            PipelineErrorKind::Panicked { panic, .. } => Some(panic),
            PipelineErrorKind::NotRouted { source, .. } => Some(source),
            PipelineErrorKind::NotReceived { source, .. } => Some(source),
            PipelineErrorKind::Cancelled(cancelled) => Some(cancelled),
            _ => None,
        }
    }
}
