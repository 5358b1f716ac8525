//! A guard that cancels unless it is disarmed.

use std::panic::Location;

use super::token::CancellationToken;

/// Cancels its token when dropped, on every way out of a scope; made by
/// [`cancel_on_drop`](CancellationToken::cancel_on_drop).
///
/// The recorded location is that of the `cancel_on_drop` call.
///
/// # Examples
/// ```
/// use gristmill::CancellationToken;
///
/// let token = CancellationToken::new();
/// {
///     let guard = token.clone().cancel_on_drop();
///     guard.disarm();
/// }
/// assert!(!token.is_cancelled(), "disarmed");
/// {
///     let _guard = token.clone().cancel_on_drop();
/// }
/// assert!(token.is_cancelled());
/// ```
#[derive(Debug)]
#[must_use = "dropping it cancels the token at once"]
pub struct CancelOnDrop {
    token: CancellationToken,
    armed: bool,
    location: &'static Location<'static>,
}

impl CancelOnDrop {
    /// Gives the token back without cancelling it.
    ///
    /// ```
    /// use gristmill::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// let guard = token.clone().cancel_on_drop(); // an early return cancels
    /// guard.disarm(); // all went well
    /// assert!(!token.is_cancelled());
    /// ```
    pub fn disarm(mut self) -> CancellationToken {
        self.armed = false;
        self.token.clone()
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if self.armed {
            self.token.cancel_at(None, self.location);
        }
    }
}

impl CancellationToken {
    /// A guard that cancels the token when it is dropped, unless it is disarmed.
    #[track_caller]
    pub fn cancel_on_drop(self) -> CancelOnDrop {
        CancelOnDrop { token: self, armed: true, location: Location::caller() }
    }
}
