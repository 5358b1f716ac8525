//! Processes that are killed while they forget, collect garbage or compact: the file opens, and each batch is gone whole or there whole.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use gristmill::journal::{Journal, Keep, Selection};

use crate::support::{Dice, Task, contents, fill, open, place, setting};

const TASKS: usize = 3000;

fn forget(journal: &Journal, what: &str) {
    let all = Selection::all();
    let done = match what {
        "forget" => journal.forget(&all.scope("render")).map(|_| ()),
        "retry" => journal.retry_failed(&all).map(|_| ()),
        "garbage" => journal.collect_garbage(&Keep::everything().scopes(["upload"])).map(|_| ()),
        _ => journal.compact().map(|_| ()),
    };
    done.expect("it can be written");
}

fn is_meant(what: &str, task: &Task) -> bool {
    match what {
        "forget" | "garbage" => task.scope == "render",
        "retry" => task.kind == 1,
        _ => false,
    }
}

/// Does it, and says when it begins. Does nothing unless it is started by a test.
#[test]
fn child() {
    let Some(path) = std::env::var_os("GRISTMILL_JOURNAL") else { return };
    let what = std::env::var("GRISTMILL_WHAT").expect("what to do");
    let journal = open(path.as_ref());
    println!("> ready");
    forget(&journal, &what);
    journal.close().expect("it closes");
}

fn killed_after(path: &Path, what: &str, wait: Duration) -> bool {
    use std::io::{BufRead, BufReader};
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "kills::child", "--nocapture"]);
    command.env("GRISTMILL_JOURNAL", path).env("GRISTMILL_WHAT", what);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let is_ready = lines.map_while(Result::ok).any(|line| line.ends_with("> ready"));
    assert!(is_ready, "it opened the journal");
    thread::park_timeout(wait);
    let _ = child.kill();
    !child.wait().expect("it ends").success()
}

#[test]
fn killed_at_any_time_the_journal_is_valid() {
    let seed = setting("GRISTMILL_SEED", 7);
    let mut dice = Dice(seed);
    let (_folder, original) = place();
    let tasks = fill(open(&original), TASKS);
    let mut was_killed = 0;
    for round in 0..setting("GRISTMILL_KILLS", 24) {
        let what = ["forget", "retry", "garbage", "compact"][usize::try_from(round % 4).expect("small")];
        let (_folder, path) = place();
        std::fs::copy(&original, &path).expect("writable");
        let wait = Duration::from_micros(dice.below(30_000));
        let case = format!("seed {seed}, round {round}, {what} after {wait:?}");
        was_killed += u64::from(killed_after(&path, what, wait));
        let journal = open(&path);
        let left = contents(&journal);
        // In the order of the numbers, in whole batches: up to one of them all that are meant are gone, and behind it none.
        let first = left.iter().find(|task| is_meant(what, task)).map_or(u64::MAX, |task| task.seq);
        let expected: Vec<Task> =
            tasks.iter().filter(|task| !is_meant(what, task) || task.seq >= first).cloned().collect();
        assert!(left == expected, "{case}: {} are left, not {}", left.len(), expected.len());
        let mut gone = tasks.iter().filter(|task| is_meant(what, task) && task.seq < first);
        assert!(
            first == u64::MAX || gone.next_back().is_none_or(|last| last.seq / 256 < first.div_ceil(256)),
            "{case}"
        );
        let verification = journal.verify().expect("it is open");
        assert!(verification.is_sound(), "{case}: {verification}");
        // And it can be done to its end.
        forget(&journal, what);
        let expected: Vec<Task> = tasks.iter().filter(|task| !is_meant(what, task)).cloned().collect();
        assert!(contents(&journal) == expected, "{case}");
    }
    println!("{was_killed} were killed before their end");
}
