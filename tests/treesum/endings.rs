//! Runs that end early: by signal, by time, by a reader that goes away.

use std::fs::File;
use std::process::Stdio;

use rustix::process::Signal;

use crate::support::{Running, Tree, assert_whole_lines, many_files, outcome, treesum};

/// One quick file, and then one that takes hours.
fn endless_tree() -> Tree {
    let tree = Tree::new();
    tree.file("1 quick", "abc");
    tree.endless_file("2 endless");
    tree
}

fn signalled(signal: Signal) -> (String, String, Option<i32>) {
    let tree = endless_tree();
    let mut run = Running::start(treesum([tree.root()]));
    assert!(run.read_line().ends_with("/1 quick\n"));
    run.signal(signal);
    run.finish()
}

#[test]
fn ctrl_c_ends_the_run_with_a_summary() {
    let (stdout, stderr, status) = signalled(Signal::INT);
    assert_eq!((stdout.as_str(), status), ("", Some(130)));
    assert!(stderr.starts_with("treesum: interrupted: 1 files, 3 bytes done in "), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn sigterm_ends_the_run_with_its_own_status() {
    let (stdout, stderr, status) = signalled(Signal::TERM);
    assert_eq!((stdout.as_str(), status), ("", Some(143)));
    assert!(stderr.starts_with("treesum: interrupted: 1 files, "), "{stderr}");
}

#[test]
fn interrupted_run_has_printed_a_prefix_in_whole_lines() {
    let tree = Tree::new();
    many_files(&tree);
    let whole = outcome(treesum([tree.root()])).0;
    let mut run = Running::start(treesum([tree.root()]));
    let first = run.read_line();
    run.signal(Signal::INT);
    let (rest, stderr, status) = run.finish();
    let printed = first + &rest;
    assert_whole_lines(&printed);
    assert!(whole.starts_with(&printed));
    // The signal may find the last file done; nobody reads while it is sent, so most often the run is in the middle.
    match status {
        Some(130) => assert!(stderr.starts_with("treesum: interrupted: "), "{stderr}"),
        _ => assert_eq!((printed.as_str(), stderr.as_str(), status), (whole.as_str(), "", Some(0))),
    }
}

#[test]
fn second_ctrl_c_ends_a_run_that_is_stuck() {
    let tree = Tree::new();
    many_files(&tree);
    let mut run = Running::start(treesum([tree.root()]));
    let first = run.read_line();
    // Nobody reads on: the run stops inside a write that no token can end. Signals that come together count once.
    while !run.has_ended() {
        run.signal(Signal::INT);
        std::thread::yield_now();
    }
    let (rest, _, status) = run.finish();
    assert_whole_lines(&(first + &rest));
    assert_eq!(status, Some(130));
}

#[test]
fn timeout_ends_the_run() {
    let tree = endless_tree();
    let mut command = treesum(["--timeout", "0.3"]);
    command.arg(tree.root());
    let (stdout, stderr, status) = outcome(command);
    assert_whole_lines(&stdout);
    assert!(stderr.starts_with("treesum: timed out: "), "{stderr}");
    assert_eq!((stderr.lines().count(), status), (1, Some(124)));
}

#[test]
fn timeout_ends_a_wait_for_standard_input() {
    let mut command = treesum(["--timeout", "0.1", "--check", "-"]);
    command.stdin(Stdio::piped());
    let mut run = Running::start(command);
    let _held_open = run.child().stdin.take();
    let (stdout, stderr, status) = run.finish();
    assert_eq!((stdout.as_str(), status), ("", Some(124)));
    assert!(stderr.starts_with("treesum: timed out: 0 files, 0 bytes done in "), "{stderr}");
}

#[test]
fn timeout_ends_a_wait_for_a_pipe_without_a_writer() {
    let tree = Tree::new();
    tree.pipe("pipe");
    let digest = "0".repeat(64);
    tree.file("list", format!("{digest}  pipe\n"));
    for list in ["list", "pipe"] {
        let mut command = treesum(["--timeout", "0.1", "--check", list]);
        command.current_dir(tree.root());
        let (stdout, _, status) = outcome(command);
        assert_eq!((stdout.as_str(), status), ("", Some(124)), "--check {list}");
    }
}

#[test]
fn long_timeout_does_not_hold_up_the_end() {
    let tree = Tree::new();
    tree.file("file", "abc");
    let mut command = treesum(["--timeout", "86400"]);
    command.arg(tree.root());
    assert_eq!(outcome(command).2, Some(0));
}

#[test]
fn closed_stdout_ends_the_run_quietly() {
    let tree = Tree::new();
    many_files(&tree);
    let mut run = Running::start(treesum([tree.root()]));
    run.read_line();
    drop(run.stdout.take());
    assert_eq!(run.finish(), (String::new(), String::new(), Some(141)));
}

#[test]
fn closed_stdout_ends_a_check_quietly() {
    let tree = Tree::new();
    many_files(&tree);
    let list = tree.file("list", outcome(treesum([tree.root()])).0);
    let mut command = treesum(["--check"]);
    command.arg(list);
    let mut run = Running::start(command);
    run.read_line();
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
    tree.file("file", "abc");
    let mut command = treesum([tree.root()]);
    let output = command.stdout(full).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "treesum: write error: No space left on device\n");
}

#[test]
fn ordered_run_prints_what_comes_before_a_slow_file_and_unordered_what_comes_after() {
    let tree = Tree::new();
    tree.endless_file("2 endless");
    tree.file("3 quick", "abc");
    let mut command = treesum(["--workers", "2", "--unordered"]);
    command.arg(tree.root());
    let mut run = Running::start(command);
    assert!(run.read_line().ends_with("/3 quick\n"));
    run.signal(Signal::INT);
    assert_eq!(run.finish().2, Some(130));

    tree.file("1 quick", "abc");
    let mut command = treesum(["--workers", "2"]);
    command.arg(tree.root());
    let mut run = Running::start(command);
    assert!(run.read_line().ends_with("/1 quick\n"));
    run.signal(Signal::INT);
    let (rest, _, status) = run.finish();
    assert_eq!((rest.as_str(), status), ("", Some(130)), "nothing overtakes the slow file");
}
