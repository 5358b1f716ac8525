//! Runs that end early: by signal, by a reader that goes away, by a disk that is full.

use std::fs::File;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::example::{Running, Tree};
use crate::support::{prose, wordcount};

/// The signal comes at whatever moment: before the program watches for it, it ends it as well.
fn ends_by_signal(command: Command) {
    let mut run = Running::start(command);
    while !run.has_ended() {
        run.signal(Signal::INT);
        std::thread::yield_now();
    }
    let (stdout, stderr, status) = run.finish();
    assert_eq!(stdout, "");
    match status {
        Some(130) => assert!(
            matches!(stderr.as_str(), "" | "wordcount: interrupted: nothing was counted\n"),
            "{stderr}"
        ),
        other => assert_eq!((other, stderr.as_str()), (None, ""), "the signal was there first"),
    }
}

#[test]
fn ctrl_c_ends_a_count_that_takes_hours() {
    let tree = Tree::new();
    let mut command = wordcount([""; 0]);
    command.arg(tree.endless_file("endless"));
    ends_by_signal(command);
}

#[test]
fn ctrl_c_ends_a_wait_for_standard_input() {
    let mut command = wordcount(["--log", "level"]);
    command.stdin(Stdio::piped());
    ends_by_signal(command);
}

#[test]
fn closed_stdout_ends_the_run_quietly() {
    let tree = Tree::new();
    let words: Vec<_> = (0..40_000).map(|index| format!("w{index}")).collect();
    tree.file("text", words.join(" "));
    let mut command = wordcount(["-n", "0"]);
    command.arg(tree.root());
    let mut run = Running::start(command);
    drop(run.stdout.take());
    assert_eq!(run.finish(), (String::new(), String::new(), Some(141)));
}

#[test]
fn full_disk_is_said() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        println!("skipped: no /dev/full");
        return;
    };
    let tree = Tree::new();
    tree.file("text", prose(100));
    let mut command = wordcount([""; 0]);
    let output = command.arg(tree.root()).stdout(full).output().expect("it runs");
    let said = "wordcount: write error: No space left on device\n";
    assert_eq!((String::from_utf8_lossy(&output.stderr).as_ref(), output.status.code()), (said, Some(1)));
}
