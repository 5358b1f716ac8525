//! A store in memory, for tests: it fails at a chosen call, and remembers what a power cut would leave.
//!
//! It stands in for the file where the file cannot be had: under the model checker, and where every call is to fail once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{Change, Checked, Damage, Meta, Store, StoreError};
use crate::journal::record::{Head, Identity, Job, Row};
use crate::sync::{Mutex, MutexGuard};

/// What outlives a journal: clones are the same memory, as one file can be opened again and again.
///
/// Not part of what the crate promises.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Disk>>);

#[derive(Default)]
struct Disk {
    /// What was applied, batch by batch.
    batches: Vec<Vec<Change>>,
    /// How many of them a power cut leaves.
    synced: usize,
    /// Whether each is synced when it is applied.
    syncs_each: bool,
    calls: usize,
    fails_at: Option<usize>,
    /// Whether a batch whose application fails is there all the same, as after a failed sync.
    keeps_failed: bool,
    tables: Tables,
}

#[derive(Default)]
struct Tables {
    records: BTreeMap<u64, Row>,
    jobs: BTreeMap<u32, Job>,
    crashes: BTreeMap<Identity, u32>,
    meta: Meta,
}

impl Memory {
    /// An empty one; with `syncs_each`, a power cut takes nothing of it.
    pub fn new(syncs_each: bool) -> Self {
        Self(Arc::new(Mutex::new(Disk { syncs_each, ..Disk::default() })))
    }

    /// Makes the `k`-th call from now on fail, counted from 1; with `is_kept`, a batch that it was to apply is there all the same.
    pub fn fail_at(&self, k: usize, is_kept: bool) {
        let mut disk = self.0.lock();
        (disk.calls, disk.fails_at, disk.keeps_failed) = (0, Some(k), is_kept);
    }

    /// How many calls there have been since [`Memory::fail_at`].
    pub fn calls(&self) -> usize {
        self.0.lock().calls
    }

    /// Whether there is a record of that number.
    pub fn holds(&self, seq: u64) -> bool {
        self.0.lock().tables.records.contains_key(&seq)
    }

    /// What a power cut leaves: what was synced, and `more` batches after that at most.
    #[must_use]
    pub fn after_power_cut(&self, more: usize) -> Self {
        let disk = self.0.lock();
        let kept = (disk.synced + more).min(disk.batches.len());
        let batches = disk.batches[..kept].to_vec();
        let mut tables = Tables::default();
        for change in batches.iter().flatten() {
            // It was applied before.
            let _ = tables.apply(change);
        }
        let synced = batches.len();
        let left = Disk { batches, synced, syncs_each: disk.syncs_each, tables, ..Disk::default() };
        Self(Arc::new(Mutex::new(left)))
    }

    /// A call, which may be the one that fails.
    fn call(&self) -> Result<MutexGuard<'_, Disk>, StoreError> {
        let mut disk = self.0.lock();
        disk.calls += 1;
        if disk.fails_at == Some(disk.calls) {
            return Err(StoreError::Failed("the test asked for this failure".into()));
        }
        Ok(disk)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Tables {
    fn apply(&mut self, change: &Change) -> Result<(), StoreError> {
        match change {
            Change::Job(job) => drop(self.jobs.insert(job.id(), job.clone())),
            Change::Record { row, replaces } => {
                replaces.map_or(Ok(()), |seq| self.forget(seq))?;
                self.records.insert(row.head.seq, row.clone());
                self.meta.count += 1;
                self.meta.highest = self.meta.highest.max(row.head.seq);
            }
            Change::Forget(seq) => self.forget(*seq)?,
            Change::Crashes(identity, crashes) => drop(self.crashes.insert(*identity, *crashes)),
            Change::NoCrashes(identity) => drop(self.crashes.remove(identity)),
            Change::Counted(epoch) => self.meta.counted = *epoch,
        }
        Ok(())
    }

    fn forget(&mut self, seq: u64) -> Result<(), StoreError> {
        let what = "the record that is to be replaced or forgotten is not there".to_owned();
        let gone = self.records.remove(&seq);
        gone.ok_or(StoreError::Damaged(Damage { seq, key: None, what }))?;
        self.meta.count -= 1;
        Ok(())
    }
}

impl Store for Memory {
    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let called = self.call().map(drop);
        let mut disk = self.0.lock();
        if called.is_err() && !disk.keeps_failed {
            return called;
        }
        for change in changes {
            disk.tables.apply(change)?;
        }
        disk.batches.push(changes.to_vec());
        if disk.syncs_each && called.is_ok() {
            disk.synced = disk.batches.len();
        }
        called
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        let mut disk = self.call()?;
        // As the file does when it moves its log.
        if disk.batches.len() % 8 == 0 {
            disk.synced = disk.batches.len();
        }
        Ok(())
    }

    fn read_together(&mut self, _: bool) -> Result<(), StoreError> {
        self.call().map(drop)
    }

    fn row(&mut self, seq: u64) -> Result<Option<Result<Row, Damage>>, StoreError> {
        Ok(self.call()?.tables.records.get(&seq).cloned().map(Ok))
    }

    fn heads(&mut self, after: u64, limit: usize) -> Checked<Head> {
        let disk = self.call()?;
        let rows = disk.tables.records.range(after.saturating_add(1)..).take(limit);
        Ok(rows.map(|(_, row)| Ok(row.head.clone())).collect())
    }

    fn jobs(&mut self) -> Checked<Job> {
        let disk = self.call()?;
        let read = |job: &Job| Job::new(job.id(), job.scope(), job.handler(), job.version(), true);
        Ok(disk.tables.jobs.values().map(|job| Ok(read(job))).collect())
    }

    fn crashes(&mut self) -> Checked<(Identity, u32)> {
        Ok(self.call()?.tables.crashes.iter().map(|(identity, crashes)| Ok((*identity, *crashes))).collect())
    }

    fn meta(&mut self) -> Result<Meta, StoreError> {
        Ok(self.call()?.tables.meta)
    }

    fn check_structure(&mut self) -> Result<Vec<String>, StoreError> {
        self.call().map(|_| Vec::new())
    }

    fn compact(&mut self) -> Result<(), StoreError> {
        self.call().map(drop)
    }

    fn bytes(&self) -> u64 {
        self.0.lock().tables.records.values().map(|row| row.head.length).sum()
    }

    fn close(self: Box<Self>, has_failed: bool) -> Result<(), StoreError> {
        if has_failed { Ok(()) } else { self.call().map(drop) }
    }
}
