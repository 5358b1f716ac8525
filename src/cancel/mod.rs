//! Cancellation: a tree of tokens with causes, deadlines and callbacks, with the rules of Go's `context`.
//!
//! A [`CancellationToken`] is the right to be told to stop. Whoever may order the stop calls
//! [`cancel`](CancellationToken::cancel); whoever works polls [`is_cancelled`](CancellationToken::is_cancelled),
//! ends a function with [`check`](CancellationToken::check)`()?`, or waits in a way that a cancel ends. A cancelled token
//! cancels all its children, never its parent.
//!
//! The rules:
//! - The first to cancel wins, a call or a deadline, and is recorded: [kind](CancelKind), cause, location. Later
//!   causes are dropped.
//! - A record flows down to descendants that are not cancelled yet; one cancelled earlier keeps its own.
//! - When any `cancel` returns, whether it won or lost, the token and everything below it reads cancelled.
//! - The earliest deadline of a token and all above it counts; a later one further down does nothing.
//! - A dropped token leaves nothing behind in its parent.

mod cancelled;
mod deadline;
mod guard;
mod ledger;
mod node;
mod poll;
mod reactions;
mod registration;
mod run;
mod subtree;
pub(crate) mod timer;
mod token;
mod wait;

pub use cancelled::{CancelKind, Cancelled};
pub use guard::CancelOnDrop;
pub(crate) use poll::Poll;
pub use registration::Registration;
pub use token::CancellationToken;
