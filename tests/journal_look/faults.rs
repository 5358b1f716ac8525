//! A disk that fails at the k-th call, for every k, while entries are forgotten or the file is made small: whole batches are gone or there, and it opens
//! again.

use gristmill::journal::probe::{self, Claimed, Memory, Probe};
use gristmill::journal::{Forgotten, Journal, JournalError, JournalErrorKind, Keep, Selection};

use crate::support::{Task, contents, fill, run};

/// So many that they go in several batches of 256.
const TASKS: usize = 600;

const WAYS: [&str; 4] = ["forget", "retry", "garbage", "compact"];

fn open(memory: &Memory) -> Journal {
    probe::open(Journal::builder(), memory).unwrap_or_else(|error| panic!("{error}"))
}

fn filled() -> (Memory, Vec<Task>) {
    let memory = Memory::new(true);
    let tasks = fill(open(&memory), TASKS);
    (memory, tasks)
}

fn forget(journal: &Journal, way: &str) -> Result<Forgotten, JournalError> {
    let all = Selection::all();
    match way {
        "forget" => journal.forget(&all.scope("render")),
        "retry" => journal.retry_failed(&all),
        "garbage" => journal.collect_garbage(&Keep::everything().scopes(["upload"])),
        _ => journal.compact().map(|_| Forgotten::default()),
    }
}

fn is_meant(way: &str, task: &Task) -> bool {
    match way {
        "forget" | "garbage" => task.scope == "render",
        "retry" => task.kind == 1,
        _ => false,
    }
}

#[track_caller]
fn assert_told_well(error: &JournalError) {
    let text = error.to_string();
    assert_eq!(error.kind(), JournalErrorKind::Io, "{text}");
    assert!(text.contains("in memory") && text.contains(error.cure()) && !error.cure().is_empty(), "{text}");
    assert!(!text.contains('\n'), "{text}");
}

/// After a failure nothing is taken any more, and everybody is told why.
fn assert_stopped(journal: &Journal, tasks: &[Task], case: &str) {
    assert_told_well(&journal.failure().unwrap_or_else(|| panic!("{case}: nothing is said to have failed")));
    assert_told_well(&journal.flush().expect_err("it has failed"));
    for task in &tasks[..4] {
        let Err(error) = Probe::in_scope(journal, &task.scope, "thumbnail", 1, 1) else {
            panic!("{case}: a job is given")
        };
        assert_told_well(&error);
    }
}

#[test]
fn every_call_fails_once_and_whole_batches_are_gone_or_there() {
    for way in WAYS {
        for is_kept in [false, true] {
            for k in 1.. {
                let case = format!("{way}, call {k}, kept: {is_kept}");
                let (memory, tasks) = filled();
                let journal = open(&memory);
                // Somebody has read a record before, and somebody asks for one after.
                let probe = run(&journal, &tasks[0]);
                memory.fail_at(k, is_kept);
                let done = forget(&journal, way);
                let is_over = memory.calls() < k;
                if let Err(error) = &done {
                    assert_told_well(error);
                    assert_stopped(&journal, &tasks, &case);
                    for task in tasks.iter().filter(|task| task.scope == "render") {
                        let Claimed::Failed(error) = probe.claim(&task.key, b"") else {
                            panic!("{case}: a key is given away")
                        };
                        assert_told_well(&error);
                    }
                    drop(probe);
                    assert_told_well(&journal.close().expect_err("it has failed"));
                } else {
                    drop(probe);
                    let _ = journal.close();
                }
                memory.fail_at(usize::MAX, false);
                let journal = open(&memory);
                let left = contents(&journal);
                let first = left.iter().find(|task| is_meant(way, task)).map_or(u64::MAX, |task| task.seq);
                let expected: Vec<Task> =
                    tasks.iter().filter(|task| !is_meant(way, task) || task.seq >= first).cloned().collect();
                assert!(left == expected, "{case}: {} are left, not {}", left.len(), expected.len());
                let mut gone = tasks.iter().filter(|task| is_meant(way, task) && task.seq < first);
                assert!(
                    first == u64::MAX
                        || gone.next_back().is_none_or(|last| last.seq / 256 < first.div_ceil(256)),
                    "{case}: a batch is gone in part"
                );
                assert!(done.is_err() || first == u64::MAX, "{case}: it is said to be done");
                assert!(journal.verify().expect("it is open").is_sound(), "{case}");
                // And it can be done to its end, and recorded anew, under new numbers.
                let rest = forget(&journal, way).expect("it is well");
                let meant = tasks.iter().filter(|task| is_meant(way, task) && task.seq >= first).count();
                assert_eq!(rest.entries, meant as u64, "{case}");
                let expected: Vec<Task> = tasks.iter().filter(|task| !is_meant(way, task)).cloned().collect();
                assert!(contents(&journal) == expected, "{case}");
                journal.close().expect("it closes");
                if is_over {
                    assert!(done.is_ok(), "{case}");
                    break;
                }
            }
        }
    }
}
