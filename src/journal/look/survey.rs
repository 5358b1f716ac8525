//! Going through all of a store, whole or not, a step at a time.
//!
//! First the records are walked through in order. If anything is the matter, or some are missing, each number is asked for by itself: a
//! damaged page hides what lies behind it from a walk, but not from who asks for it.

use std::collections::{HashMap, HashSet};

use super::filter::Jobs;
use super::page::number;
use super::verification::Verification;
use crate::journal::record::{Identity, Row};
use crate::journal::store::{Damage, Meta, Store, StoreError};

/// So many records are read in a step.
const RECORDS: usize = 256;
/// A step of the walk ends after so many bytes of payload.
const BYTES: u64 = 4 << 20;
/// So many numbers are asked for in a step.
const NUMBERS: u64 = 1024;
/// Where the highest number is not known, the search ends after so many that are not there.
const PATIENCE: u64 = 100_000;

/// See the module.
pub(super) struct Survey {
    stage: Stage,
    /// Others write meanwhile: what was recorded after the beginning is not looked at.
    is_live: bool,
    jobs: Jobs,
    meta: Option<Meta>,
    /// Of each task, the number and the payload's length of its newest whole record.
    whole: HashMap<Identity, (u64, u64)>,
    /// The numbers that a damage has been told of.
    told: HashSet<u64>,
    is_troubled: bool,
    /// The highest number that was seen.
    highest: u64,
    /// Numbers that could not be read, one behind the other, and why.
    unreadable: Option<(u64, u64, String)>,
    found: Verification,
}

enum Stage {
    Start,
    Walk { after: u64 },
    Ask { next: u64 },
    Over,
}

impl Survey {
    pub(super) fn new(is_live: bool) -> Self {
        Self {
            stage: Stage::Start,
            is_live,
            jobs: Jobs::new(),
            meta: None,
            whole: HashMap::new(),
            told: HashSet::new(),
            is_troubled: false,
            highest: 0,
            unreadable: None,
            found: Verification::default(),
        }
    }

