//! What is forgotten runs again, in this process and in the next; nothing else is touched.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use gristmill::journal::probe::{Claimed, Probe};
use gristmill::journal::{Forgotten, Journal, JournalErrorKind, Keep, Selection};

use crate::support::{Task, contents, filled, input, is_fresh, open, place, record, run, task};

/// That of these tasks exactly those are there that are kept, and that the others run again; now and after the next opening.
#[track_caller]
fn assert_kept(journal: Journal, path: &Path, tasks: &[Task], is_kept: impl Fn(&Task) -> bool) {
    let kept: Vec<Task> = tasks.iter().filter(|task| is_kept(task)).cloned().collect();
    let check = |journal: &Journal| {
        assert_eq!(contents(journal), kept);
        for task in tasks {
            assert_eq!(is_fresh(journal, task), !is_kept(task), "{task:?}");
        }
        assert!(journal.verify().expect("it is open").is_sound());
    };
    check(&journal);
    journal.close().expect("it closes");
    let journal = open(path);
    assert_eq!(journal.opening().records, kept.len() as u64);
    check(&journal);
}

#[track_caller]
fn assert_forgotten(forgotten: Forgotten, tasks: &[Task], is_kept: impl Fn(&Task) -> bool) {
    let gone: Vec<&Task> = tasks.iter().filter(|task| !is_kept(task)).collect();
    let bytes: u64 = gone.iter().map(|task| task.payload.len() as u64).sum();
    assert_eq!((forgotten.entries, forgotten.payload_bytes), (gone.len() as u64, bytes));
    assert_eq!((forgotten.in_use, forgotten.crashes), (0, 0));
}

type IsKept = fn(&Task) -> bool;

#[test]
fn forget_takes_what_the_selection_means() {
    let one = Selection::all().scope("render").handler("index").version(2).key("key 3");
    let cases: [(Selection, IsKept); 5] = [
        (Selection::all(), |_| false),
        (Selection::all().scope("render"), |task| task.scope != "render"),
        (one, |task| {
            (task.scope.as_str(), task.handler.as_str(), task.key.as_str()) != ("render", "index", "key 3")
        }),
        (Selection::all().older_versions(), |task| {
            task.version == if task.handler == "thumbnail" { 3 } else { 2 }
        }),
        (Selection::all().scope("nowhere"), |_| true),
    ];
    for (selection, is_kept) in cases {
        let (_folder, path) = place();
        let (journal, tasks) = filled(&path);
        assert_forgotten(journal.forget(&selection).unwrap(), &tasks, is_kept);
        assert_kept(journal, &path, &tasks, is_kept);
    }
}

#[test]
fn retry_failed_takes_failures_panics_and_crash_loops() {
    let (_folder, path) = place();
    let (journal, tasks) = filled(&path);
    let is_kept = |task: &Task| !(1..=3).contains(&task.kind) || task.handler == "mail";
    for handler in ["index", "thumbnail"] {
        journal.retry_failed(&Selection::all().handler(handler)).unwrap();
    }
    assert_kept(journal, &path, &tasks, is_kept);
}

#[test]
fn garbage_is_what_one_of_the_rules_lets_go() {
    let latest = |task: &Task| task.version == if task.handler == "thumbnail" { 3 } else { 2 };
    for choice in 0..8_u32 {
        let (_folder, path) = place();
        let (journal, tasks) = filled(&path);
        let mut keep = Keep::everything();
        if choice & 1 != 0 {
            keep = keep.latest_versions();
        }
        if choice & 2 != 0 {
            keep = keep.scopes(["upload", "elsewhere"]);
        }
        if choice & 4 != 0 {
            keep = keep.younger_than(Duration::from_secs(3600));
        }
        let is_kept =
            |task: &Task| (choice & 1 == 0 || latest(task)) && (choice & 2 == 0 || task.scope == "upload");
        assert_forgotten(journal.collect_garbage(&keep).unwrap(), &tasks, is_kept);
        assert_kept(journal, &path, &tasks, is_kept);
    }
}

#[test]
fn garbage_without_a_scope_to_keep_is_all_there_is() {
    let (_folder, path) = place();
    let (journal, tasks) = filled(&path);
    let forgotten = journal.collect_garbage(&Keep::everything().scopes(Vec::<String>::new())).unwrap();
    assert_forgotten(forgotten, &tasks, |_| false);
}

