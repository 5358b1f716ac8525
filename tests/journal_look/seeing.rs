//! Entries, figures and exports are what was recorded.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::Command;
use std::time::{Duration, SystemTime};

use gristmill::journal::probe::{Claimed, Probe};
use gristmill::journal::{
    EntryCounts, EntryKind, ExportError, JournalErrorKind, Keep, Selection, Statistics,
};

use crate::support::{KINDS, Task, all_seen, contents, filled, open, place, record, run, task};

#[test]
fn empty_journal_has_nothing_to_show_and_nothing_to_forget() {
    let (_folder, path) = place();
    let journal = open(&path);
    assert_eq!(journal.entries(&Selection::all()).count(), 0);
    let statistics = journal.statistics().unwrap();
    assert_eq!((statistics.jobs.len(), statistics.total().entries(), statistics.crashed), (0, 0, 0));
    assert!(statistics.file_bytes > 0);
    let mut text = Vec::new();
    assert_eq!(journal.export(&Selection::all(), &mut text).unwrap(), 0);
    assert!(text.is_empty());
    let verification = journal.verify().unwrap();
    assert!(verification.is_sound() && verification.entries == 0);
    assert_eq!(verification.to_string(), "0 entries are whole, with 0 bytes of payload; no damage");
    for forgotten in [
        journal.forget(&Selection::all()),
        journal.retry_failed(&Selection::all()),
        journal.collect_garbage(&Keep::everything().latest_versions()),
    ] {
        assert_eq!(forgotten.unwrap(), gristmill::journal::Forgotten::default());
    }
    journal.compact().unwrap();
}

#[test]
fn entries_are_what_was_recorded_in_its_order() {
    let (_folder, path) = place();
    let before = SystemTime::now();
    let (journal, tasks) = filled(&path);
    assert_eq!(contents(&journal), tasks);
    for (entry, task) in journal.entries(&Selection::all()).zip(&tasks) {
        let entry = entry.unwrap();
        assert_eq!((entry.payload(), entry.payload_length()), (None, task.payload.len() as u64));
        assert_eq!(entry.kind().is_failure(), (1..=3).contains(&task.kind));
        // To the millisecond, which is cut off.
        let age =
            entry.ended().duration_since(before - Duration::from_millis(1)).expect("not before it began");
        assert!(age < Duration::from_secs(600));
    }
    journal.close().unwrap();
    assert_eq!(contents(&open(&path)), tasks, "after the next opening");
}

#[test]
fn record_that_was_replaced_is_seen_once_and_last() {
    let (_folder, path) = place();
    let (journal, mut tasks) = filled(&path);
    let mut first = tasks.remove(0);
    let run = run(&journal, &first);
    let Claimed::Changed(work, 1) = run.claim(&first.key, b"another input") else { panic!("it has changed") };
    first.payload = b"anew".to_vec();
    run.record_as(work, first.kind, first.attempts, first.took, first.payload.clone());
    first.seq = run.told().outcome.unwrap().0;
    assert_eq!(first.seq, tasks.last().unwrap().seq + 1);
    tasks.push(first);
    assert_eq!(contents(&journal), tasks);
}

/// What each filter means.
fn meanings() -> [fn(&Task) -> bool; 7] {
    [
        |task| task.scope == "render",
        |task| task.handler == "index",
        |task| task.version == 2,
        |task| task.version < if task.handler == "thumbnail" { 3 } else { 2 },
        |task| task.key == "key 2",
        |task| (1..=3).contains(&task.kind),
        |_| false,
    ]
}

#[test]
fn selection_means_those_for_which_all_of_its_filters_hold() {
    let (_folder, path) = place();
    let (journal, tasks) = filled(&path);
    let meanings = meanings();
    for choice in 0..1_u32 << meanings.len() {
        let mut selection = Selection::all();
        let mut expected: Vec<Task> = tasks.clone();
        for (number, means) in meanings.iter().enumerate().filter(|(number, _)| choice >> number & 1 == 1) {
            expected.retain(means);
            selection = match number {
                0 => selection.scope("render"),
                1 => selection.handler("index"),
                2 => selection.version(2),
                3 => selection.older_versions(),
                4 => selection.key("key 2"),
                5 => selection.failed(),
                _ => selection.older_than(Duration::from_secs(3600)),
            };
        }
        assert_eq!(all_seen(journal.entries_with_payload(&selection)), expected, "{selection:?}");
    }
}

#[test]
fn filter_that_is_set_again_replaces_the_one_before() {
    let (_folder, path) = place();
    let (journal, tasks) = filled(&path);
    let selection = Selection::all().scope("nowhere").scope("upload").version(9).version(3);
    let expected = tasks.iter().filter(|task| task.scope == "upload" && task.version == 3).count();
    assert_eq!(journal.entries(&selection).count(), expected);
}

