//! Why a token is cancelled: the kind, the cause and who did it.

use std::error::Error;
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::panics;

/// A cause given by the user.
pub(super) type Cause = Box<dyn Error + Send + Sync + 'static>;

/// What ended a token: somebody's call or its deadline.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{CancelKind, CancellationToken};
///
/// let token = CancellationToken::with_timeout(Duration::ZERO);
/// match token.wait().kind() {
///     CancelKind::DeadlineExceeded => println!("too slow"),
///     other => unreachable!("{other:?}"),
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelKind {
    /// Somebody called [`cancel`](super::CancellationToken::cancel) or
    /// [`cancel_with`](super::CancellationToken::cancel_with), or dropped a [`CancelOnDrop`](super::CancelOnDrop).
    Cancelled,
    /// The deadline of the token, or of one above it, passed.
    DeadlineExceeded,
}

/// The record of a cancellation: what kind, for which cause, and where in the source.
///
/// It is an [`Error`], so `token.check()?` ends a function with it. All tokens that one call cancelled share one
/// record; a clone costs one reference count.
///
/// # Examples
/// ```
/// use gristmill::{CancelKind, CancellationToken};
///
/// let token = CancellationToken::new();
/// token.cancel_with("the disk is full");
/// let cancelled = token.check().unwrap_err();
/// assert_eq!(cancelled.kind(), CancelKind::Cancelled);
/// assert_eq!(cancelled.cause().unwrap().to_string(), "the disk is full");
/// assert!(cancelled.to_string().starts_with("cancelled at "));
/// ```
#[derive(Clone)]
pub struct Cancelled(Arc<Record>);

struct Record {
    kind: CancelKind,
    cause: Option<Cause>,
    location: &'static Location<'static>,
}

/// The cause is the user's, and its drop may panic. The last record goes wherever a token does: in the midst of a cancel, which has others still to wake, or
/// while another panic is on its way. So it ends here.
impl Drop for Record {
    fn drop(&mut self) {
        if let Some(cause) = self.cause.take() {
            panics::drop_quietly(cause);
        }
    }
}

impl Cancelled {
    pub(super) fn new(kind: CancelKind, cause: Option<Cause>, location: &'static Location<'static>) -> Self {
        Self(Arc::new(Record { kind, cause, location }))
    }

    /// Whether it was a call or a deadline, whatever the cause.
    pub fn kind(&self) -> CancelKind {
        self.0.kind
    }

    /// The error given to `cancel_with`, or to the deadline; `None` if none was given.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.cause.as_deref()
    }

    /// The call that cancelled, or for a deadline the call that set it.
    pub fn location(&self) -> &'static Location<'static> {
        self.0.location
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Cancelled")
            .field("kind", &self.kind())
            .field("cause", &self.cause())
            .field("location", &format_args!("{}", self.location()))
            .finish()
    }
}

// The cause is the source, so it is not repeated in the text.
impl fmt::Display for Cancelled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            CancelKind::Cancelled => write!(formatter, "cancelled at {}", self.location()),
            CancelKind::DeadlineExceeded => write!(formatter, "deadline set at {} exceeded", self.location()),
        }
    }
}

impl Error for Cancelled {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

// It never changes.
impl UnwindSafe for Cancelled {}
impl RefUnwindSafe for Cancelled {}
