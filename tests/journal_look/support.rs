//! What these tests share: tasks to record, and what is then to be seen of them.

use std::path::{Path, PathBuf};

use gristmill::journal::probe::{Claimed, Probe};
use gristmill::journal::{Entries, Journal, JournalEntry, Selection};
use tempfile::TempDir;

/// A directory for a journal, and the journal's path in it; in memory where that can be had.
pub(crate) fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
    let path = folder.path().join("batch.journal");
    (folder, path)
}

pub(crate) fn open(path: &Path) -> Journal {
    Journal::open(path).unwrap_or_else(|error| panic!("{error}"))
}

/// A task as it is recorded, and as it is then to be seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Task {
    pub(crate) seq: u64,
    pub(crate) scope: String,
    pub(crate) handler: String,
    pub(crate) version: u32,
    pub(crate) key: String,
    pub(crate) kind: u8,
    pub(crate) attempts: u32,
    pub(crate) took: u64,
    pub(crate) payload: Vec<u8>,
}

/// The names of the kinds, by their numbers.
pub(crate) const KINDS: [&str; 6] = ["value", "failed", "panicked", "crash_loop", "timer_set", "timer_fired"];

pub(crate) fn task(scope: &str, handler: &str, version: u32, key: &str, kind: u8) -> Task {
    let payload = format!("{scope} {handler} {version} {key} ended as {kind}").into_bytes();
    let (scope, handler, key) = (scope.to_owned(), handler.to_owned(), key.to_owned());
    let (attempts, took) = (u32::from(kind) + 1, 1000 * u64::from(version));
    Task { seq: 0, scope, handler, version, key, kind, attempts, took, payload }
}

/// A run of a task's handler.
pub(crate) fn run(journal: &Journal, task: &Task) -> Probe {
    Probe::in_scope(journal, &task.scope, &task.handler, task.version, 1 << 12).expect("the journal is well")
}

/// What the input of a task was.
pub(crate) fn input(task: &Task) -> Vec<u8> {
    task.key.as_bytes().to_vec()
}

/// Records tasks one by one, and puts in the numbers they get.
#[track_caller]
pub(crate) fn record(journal: &Journal, tasks: &mut [Task]) {
    for task in tasks {
        let run = run(journal, task);
        match run.claim(&task.key, &input(task)) {
            Claimed::Fresh(work) | Claimed::Changed(work, _) => {
                run.record_as(work, task.kind, task.attempts, task.took, task.payload.clone());
            }
            other => panic!("{other:?}"),
        }
        task.seq = run.told().outcome.expect("it is recorded").0;
    }
}

/// Some of everything: two scopes, three handlers, versions, all kinds.
pub(crate) fn tasks() -> Vec<Task> {
    let mut tasks = Vec::new();
    for scope in ["render", "upload"] {
        for (handler, versions) in [("thumbnail", 1..=3), ("index", 2..=2), ("mail", 1..=2)] {
            for version in versions {
                for number in 0..6_u8 {
                    tasks.push(task(scope, handler, version, &format!("key {number}"), number));
                }
            }
        }
    }
    tasks
}

/// A journal with some of everything in it.
pub(crate) fn filled(path: &Path) -> (Journal, Vec<Task>) {
    let (journal, mut tasks) = (open(path), tasks());
    record(&journal, &mut tasks);
    (journal, tasks)
}

/// An entry as a task.
pub(crate) fn seen(entry: &JournalEntry) -> Task {
    let kind = KINDS.iter().position(|name| *name == entry.kind().name()).expect("a kind");
    Task {
        seq: entry.sequence(),
        scope: entry.scope().to_owned(),
        handler: entry.handler().to_owned(),
        version: entry.version(),
        key: entry.key().to_owned(),
        kind: kind.try_into().expect("a small number"),
        attempts: entry.attempts(),
        took: entry.took().as_micros().try_into().expect("not that long"),
        payload: entry.payload().expect("it was asked for").to_vec(),
    }
}

#[track_caller]
pub(crate) fn all_seen(entries: Entries<'_>) -> Vec<Task> {
    entries.map(|entry| seen(&entry.unwrap_or_else(|error| panic!("{error}")))).collect()
}

/// All that is in a journal.
#[track_caller]
pub(crate) fn contents(journal: &Journal) -> Vec<Task> {
    all_seen(journal.entries_with_payload(&Selection::all()))
}

/// Whether a task would be run.
#[track_caller]
pub(crate) fn is_fresh(journal: &Journal, task: &Task) -> bool {
    match run(journal, task).claim(&task.key, &input(task)) {
        Claimed::Fresh(_) => true,
        Claimed::Recorded(_) => false,
        other => panic!("{other:?}"),
    }
}

/// A setting of the environment, or what it is without.
pub(crate) fn setting(name: &str, without: u64) -> u64 {
    std::env::var(name).map_or(without, |text| text.parse().expect("a number"))
}

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}

/// Records so many tasks, the last of all that is done with that journal: every third is a failure, and the odd ones are in another scope.
pub(crate) fn fill(journal: Journal, count: usize) -> Vec<Task> {
    let scope = |number: usize| if number % 2 == 0 { "render" } else { "upload" };
    let kind = |number: usize| u8::from(number % 3 == 0);
    let named = |number: usize| task(scope(number), "thumbnail", 1, &format!("key {number}"), kind(number));
    let mut tasks: Vec<Task> = (0..count).map(named).collect();
    let run = |scope| Probe::in_scope(&journal, scope, "thumbnail", 1, count).expect("the journal is well");
    let runs = [run(scope(0)), run(scope(1))];
    for (number, task) in tasks.iter_mut().enumerate() {
        let run = &runs[number % 2];
        let Claimed::Fresh(work) = run.claim(&task.key, b"") else { panic!("it is new") };
        run.record_as(work, task.kind, task.attempts, task.took, task.payload.clone());
        task.seq = number as u64 + 1;
    }
    journal.flush().expect("it is well");
    drop(runs);
    journal.close().expect("it closes");
    tasks
}
