//! Many tasks at once: submitted by the chunk, or as one loop over a slice or an iterator.
//!
//! [`Submitter::submit_many`](super::Submitter::submit_many) keeps the tasks apart: each has its result, its panic, its count. The
//! loops ([`map`](super::Submitter::map), [`for_each`](super::Submitter::for_each) and their kin) are one task per worker, whatever the
//! number of items.
//!
//! * `chunk`: up to 64 tasks in one entry of the queue, in sight of all workers until the last has started.
//! * `slots`: the tasks of a chunk.
//! * `batch`: how the handle of many chunks learns of their end.
//! * `many`, `submit`, `refused`, `waitable`: the handle, what makes it, what it gives back, and what it is among others that are waited for.
//! * `work`, `cut`, `grain`: a loop as ranges that workers take, of a length that follows the measured cost of an item.
//! * `assembly`: results of ranges, put in order as they come.
//! * `confluence`: results of ranges, reduced with their neighbours as they come.
//! * `slice`, `iter`, `reduce`: the loops that users call.

mod assembly;
mod batch;
mod chunk;
mod confluence;
mod cut;
mod error;
mod grain;
mod iter;
mod many;
mod reduce;
mod refused;
mod slice;
mod slots;
mod submit;
mod waitable;
mod work;

pub use error::BulkError;
pub use many::ManyHandle;
pub use refused::{SubmitManyError, Unsubmitted};
