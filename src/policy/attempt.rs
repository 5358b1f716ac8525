//! What a call under policies knows about itself.

use crate::cancel::{CancellationToken, Cancelled};

/// One run of work under a [`Policy`](super::Policy): which one it is, and the token that ends it early.
///
/// Made by the policies, outermost first: one that runs the work again counts the number up, one with a time limit puts a token of its own in place.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{Backoff, CancellationToken, Policy, Retry};
///
/// let retry = Retry::builder().attempts(3).backoff(Backoff::Constant(Duration::ZERO)).build()?;
/// let token = CancellationToken::new();
/// let answer = retry.call_with(&token, |attempt| {
///     attempt.check()?; // told to stop?
///     if attempt.number() < 2 { Err("busy".into()) } else { Ok::<_, Box<dyn std::error::Error>>(42) }
/// });
/// assert!(matches!(answer, Ok(42)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    number: u32,
    token: Option<&'a CancellationToken>,
}

impl<'a> Attempt<'a> {
    /// The first attempt, which nothing ends early.
    pub const fn first() -> Self {
        Self { number: 1, token: None }
    }

    /// The same, to be ended early by `token`.
    #[must_use]
    pub const fn with_token<'b>(&self, token: &'b CancellationToken) -> Attempt<'b> {
        Attempt { number: self.number, token: Some(token) }
    }

    /// The same with another number.
    #[must_use]
    pub const fn with_number(&self, number: u32) -> Self {
        Self { number, ..*self }
    }

    /// Which attempt it is, from 1 on.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// What ends it early, where there is such a token: for waits, and for work to look at.
    pub const fn token(&self) -> Option<&'a CancellationToken> {
        self.token
    }

    /// Whether it is to end now.
    ///
    /// # Errors
    /// The token was cancelled.
    #[inline]
    pub fn check(&self) -> Result<(), Cancelled> {
        self.token.map_or(Ok(()), CancellationToken::check)
    }
}
