//! Counting what is in a journal.

use std::collections::HashMap;

use super::page::{self, number};
use super::statistics::{EntryCounts, JobStatistics, Statistics};
use crate::journal::builder::Journal;
use crate::journal::error::JournalError;
use crate::journal::record::{Head, Kind};
use crate::journal::store::StoreError;
use crate::sync::time::Duration;

fn count(counts: &mut EntryCounts, head: &Head) {
    let kind = match head.kind {
        Kind::Value => &mut counts.values,
        Kind::Failed => &mut counts.failed,
        Kind::Panicked => &mut counts.panicked,
        Kind::CrashLoop => &mut counts.crash_loops,
        Kind::TimerSet | Kind::TimerFired => &mut counts.timers,
    };
    *kind += 1;
    counts.payload_bytes += head.length;
    counts.key_bytes += head.key.len() as u64;
    counts.took = counts.took.saturating_add(Duration::from_micros(head.took));
}

impl Journal {
    /// What is in the journal, by scope, handler and version; printed, it is a table.
    ///
    /// # Errors
    /// The journal is closed, damaged in the head of an entry, or cannot be read.
    ///
    /// # Panics
    /// On the journal's own thread.
    ///
    /// # Cost
    /// The heads of all entries are read, a page at a time: about a second for a million entries. No payload is.
    pub fn statistics(&self) -> Result<Statistics, JournalError> {
        let core = self.core();
        let bounds = page::bounds(core)?;
        let mut by_job: HashMap<u32, EntryCounts> = HashMap::new();
        let mut after = 0;
        while after < bounds.until {
            let heads = page::heads(core, after)?;
            let Some(last) = heads.last() else { break };
            after = number(last);
            for head in heads {
                let head = head.map_err(|damage| damage.at(core.path()))?;
                if head.seq <= bounds.until {
                    count(by_job.entry(head.job).or_default(), &head);
                }
            }
        }
        let mut jobs: Vec<JobStatistics> = by_job
            .into_iter()
            .filter_map(|(id, counts)| {
                let job = bounds.jobs.get(&id)?;
                let (scope, handler) = (job.scope().to_owned(), job.handler().to_owned());
                Some(JobStatistics { scope, handler, version: job.version(), counts })
            })
            .collect();
        jobs.sort_by(|left, right| {
            (&left.scope, &left.handler, left.version).cmp(&(&right.scope, &right.handler, right.version))
        });
        let (crashed, file_bytes) = core.with_store(|desk| {
            let crashes = desk.store().crashes().map_err(|error| desk.failed(error))?;
            let mut were_running = 0;
            for crash in crashes {
                let (_, times) = crash.map_err(|damage| desk.failed(StoreError::Damaged(damage)))?;
                // None: it was only next in line.
                were_running += u64::from(times > 0);
            }
            Ok((were_running, desk.store().bytes()))
        })??;
        Ok(Statistics { jobs, crashed, file_bytes })
    }
}
