//! A choice of entries, made ready to be asked of each head.

use std::collections::{HashMap, HashSet};

use super::entry::EntryKind;
use super::keep::Keep;
use super::selection::Selection;
use crate::journal::record::{Head, Job};
use crate::sync::time::{self, Duration};

/// The jobs of a journal, by their numbers.
pub(super) type Jobs = HashMap<u32, Job>;

/// Which heads are meant.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    /// The jobs all of whose entries are meant.
    whole: HashSet<u32>,
    /// The jobs whose entries are meant if what follows holds.
    jobs: HashSet<u32>,
    key: Option<Box<str>>,
    is_failed: bool,
    /// Meant if it ended before this, in milliseconds since 1970.
    before: Option<u64>,
}

/// What was the time of day so long ago, in milliseconds since 1970; the beginning if that was before.
fn ago(age: Duration) -> u64 {
    u64::try_from(time::since_unix_epoch().saturating_sub(age).as_millis()).unwrap_or(u64::MAX)
}

/// Of each handler in each scope, the highest version among the jobs that have entries.
fn latest(jobs: &Jobs, with_entries: &HashSet<u32>) -> HashSet<u32> {
    let mut highest: HashMap<(&str, &str), &Job> = HashMap::new();
    for job in jobs.values().filter(|job| with_entries.contains(&job.id())) {
        let best = highest.entry((job.scope(), job.handler())).or_insert(job);
        if best.version() < job.version() {
            *best = job;
        }
    }
    highest.values().map(|job| job.id()).collect()
}

impl Filter {
    /// What a selection means; `with_entries` are the jobs that have entries, asked for only where it matters.
    pub(super) fn of_selection<E>(
        selection: &Selection,
        jobs: &Jobs,
        with_entries: impl FnOnce() -> Result<HashSet<u32>, E>,
    ) -> Result<Self, E> {
        let Selection { scope, handler, version, is_older_version, key, is_failed, older_than } = selection;
        // A job without entries is not in `latest`, but it has none to be meant.
        let latest = if *is_older_version { latest(jobs, &with_entries()?) } else { HashSet::new() };
        let meant = jobs.values().filter(|job| {
            scope.as_deref().is_none_or(|scope| scope == job.scope())
                && handler.as_deref().is_none_or(|handler| handler == job.handler())
                && version.is_none_or(|version| version == job.version())
                && !latest.contains(&job.id())
        });
        Ok(Self {
            whole: HashSet::new(),
            jobs: meant.map(Job::id).collect(),
            key: key.as_deref().map(Into::into),
            is_failed: *is_failed,
            before: older_than.map(ago),
        })
    }

    /// What is garbage under rules of what to keep. Entries of a job that is not known are not.
    pub(super) fn of_garbage<E>(
        keep: &Keep,
        jobs: &Jobs,
        with_entries: impl FnOnce() -> Result<HashSet<u32>, E>,
    ) -> Result<Self, E> {
        let Keep { is_latest_version, scopes, younger_than } = keep;
        let latest = if *is_latest_version { Some(latest(jobs, &with_entries()?)) } else { None };
        let (kept, whole): (Vec<&Job>, Vec<&Job>) = jobs.values().partition(|job| {
            scopes.as_ref().is_none_or(|scopes| scopes.contains(job.scope()))
                && latest.as_ref().is_none_or(|latest| latest.contains(&job.id()))
        });
        let numbers = |jobs: Vec<&Job>| jobs.into_iter().map(Job::id).collect();
        // Of what is kept, only age can make garbage.
        let aging = if younger_than.is_some() { kept } else { Vec::new() };
        let (whole, jobs) = (numbers(whole), numbers(aging));
        Ok(Self { whole, jobs, key: None, is_failed: false, before: younger_than.map(ago) })
    }

    /// Only those that are failures as well.
    pub(super) fn and_failed(mut self) -> Self {
        self.is_failed = true;
        self
    }

    /// Whether that entry is meant.
    pub(super) fn means(&self, head: &Head) -> bool {
        self.whole.contains(&head.job)
            || self.jobs.contains(&head.job)
                && self.key.as_ref().is_none_or(|key| **key == *head.key)
                && (!self.is_failed || EntryKind::of(head.kind).is_failure())
                && self.before.is_none_or(|before| head.ended < before)
    }

    /// The jobs that a selection is about.
    pub(super) fn jobs(&self) -> &HashSet<u32> {
        &self.jobs
    }
}
