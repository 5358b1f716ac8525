//! Why nothing was sent, and why nothing was received.

use std::fmt;

use super::id::LaneId;
use super::patience::End;
use crate::cancel::Cancelled;

/// A capacity that no lane can have.
///
/// ```
/// use gristmill::Router;
/// use gristmill::fan::CapacityError;
///
/// let error = Router::<u32>::round_robin(0).unwrap_err();
/// assert!(error.to_string().contains(&CapacityError::LARGEST.to_string()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a queue holds 1 to {} items, not {capacity}", CapacityError::LARGEST)]
pub struct CapacityError {
    pub(super) capacity: usize,
}

impl CapacityError {
    /// The largest capacity: the memory for all of it is taken when a lane is made.
    pub const LARGEST: usize = 1 << 20;

    pub(super) fn check(capacity: usize) -> Result<(), Self> {
        if (1..=Self::LARGEST).contains(&capacity) { Ok(()) } else { Err(Self { capacity }) }
    }
}

/// Why an item was not sent.
///
/// ```
/// use gristmill::Router;
/// use gristmill::fan::RouteErrorKind;
///
/// let router = Router::round_robin(1)?;
/// let lane = router.add_lane();
/// router.send("first")?;
/// let error = router.try_send("second").unwrap_err();
/// assert!(matches!(error.kind(), RouteErrorKind::Full));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RouteErrorKind {
    /// There is no room now, and the call does not wait for it.
    #[error("the lane is full")]
    Full,
    /// There was no room until the time was over.
    #[error("there was still no room when the time was over")]
    TimedOut,
    /// The token given to the call was cancelled.
    #[error("the wait for room was cancelled")]
    Cancelled(#[source] Cancelled),
    /// The router has no lane, or none that anybody receives from and that is not passed over.
    #[error("there is no lane")]
    NoLanes,
    /// The item is for a lane that nobody receives from any more, and the router [refuses](super::LaneRule::Refuse) such.
    #[error("nobody receives from {0} any more")]
    LaneDead(LaneId),
    /// The closure of [`Router::custom`](super::Router::custom) named a lane that it was not shown.
    #[error("the closure named {0}, which is not among the lanes")]
    NoSuchLane(LaneId),
}

impl From<End> for RouteErrorKind {
    fn from(end: End) -> Self {
        match end {
            End::NotNow => Self::Full,
            End::TimedOut => Self::TimedOut,
            End::Cancelled(cause) => Self::Cancelled(cause),
        }
    }
}

/// An item that was not sent, and why. No lane has it, of a broadcast neither: [`into_value`](Self::into_value) gives it back.
///
/// ```
/// use gristmill::Router;
///
/// let router = Router::round_robin(8)?;
/// let error = router.try_send(String::from("flour")).unwrap_err();
/// assert!(error.is_no_lanes());
/// assert_eq!(error.into_value(), "flour"); // nothing is lost
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the item that was not sent is in here"]
pub struct RouteError<T> {
    value: T,
    kind: RouteErrorKind,
}

impl<T> RouteError<T> {
    pub(super) fn new(value: T, kind: RouteErrorKind) -> Self {
        Self { value, kind }
    }

    /// The item, as it was handed in.
    pub fn into_value(self) -> T {
        self.value
    }

    /// Why it was not sent.
    pub fn kind(&self) -> &RouteErrorKind {
        &self.kind
    }

    /// The item and why it was not sent.
    pub fn into_parts(self) -> (T, RouteErrorKind) {
        (self.value, self.kind)
    }

    /// Whether there was no room.
    pub fn is_full(&self) -> bool {
        matches!(self.kind, RouteErrorKind::Full)
    }

    /// Whether the time was over.
    pub fn is_timed_out(&self) -> bool {
        matches!(self.kind, RouteErrorKind::TimedOut)
    }

    /// Whether a token ended the wait.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.kind, RouteErrorKind::Cancelled(_))
    }

    /// Whether there is no lane to send to.
    pub fn is_no_lanes(&self) -> bool {
        matches!(self.kind, RouteErrorKind::NoLanes)
    }
}

// Whatever the item is: it need not be printable to say why it was not sent.
impl<T> fmt::Debug for RouteError<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RouteError").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for RouteError<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.kind, formatter)
    }
}

impl<T> std::error::Error for RouteError<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            RouteErrorKind::Cancelled(cause) => Some(cause),
            _ => None,
        }
    }
}

/// Why nothing was received. Whatever is queued is still there.
///
/// ```
/// use gristmill::{ReceiveError, Router};
///
/// let router = Router::round_robin(8)?;
/// let lane = router.add_lane();
/// router.send(1)?;
/// assert_eq!(lane.try_recv()?, 1);
/// assert!(matches!(lane.try_recv(), Err(ReceiveError::Empty)));
/// drop(router);
/// assert!(matches!(lane.recv(), Err(ReceiveError::Ended)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// Nothing is there now.
    #[error("nothing is there now")]
    Empty,
    /// Nothing came until the time was over.
    #[error("nothing came in time")]
    TimedOut,
    /// The token given to the call was cancelled.
    #[error("the wait for an item was cancelled")]
    Cancelled(#[source] Cancelled),
    /// Nothing is there, and nothing will come.
    #[error("nothing will come any more")]
    Ended,
    /// By number only: the numbers from `missing` to `found - 1` are missing and will not come, since every input has ended or waits with an item that is
    /// beyond the window. It stays so until [`skip_to`](super::Merge::skip_to).
    #[error("the numbers from {missing} on are missing before {found}")]
    Gap {
        /// The number that is due.
        missing: u64,
        /// The lowest number that is there.
        found: u64,
    },
    /// By number only: an item has a number whose turn is over, or that another item has. It stays so until
    /// [`take_late`](super::Merge::take_late), and its input waits behind it.
    #[error("number {number} came too late, or twice")]
    Late {
        /// The item's number.
        number: u64,
    },
}

impl From<End> for ReceiveError {
    fn from(end: End) -> Self {
        match end {
            End::NotNow => Self::Empty,
            End::TimedOut => Self::TimedOut,
            End::Cancelled(cause) => Self::Cancelled(cause),
        }
    }
}

impl ReceiveError {
    /// Whether nothing was there at the moment.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Whether the time was over.
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut)
    }

    /// Whether a token ended the wait.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }

    /// Whether nothing will come any more.
    pub fn is_ended(&self) -> bool {
        matches!(self, Self::Ended)
    }
}
