//! Pages: what is read in one call at the committer, so that nobody waits for a whole journal.

use std::collections::HashSet;
use std::sync::Arc;

use super::entry::JournalEntry;
use super::filter::{Filter, Jobs};
use super::keep::Keep;
use super::selection::Selection;
use crate::journal::committer::Desk;
use crate::journal::core::Core;
use crate::journal::error::JournalError;
use crate::journal::record::Head;
use crate::journal::store::{Damage, Store, StoreError};

/// So many heads are read at once: well under a millisecond.
pub(super) const HEADS: usize = 256;

/// A page ends after so many bytes of payload.
pub(super) const BYTES: u64 = 1 << 20;

/// What there was when a walk began. Nothing that was recorded later is shown, so that a walk through a running batch ends.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    pub(super) jobs: Arc<Jobs>,
    /// The highest number that a record had.
    pub(super) until: u64,
}

/// Reads what there is.
pub(super) fn bounds(core: &Core) -> Result<Bounds, JournalError> {
    core.with_store(|desk| read_bounds(desk.store()).map_err(|error| desk.failed(error)))?
}

fn read_bounds(store: &mut dyn Store) -> Result<Bounds, StoreError> {
    let until = store.meta()?.highest;
    let mut jobs = Jobs::new();
    for job in store.jobs()? {
        let job = job.map_err(StoreError::Damaged)?;
        jobs.insert(job.id(), job);
    }
    Ok(Bounds { jobs: Arc::new(jobs), until })
}

/// The jobs that have entries.
fn jobs_with_entries(core: &Core, bounds: &Bounds) -> Result<HashSet<u32>, JournalError> {
    let (mut jobs, mut after) = (HashSet::new(), 0);
    while after < bounds.until {
        let heads = heads(core, after)?;
        jobs.extend(heads.iter().flatten().map(|head| head.job));
        let Some(next) = next(&heads, after) else { break };
        after = next;
        // Often all have been seen long before the end.
        if jobs.len() == bounds.jobs.len() {
            break;
        }
    }
    Ok(jobs)
}

/// The next heads after a number.
pub(super) fn heads(core: &Core, after: u64) -> Result<Vec<Result<Head, Damage>>, JournalError> {
    core.with_store(move |desk| desk.store().heads(after, HEADS).map_err(|error| desk.failed(error)))?
}

/// Where the walk goes on after these heads. A number that is damaged can lie anywhere: `None` if it would not go forward.
pub(super) fn next(heads: &[Result<Head, Damage>], after: u64) -> Option<u64> {
    heads.last().map(number).filter(|&next| next > after)
}

/// The number of a record, whole or not.
pub(super) fn number(head: &Result<Head, Damage>) -> u64 {
    match head {
        Ok(head) => head.seq,
        Err(damage) => damage.seq,
    }
}

/// What a selection means among what there is.
pub(super) fn chosen(core: &Core, selection: &Selection, bounds: &Bounds) -> Result<Filter, JournalError> {
    Filter::of_selection(selection, &bounds.jobs, || jobs_with_entries(core, bounds))
}

/// What is garbage among what there is.
pub(super) fn garbage(core: &Core, keep: &Keep, bounds: &Bounds) -> Result<Filter, JournalError> {
    Filter::of_garbage(keep, &bounds.jobs, || jobs_with_entries(core, bounds))
}

/// Entries that were read at once.
pub(super) struct Page {
    pub(super) entries: Vec<Result<JournalEntry, JournalError>>,
    /// Where the next page begins; `None` if there is none.
    pub(super) next: Option<u64>,
}

/// Reads the entries after a number that are meant, with their payloads or without.
pub(super) fn read(
    desk: &mut Desk<'_>,
    after: u64,
    bounds: &Bounds,
    filter: &Filter,
    with_payload: bool,
) -> Result<Page, JournalError> {
    let heads = desk.store().heads(after, HEADS).map_err(|error| desk.failed(error))?;
    let (mut entries, mut bytes, mut next) = (Vec::new(), 0, None);
    for head in heads {
        let seq = number(&head);
        // A number that is damaged can lie anywhere: the walk goes on only where it goes forward.
        if seq > bounds.until || seq <= next.unwrap_or(after) {
            entries.extend(head.err().map(|damage| Err(desk.failed(StoreError::Damaged(damage)))));
            return Ok(Page { entries, next: None });
        }
        next = Some(seq);
        match head {
            Err(damage) => entries.push(Err(desk.failed(StoreError::Damaged(damage)))),
            Ok(head) if filter.means(&head) => {
                let Some(job) = bounds.jobs.get(&head.job) else { continue };
                let payload = if with_payload { payload(desk, &head)? } else { Some(Ok(Vec::new())) };
                let entry = match payload {
                    // It is replaced or forgotten by who owns the store, which is this thread: it is there.
                    None => continue,
                    Some(Err(error)) => Err(error),
                    Some(Ok(payload)) => {
                        bytes += payload.len() as u64;
                        let payload = with_payload.then_some(payload);
                        Ok(JournalEntry { job: job.clone(), head, payload })
                    }
                };
                entries.push(entry);
                if bytes >= BYTES {
                    break;
                }
            }
            Ok(_) => {}
        }
    }
    Ok(Page { entries, next })
}

/// The payload of a head; damage is the entry's own, anything else the walk's.
fn payload(desk: &mut Desk<'_>, head: &Head) -> Result<Option<Result<Vec<u8>, JournalError>>, JournalError> {
    match desk.store().row(head.seq) {
        Ok(Some(Ok(row))) => Ok(Some(Ok(row.payload))),
        Ok(Some(Err(damage))) => Ok(Some(Err(desk.failed(StoreError::Damaged(damage))))),
        Ok(None) => Ok(None),
        Err(error) => Err(desk.failed(error)),
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn walk_ends_where_a_damaged_number_would_send_it_back() {
        let head = |seq| Err(Damage { seq, key: None, what: "its number".to_owned() });
        assert_eq!(next(&[head(5), head(7)], 4), Some(7));
        for back in [0, 3, 4] {
            assert_eq!(next(&[head(5), head(back)], 4), None);
        }
        assert_eq!(next(&[], 4), None);
    }
}
