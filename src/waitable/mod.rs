//! What ends once and can be waited for, and how its end is told to whoever waits for many.
//!
//! A [`Waitable`] is the handle of a task, a timer, or anything else with one end and one output. The combinators of
//! [`combine`](crate::combine) know nothing else of what they wait for. All handles that are waited for together share one inbox; each gets a
//! [`Signal`], which puts its index there. So an end costs the same however many are waiting, and no handle is asked in turn.

mod contract;
mod inbox;
mod ready;

pub use contract::{Help, Mapped, Waitable};
pub(crate) use inbox::{Arrival, Inbox};
pub use inbox::{Nudge, Signal};
pub use ready::{Ready, ready};

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests;
