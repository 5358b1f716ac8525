//! What is told of an item that failed while the run went on.

use std::borrow::Cow;

/// An item that failed: where, and why.
///
/// What [`handle_errors`](super::Pipeline::handle_errors) decides about, and what an [`ErrorLog`](super::ErrorLog) keeps.
///
/// ```
/// use gristmill::pipeline::ItemError;
/// use gristmill::{CancellationToken, Pipeline};
///
/// let (tell, told) = std::sync::mpsc::channel();
/// Pipeline::from_iter(["12", "oops", "7"])
///     .try_map("parse", |text: &str| text.parse::<u32>())
///     .handle_errors(|failed: ItemError<_>| {
///         let _ = tell.send((failed.stage, failed.index));
///         Ok(()) // go on
///     })
///     .collect::<Vec<_>>()
///     .run(&CancellationToken::new())?;
/// assert_eq!(told.recv()?, ("parse".into(), 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{stage} failed at item {index}: {error}")]
#[non_exhaustive]
pub struct ItemError<E> {
    /// The name of the stage.
    pub stage: Cow<'static, str>,
    /// The item's index in the source, from 0; behind a batch, the index of the batch's first item, and behind a stage that makes several of one, that of the one.
    pub index: u64,
    /// The error itself.
    #[source]
    pub error: E,
}

/// An item that failed, with where and why.
///
/// What [`divert_errors`](super::Pipeline::divert_errors) sends.
///
/// ```
/// use gristmill::{CancellationToken, Pipeline};
///
/// let (sender, failed) = crossbeam_channel::unbounded();
/// let (numbers, _) = Pipeline::from_iter(["12", "oops", "7"])
///     .try_map("parse", |text: &str| text.parse::<u32>())
///     .divert_errors(sender)
///     .collect::<Vec<_>>()
///     .run(&CancellationToken::new())?;
/// assert_eq!(numbers, [12, 7]);
/// let failed = failed.recv()?;
/// assert_eq!((failed.index, failed.item, &*failed.stage), (1, "oops", "parse"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedItem<T, E> {
    /// The name of the stage.
    pub stage: Cow<'static, str>,
    /// The item's index in the source, from 0; behind a batch, the index of the batch's first item, and behind a stage that makes several of one, that of the one.
    pub index: u64,
    /// The item as it came into the stage.
    pub item: T,
    /// The error itself.
    pub error: E,
}