    /// Notes something that does not come from the store.
    pub(super) fn note(&mut self, what: impl Into<String>) {
        self.found.note(Damage::of_the_file(what));
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Goes on for about a millisecond or a few MiB. What cannot be read is a find, not an error.
    ///
    /// # Errors
    /// Somebody else has the file.
    pub(super) fn step(&mut self, store: &mut dyn Store) -> Result<(), StoreError> {
        self.stage = match self.stage {
            Stage::Start => self.start(store)?,
            Stage::Walk { after } => self.walk(store, after)?,
            Stage::Ask { next } => self.ask(store, next)?,
            Stage::Over => Stage::Over,
        };
        Ok(())
    }

    /// All of it at once.
    pub(super) fn run(&mut self, store: &mut dyn Store) -> Result<(), StoreError> {
        while !self.is_over() {
            self.step(store)?;
        }
        Ok(())
    }

    /// What was found, and the numbers of the newest whole record of each task, in order.
    pub(super) fn finish(mut self) -> (Verification, Vec<u64>, Jobs) {
        self.tell_unreadable();
        let mut numbers: Vec<u64> = self.whole.values().map(|(seq, _)| *seq).collect();
        numbers.sort_unstable();
        self.found.entries = numbers.len() as u64;
        self.found.payload_bytes = self.whole.values().map(|(_, length)| *length).sum();
        (self.found, numbers, self.jobs)
    }

    /// What a store said, or that it could not, which is a find.
    fn heard<T>(&mut self, answer: Result<T, StoreError>, what: &str) -> Result<Option<T>, StoreError> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(StoreError::Busy) => Err(StoreError::Busy),
            Err(error) => {
                self.is_troubled = true;
                self.note(format!("{what}: {error}"));
                Ok(None)
            }
        }
    }

    fn start(&mut self, store: &mut dyn Store) -> Result<Stage, StoreError> {
        let meta = store.meta();
        self.meta = self.heard(meta, "what is known of the whole cannot be read")?;
        let jobs = store.jobs();
        for job in self.heard(jobs, "the names of the jobs cannot be read")?.unwrap_or_default() {
            match job {
                Ok(job) => drop(self.jobs.insert(job.id(), job)),
                Err(damage) => self.found.note(damage),
            }
        }
        let crashes = store.crashes();
        for crash in self.heard(crashes, "the counts of crashes cannot be read")?.unwrap_or_default() {
            if let Err(damage) = crash {
                self.found.note(damage);
            }
        }
        Ok(Stage::Walk { after: 0 })
    }

    fn walk(&mut self, store: &mut dyn Store, after: u64) -> Result<Stage, StoreError> {
        let heads = store.heads(after, RECORDS);
        let Some(heads) = self.heard(heads, "the records cannot be read in order")? else {
            return Ok(Stage::Ask { next: 1 });
        };
        let until = self.meta.filter(|_| self.is_live).map_or(u64::MAX, |meta| meta.highest);
        let (mut last, mut bytes) = (after, 0);
        for head in heads {
            let seq = number(&head);
            if seq > until {
                return Ok(self.walked(store));
            }
            if seq <= last {
                self.is_troubled = true;
                return Ok(self.walked(store));
            }
            last = seq;
            match head {
                Ok(head) => {
                    bytes += head.length;
                    self.look(store, seq)?;
                }
                Err(damage) => self.tell(damage),
            }
            if bytes >= BYTES {
                break;
            }
        }
        Ok(if last == after { self.walked(store) } else { Stage::Walk { after: last } })
    }

    /// The walk has come to its end.
    fn walked(&mut self, store: &mut dyn Store) -> Stage {
        let count = self.whole.len() as u64;
        // Others record and forget meanwhile: then the count is of another moment.
        let is_changed = self.is_live && store.meta().ok() != self.meta;
        let is_short = self.meta.is_none_or(|meta| meta.count != count) && !is_changed;
        if is_short || self.is_troubled { Stage::Ask { next: 1 } } else { Stage::Over }
    }

    fn ask(&mut self, store: &mut dyn Store, next: u64) -> Result<Stage, StoreError> {
        for seq in next..next.saturating_add(NUMBERS) {
            let end = self.meta.map_or(self.highest.saturating_add(PATIENCE), |meta| meta.highest);
            if seq > end {
                return Ok(self.asked());
            }
            self.look(store, seq)?;
        }
        Ok(Stage::Ask { next: next.saturating_add(NUMBERS) })
    }

    /// All numbers have been asked for.
    fn asked(&mut self) -> Stage {
        self.tell_unreadable();
        // Those whose damage was told of by their numbers are accounted for.
        let (found, damaged) = (self.whole.len() as u64, self.told.len() as u64);
        let count =
            self.meta.map(|meta| meta.count).filter(|&count| !self.is_live && count != found + damaged);
        if let Some(count) = count {
            self.note(format!("the journal should hold {count} records, and {found} are whole"));
        }
        Stage::Over
    }

    /// Reads the record of a number, if there is one.
    fn look(&mut self, store: &mut dyn Store, seq: u64) -> Result<(), StoreError> {
        match store.row(seq) {
            Ok(None) => {}
            Ok(Some(Ok(row))) => self.take(&row),
            Ok(Some(Err(damage))) => self.tell(damage),
            Err(StoreError::Busy) => return Err(StoreError::Busy),
            Err(error) => {
                self.is_troubled = true;
                match &mut self.unreadable {
                    Some((_, last, _)) if *last + 1 == seq => *last = seq,
                    _ => {
                        self.tell_unreadable();
                        self.unreadable = Some((seq, seq, error.to_string()));
                    }
                }
            }
        }
        Ok(())
    }

    /// A record that is whole.
    fn take(&mut self, row: &Row) {
        let (seq, length) = (row.head.seq, row.head.length);
        self.highest = self.highest.max(seq);
        let Some(job) = self.jobs.get(&row.head.job) else {
            let (key, what) = (Some(row.head.key.clone()), "the job of the record is not known".to_owned());
            return self.tell(Damage { seq, key, what });
        };
        let newest = self.whole.entry(job.identity(&row.head.key)).or_insert((seq, length));
        let older = if newest.0 < seq {
            Some(std::mem::replace(newest, (seq, length)).0)
        } else {
            (newest.0 > seq).then_some(seq)
        };
        if let Some(seq) = older {
            let what = "the record was replaced and is still there".to_owned();
            self.tell(Damage { seq, key: Some(row.head.key.clone()), what });
        }
    }

    /// Tells of a damaged record, once.
    fn tell(&mut self, damage: Damage) {
        self.is_troubled = true;
        if self.told.insert(damage.seq) {
            self.found.note(damage);
        }
    }

    fn tell_unreadable(&mut self) {
        let Some((first, last, error)) = self.unreadable.take() else { return };
        if self.told.insert(first) {
            let what = format!("the records {first} to {last} cannot be read: {error}");
            self.found.note(Damage::of_the_file(what));
        }
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;
    use crate::journal::record::{Head, Job, Kind};
    use crate::journal::store::{Change, Memory};

    fn record(seq: u64) -> Change {
        let (key, kind) = (seq.to_string().into(), Kind::Value);
        let head = Head { seq, job: 1, key, input: [0; 16], kind, attempts: 1, ended: 1, took: 1, length: 1 };
        Change::Record { row: Row { head, payload: vec![7] }, replaces: None }
    }

    /// A store with these records, which counts its calls from now on. One that is put twice is there once and counted twice, as if another
    /// had vanished.
    fn holding(records: &[u64]) -> Memory {
        let mut store = Memory::new(true);
        let job = Change::Job(Job::new(1, "scope", "handler", 1, false));
        let changes: Vec<Change> =
            std::iter::once(job).chain(records.iter().map(|seq| record(*seq))).collect();
        store.apply(&changes).expect("it does not fail yet");
        store.fail_at(usize::MAX, false);
        store
    }

    /// What is found in the end, and how many calls of the store there were.
    fn surveyed(mut survey: Survey, store: &mut Memory) -> (Verification, usize) {
        survey.run(store).expect("nobody else has it");
        (survey.finish().0, store.calls())
    }

    #[test]
    fn record_that_is_missing_without_a_trace_is_missed() {
        let (found, _) = surveyed(Survey::new(false), &mut holding(&[1, 2, 2]));
        assert_eq!((found.entries, found.damages.len()), (2, 1));
        assert_eq!(found.damages[0].what, "the journal should hold 3 records, and 2 are whole");
    }

    #[test]
    fn each_record_of_a_whole_journal_is_read_once() {
        // The whole, the jobs, the crashes; the heads, two records, no more heads; with others at work, whether the whole is still that.
        for (is_live, calls) in [(false, 7), (true, 8)] {
            let (found, made) = surveyed(Survey::new(is_live), &mut holding(&[1, 2]));
            assert!(found.is_sound(), "{found}");
            assert_eq!((found.entries, made), (2, calls));
        }
    }

    #[test]
    fn record_that_is_forgotten_meanwhile_is_not_looked_for() {
        let mut store = holding(&[1, 2]);
        let mut survey = Survey::new(true);
        survey.step(&mut store).expect("nobody else has it");
        store.apply(&[Change::Forget(1)]).expect("it is there");
        let (found, made) = surveyed(survey, &mut store);
        assert!(found.is_sound(), "{found}");
        // As above, with the forgetting and without a record.
        assert_eq!((found.entries, made), (1, 8));
    }
}