#[test]
fn version_without_entries_makes_no_older_one_old() {
    let (_folder, path) = place();
    let journal = open(&path);
    let mut tasks = [task("render", "thumbnail", 1, "a", 0), task("render", "thumbnail", 2, "a", 0)];
    record(&journal, &mut tasks);
    let older = Selection::all().older_versions();
    assert_eq!(all_seen(journal.entries_with_payload(&older)), tasks[..1]);
    assert_eq!(journal.forget(&Selection::all().version(2)).unwrap().entries, 1);
    assert_eq!(journal.entries(&older).count(), 0);
    let kept = journal.collect_garbage(&Keep::everything().latest_versions()).unwrap();
    assert_eq!(kept.entries, 0, "the results of version 1 are all there is");
}

#[test]
fn statistics_count_what_is_there() {
    let (_folder, path) = place();
    let (journal, tasks) = filled(&path);
    let statistics = journal.statistics().unwrap();
    let names = |task: &Task| (task.scope.clone(), task.handler.clone(), task.version);
    let jobs: BTreeSet<_> = tasks.iter().map(names).collect();
    let found: Vec<_> =
        statistics.jobs.iter().map(|job| (job.scope.clone(), job.handler.clone(), job.version)).collect();
    assert_eq!(found, jobs.into_iter().collect::<Vec<_>>(), "in order");
    for job in &statistics.jobs {
        let own: Vec<&Task> = tasks
            .iter()
            .filter(|task| names(task) == (job.scope.clone(), job.handler.clone(), job.version))
            .collect();
        let counts = job.counts;
        assert_eq!(
            [counts.values, counts.failed, counts.panicked, counts.crash_loops, counts.timers],
            [1, 1, 1, 1, 2]
        );
        assert_eq!((counts.entries(), counts.failures()), (6, 3));
        assert_eq!(counts.payload_bytes, own.iter().map(|task| task.payload.len() as u64).sum::<u64>());
        assert_eq!(counts.key_bytes, own.iter().map(|task| task.key.len() as u64).sum::<u64>());
        assert_eq!(counts.took, own.iter().map(|task| Duration::from_micros(task.took)).sum());
    }
    assert_eq!(statistics.total().entries(), tasks.len() as u64);
    let total = statistics.total();
    let sum =
        |part: fn(&EntryCounts) -> u64| statistics.jobs.iter().map(|job| part(&job.counts)).sum::<u64>();
    assert_eq!((total.values, total.failed), (sum(|it| it.values), sum(|it| it.failed)));
    assert_eq!((total.panicked, total.crash_loops), (sum(|it| it.panicked), sum(|it| it.crash_loops)));
    assert_eq!((total.timers, total.key_bytes), (sum(|it| it.timers), sum(|it| it.key_bytes)));
    assert_eq!(
        (total.payload_bytes, total.failures()),
        (sum(|it| it.payload_bytes), sum(EntryCounts::failures))
    );
    check_table(&statistics);
}

/// The table has a line for each job, and its columns stand one below the other.
fn check_table(statistics: &Statistics) {
    let table = statistics.to_string();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), statistics.jobs.len() + 3);
    let width = lines[0].len();
    assert!(lines[..lines.len() - 1].iter().all(|line| line.len() == width), "{table}");
    assert!(lines[1].starts_with("render"), "{table}");
    assert!(lines[lines.len() - 2].starts_with("total "), "{table}");
    let file = format!("file: {} bytes; ", statistics.file_bytes);
    assert!(lines[lines.len() - 1].starts_with(&file), "{table}");
}

#[test]
fn export_has_a_line_of_json_for_each_entry() {
    let (_folder, path) = place();
    let (journal, mut tasks) = filled(&path);
    let mut odd = task("a \"scope\"", "a\nhandler", 7, "a \u{1f3ed} key", 0);
    odd.payload = (0..=255).collect();
    record(&journal, std::slice::from_mut(&mut odd));
    tasks.push(odd);
    let mut text = Vec::new();
    assert_eq!(journal.export(&Selection::all(), &mut text).unwrap(), tasks.len() as u64);
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.lines().count(), tasks.len());
    for (line, task) in text.lines().zip(&tasks) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line.as_object().unwrap().len(), 11, "{line}");
        assert_eq!(line["seq"], task.seq);
        assert_eq!(line["scope"], task.scope.as_str());
        assert_eq!(line["handler"], task.handler.as_str());
        assert_eq!(line["version"], task.version);
        assert_eq!(line["key"], task.key.as_str());
        assert_eq!(line["kind"], KINDS[usize::from(task.kind)]);
        assert_eq!(line["attempts"], task.attempts);
        assert_eq!(line["took_us"], task.took);
        assert_eq!(line["payload_hex"], hex::encode(&task.payload));
        assert_eq!(line["input_hash"].as_str().unwrap().len(), 32);
        assert!(line["ended_unix_ms"].as_u64().unwrap() > 1_600_000_000_000);
    }
    let one = Selection::all().scope("render").handler("index").key("key 0");
    assert_eq!(journal.export(&one, io::sink()).unwrap(), 1);
}

/// Takes so many bytes and no more.
struct Short(usize);

impl Write for Short {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("no more"));
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn export_says_that_its_reader_refused() {
    let (_folder, path) = place();
    let (journal, _) = filled(&path);
    let error = journal.export(&Selection::all(), Short(1000)).unwrap_err();
    assert_eq!(error.to_string(), "cannot write the export: no more");
    assert!(matches!(error, ExportError::Write(_)));
}