#[test]
fn what_is_forgotten_is_recorded_again_under_a_new_number() {
    let (_folder, path) = place();
    let (journal, mut tasks) = filled(&path);
    let highest = tasks.last().unwrap().seq;
    journal.forget(&Selection::all()).unwrap();
    record(&journal, &mut tasks[..3]);
    let numbers: Vec<u64> = tasks[..3].iter().map(|task| task.seq).collect();
    assert_eq!(numbers, [highest + 1, highest + 2, highest + 3]);
    assert_eq!(contents(&journal), tasks[..3]);
    assert!(journal.verify().unwrap().is_sound());
}

#[test]
fn key_that_somebody_works_on_is_left_alone() {
    let (_folder, path) = place();
    let (journal, mut tasks) = filled(&path);
    let mut first = tasks[0].clone();
    let probe = run(&journal, &first);
    let Claimed::Changed(work, _) = probe.claim(&first.key, b"another input") else {
        panic!("it has changed")
    };
    let forgotten = journal.forget(&Selection::all()).unwrap();
    assert_eq!((forgotten.entries, forgotten.in_use), (tasks.len() as u64 - 1, 1));
    assert_eq!(contents(&journal), tasks[..1]);
    probe.record(work, b"anew".to_vec());
    first.seq = probe.told().outcome.unwrap().0;
    let entries: Vec<u64> =
        journal.entries(&Selection::all()).map(|entry| entry.unwrap().sequence()).collect();
    assert_eq!(entries, [first.seq]);
    assert_eq!(journal.forget(&Selection::all()).unwrap().entries, 1, "nobody works on it any more");
    tasks.clear();
    assert_eq!(contents(&journal), tasks);
}

#[test]
fn record_that_is_replaced_or_forgotten_before_it_is_read_is_gone_and_not_damaged() {
    let (_folder, path) = place();
    let journal = open(&path);
    for is_replaced in [true, false] {
        let mut tasks = [task("render", "thumbnail", 1, &format!("replaced: {is_replaced}"), 0)];
        record(&journal, &mut tasks);
        let [task] = &tasks;
        let (reader, other) = (run(&journal, task), run(&journal, task));
        let Claimed::Recorded(again) = reader.claim(&task.key, &input(task)) else {
            panic!("it is recorded")
        };
        if is_replaced {
            let Claimed::Changed(work, _) = other.claim(&task.key, b"another input") else {
                panic!("it has changed")
            };
            other.record(work, b"anew".to_vec());
            other.told().outcome.unwrap();
        } else {
            let forgotten = journal.forget(&Selection::all().key(task.key.as_str())).unwrap();
            assert_eq!(forgotten.entries, 1);
        }
        reader.read(&again);
        let error = reader.told().outcome.unwrap_err();
        assert_eq!(
            (error.kind(), error.sequence(), error.key()),
            (JournalErrorKind::Gone, Some(task.seq), Some(task.key.as_str()))
        );
    }
    assert!(journal.failure().is_none(), "it goes on");
}

#[test]
fn forgetting_goes_over_many_batches() {
    let (_folder, path) = place();
    let journal = open(&path);
    let probe = Probe::new(&journal, "count", 1, 4000).unwrap();
    for number in 0..4000 {
        let Claimed::Fresh(work) = probe.claim(&number.to_string(), b"") else { panic!("it is new") };
        probe.record_as(work, u8::from(number % 3 == 0), 1, 1, vec![1; 10]);
    }
    journal.flush().unwrap();
    let forgotten = journal.retry_failed(&Selection::all()).unwrap();
    assert_eq!((forgotten.entries, forgotten.payload_bytes), (1334, 13340));
    assert_eq!(journal.entries(&Selection::all()).count(), 4000 - 1334);
    assert_eq!(journal.entries(&Selection::all().failed()).count(), 0);
}

