//! Tasks whose results outlast the process: handlers, the handles of their calls, and timers.

mod block;
mod call;
mod cell;
mod claimed;
mod context;
mod durable_handle;
mod error;
mod failure;
mod handler;
mod options;
mod refusal;
mod replay;
mod shared;
mod submit;
mod text;
mod timer;
mod work;

pub use call::CallError;
pub use context::CallContext;
pub use durable_handle::{DurableHandle, ScopedDurableHandle};
pub use error::{DurableError, DurableErrorKind};
pub use failure::HandlerError;
pub use handler::Handler;
pub use options::{ChangedInput, HandlerOptions};
pub use refusal::{CallRefusal, RefusedCall};
pub use timer::DurableTimer;