#[test]
fn closed_journal_has_one_error_and_then_no_more() {
    let (_folder, path) = place();
    let (journal, _) = filled(&path);
    journal.clone().close().unwrap();
    let mut entries = journal.entries(&Selection::all());
    assert_eq!(entries.next().unwrap().unwrap_err().kind(), JournalErrorKind::Closed);
    assert!(entries.next().is_none());
    assert_eq!(journal.statistics().unwrap_err().kind(), JournalErrorKind::Closed);
    assert_eq!(journal.forget(&Selection::all()).unwrap_err().kind(), JournalErrorKind::Closed);
    assert_eq!(journal.verify().unwrap_err().kind(), JournalErrorKind::Closed);
    assert_eq!(journal.compact().unwrap_err().kind(), JournalErrorKind::Closed);
}

#[test]
fn running_batch_can_be_looked_at_and_the_walk_ends() {
    let (_folder, path) = place();
    let journal = open(&path);
    let probe = Probe::new(&journal, "count", 1, 1 << 12).unwrap();
    let mut number = 0;
    let mut record_one = || {
        let key = number.to_string();
        let Claimed::Fresh(work) = probe.claim(&key, b"") else { panic!("it is new") };
        probe.record(work, key.into_bytes());
        number += 1;
        probe.told().outcome.unwrap()
    };
    for _ in 0..600 {
        record_one();
    }
    // For each entry that is looked at, another is recorded: a walk to the end of the journal would never get there.
    let mut shown = Vec::new();
    for entry in journal.entries(&Selection::all()) {
        shown.push(entry.unwrap().sequence());
        record_one();
    }
    assert_eq!(shown, (1..=600).collect::<Vec<u64>>());
    assert_eq!(journal.entries(&Selection::all()).count(), 1200);
    assert!(journal.verify().unwrap().is_sound());
}

const MANY: usize = 30_000;
const LARGE: usize = 4096;

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a line");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

/// Walks through a large journal and says how much memory that took. Does nothing unless it is started by a test.
#[test]
fn walk_child() {
    let Some(path) = std::env::var_os("GRISTMILL_JOURNAL") else { return };
    let journal = open(path.as_ref());
    let before = peak();
    assert_eq!(journal.export(&Selection::all(), io::sink()).unwrap(), MANY as u64);
    println!("> {}", peak() - before);
}

#[test]
#[cfg(target_os = "linux")]
fn walk_through_a_large_journal_takes_the_memory_of_a_page() {
    // On a disk: it would not fit into the 64 MiB that a container has in memory.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("batch.journal");
    let journal = open(&path);
    let probe = Probe::new(&journal, "large", 1, MANY).unwrap();
    for number in 0..MANY {
        let key = number.to_string();
        let Claimed::Fresh(work) = probe.claim(&key, b"") else { panic!("it is new") };
        probe.record(work, vec![7; LARGE]);
    }
    journal.flush().unwrap();
    drop(probe);
    journal.close().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "seeing::walk_child", "--nocapture"]).env("GRISTMILL_JOURNAL", &path);
    let output = child.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let grown = text.lines().find_map(|line| line.split_once("> ")).expect("an answer").1;
    let grown: u64 = grown.trim().parse().unwrap();
    // A page of a MiB, its lines, and SQLite's own cache of 2 MiB; the journal has 120 MiB.
    assert!(grown < 16 * 1024, "{grown} KiB");
}

#[test]
fn kinds_have_the_names_of_the_export() {
    let kinds = [
        EntryKind::Value,
        EntryKind::Failed,
        EntryKind::Panicked,
        EntryKind::CrashLoop,
        EntryKind::TimerSet,
        EntryKind::TimerFired,
    ];
    assert_eq!(kinds.map(|kind| kind.to_string()), KINDS);
}

#[test]
fn entry_gives_its_payload_away_if_it_was_asked_for() {
    let (_folder, path) = place();
    let (journal, tasks) = filled(&path);
    for (entry, task) in journal.entries_with_payload(&Selection::all()).zip(&tasks) {
        assert_eq!(entry.unwrap().into_payload().as_ref(), Some(&task.payload));
    }
    let first = journal.entries(&Selection::all()).next().unwrap();
    assert_eq!(first.unwrap().into_payload(), None);
}

#[test]
fn what_is_older_is_what_ended_before_that() {
    let (_folder, path) = place();
    let (journal, tasks) = filled(&path);
    let old = |age| journal.entries(&Selection::all().older_than(age)).count();
    assert_eq!(old(Duration::from_secs(3600)), 0);
    assert_eq!(old(Duration::MAX), 0, "since before the clock began");
    let last = journal.entries(&Selection::all()).last().unwrap().unwrap().ended();
    // To the millisecond: what ended in this one has not ended before it.
    while SystemTime::now().duration_since(last).unwrap_or_default() < Duration::from_millis(2) {
        std::thread::yield_now();
    }
    assert_eq!(old(Duration::ZERO), tasks.len());
}
