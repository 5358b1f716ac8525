//! What is told of an item that failed while the run went on.

use std::borrow::Cow;

/// An item that failed: where, and why.
///
/// What [`handle_errors`](super::Pipeline::handle_errors) decides about, and what an [`ErrorLog`](super::ErrorLog) keeps.
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
