//! Where a task is queued.

/// Where a task is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) struct Place {
    /// The priority: higher starts first.
    pub(in crate::pool) level: i8,
    /// The rate limiter that it has to ask, by its id.
    pub(in crate::pool) class: Option<u64>,
}
