//! What a worker has at hand while it works, looked up once.

use super::queue::List;
use super::running::Line;
use super::site::Site;
use super::task::Entry;

pub(super) struct Desk<'a, 'env> {
    pub(super) site: Site<'a>,
    pub(super) worker: usize,
    /// Where it says what it runs.
    pub(super) running: &'a Line,
    /// The rest of its batch.
    pub(super) rest: &'a List<Entry<'env>>,
}