#[test]
fn batch_that_runs_meanwhile_loses_nothing_but_what_is_forgotten() {
    const ROUNDS: u64 = 40;
    const KEYS: usize = 300;
    let (_folder, path) = place();
    let journal = open(&path);
    let is_over = AtomicBool::new(false);
    let (mut recorded, mut forgotten) = (0, Forgotten::default());
    thread::scope(|scope| {
        let forgetter = scope.spawn(|| {
            let mut forgotten = Forgotten::default();
            while !is_over.load(Ordering::Acquire) {
                forgotten += journal.forget(&Selection::all().scope("probe").failed()).expect("it is well");
            }
            forgotten
        });
        for _ in 0..ROUNDS {
            let probe = Probe::new(&journal, "count", 1, KEYS).unwrap();
            let mut wanted = 0;
            for number in 0..KEYS {
                // Those that are forgotten in between are fresh again.
                if let Claimed::Fresh(work) = probe.claim(&number.to_string(), b"") {
                    probe.record_as(work, u8::from(number % 2 == 0), 1, 1, vec![7; 5]);
                    wanted += 1;
                }
            }
            for _ in 0..wanted {
                probe.told().outcome.unwrap();
            }
            recorded += wanted;
        }
        is_over.store(true, Ordering::Release);
        forgotten = forgetter.join().unwrap();
    });
    let left = journal.entries(&Selection::all()).count() as u64;
    assert_eq!(left, recorded - forgotten.entries);
    assert!(left >= KEYS as u64 / 2, "no success is forgotten");
    assert!(journal.verify().unwrap().is_sound());
    journal.close().unwrap();
    assert_eq!(open(&path).opening().records, left);
}

#[test]
fn compacting_gives_space_back_and_keeps_the_rest() {
    let (_folder, path) = place();
    let journal = open(&path);
    let mut tasks: Vec<Task> =
        (0..400).map(|number| task("render", "thumbnail", 1, &number.to_string(), 0)).collect();
    for task in &mut tasks {
        task.payload = vec![3; 4000];
    }
    record(&journal, &mut tasks);
    let full = journal.statistics().unwrap().file_bytes;
    for task in &tasks[10..] {
        journal.forget(&Selection::all().key(task.key.as_str())).unwrap();
    }
    let given = journal.compact().unwrap();
    let small = journal.statistics().unwrap().file_bytes;
    assert!(full > 400 * 4000 && small < 40 * 4000 && given >= full / 2, "{full} {small} {given}");
    assert_kept(journal, &path, &tasks, |task| task.seq <= 10);
}

/// Begins a task and dies of it. Does nothing unless it is started by a test.
#[test]
fn crash_child() {
    let Some(path) = std::env::var_os("GRISTMILL_JOURNAL") else { return };
    let journal = open(path.as_ref());
    let probe = Probe::new(&journal, "poison", 1, 1).unwrap();
    let Claimed::Fresh(work) = probe.claim("key", b"") else { panic!("it was never recorded") };
    probe.begin(&work, true);
    std::process::abort();
}

fn crashes(journal: &Journal, key: &str) -> u32 {
    match Probe::new(journal, "poison", 1, 1).expect("it is well").claim(key, b"") {
        Claimed::Fresh(work) => work.crashes(),
        other => panic!("{other:?}"),
    }
}

/// A process that begins the task and dies of it.
fn crash(path: &Path) {
    let mut child = Command::new(std::env::current_exe().expect("this test"));
    child.args(["--exact", "forgetting::crash_child"]).env("GRISTMILL_JOURNAL", path);
    let status = child.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it starts");
    assert!(!status.success());
}

#[test]
fn retry_failed_finds_the_first_task_of_a_handler_that_was_made_in_this_process() {
    let (_folder, path) = place();
    crash(&path);
    let journal = open(&path);
    let by_key = Selection::all().key("key");
    assert_eq!(journal.retry_failed(&by_key).unwrap().crashes, 0, "nothing says whose key it is");
    assert_eq!(crashes(&journal, "key"), 1);
    assert_eq!(journal.retry_failed(&by_key).unwrap().crashes, 1);
    assert_eq!(crashes(&journal, "key"), 0);
}

#[test]
fn retry_failed_forgets_crashes_of_tasks_without_an_entry() {
    for (selection, is_about) in [
        (Selection::all(), true),
        (Selection::all().key("key"), true),
        (Selection::all().handler("poison").key("key"), true),
        (Selection::all().key("another"), false),
        (Selection::all().handler("another").key("key"), false),
    ] {
        let (_folder, path) = place();
        // So that the job is in the file.
        record(&open(&path), &mut [task("probe", "poison", 1, "other", 0)]);
        for _ in 0..2 {
            crash(&path);
        }
        let journal = open(&path);
        assert_eq!(crashes(&journal, "key"), 2);
        assert_eq!(journal.statistics().unwrap().crashed, 1);
        let forgotten = journal.retry_failed(&selection).unwrap();
        assert_eq!((forgotten.entries, forgotten.crashes), (0, u64::from(is_about)));
        let left = if is_about { 0 } else { 2 };
        assert_eq!(crashes(&journal, "key"), left, "{selection:?}");
        journal.close().unwrap();
        assert_eq!(crashes(&open(&path), "key"), left, "{selection:?}");
    }
}
