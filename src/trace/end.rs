//! What is recorded when a span's work has ended.

use std::time::Duration;

/// How a task ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TaskEnd {
    Ok,
    Failed,
    Panicked,
    Cancelled,
    Returned,
    Refused,
}

impl TaskEnd {
    /// The value of the field `outcome`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::Cancelled => "cancelled",
            Self::Returned => "returned",
            Self::Refused => "refused",
        }
    }
}

/// What a stage came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StageFigures {
    pub(crate) items_in: u64,
    pub(crate) items_out: u64,
    pub(crate) failed: u64,
    pub(crate) panicked: u64,
    pub(crate) busy: Duration,
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
