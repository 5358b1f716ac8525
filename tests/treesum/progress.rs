//! `--progress` and `--report`: what is said on standard error, and where.

use std::fs::File;
use std::io::Read;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::{Tree, outcome, text, treesum};

fn tree() -> Tree {
    let tree = Tree::new();
    tree.file("1", "abc");
    tree.file("2", "abcd");
    tree
}

#[test]
fn progress_is_silent_where_stderr_is_no_terminal() {
    let tree = tree();
    for option in ["--progress", "--progress=auto", "--progress=never"] {
        let mut command = treesum([option]);
        command.arg(tree.root());
        assert_eq!(outcome(command).1, "", "{option}");
    }
}

#[test]
fn forced_progress_is_lines_where_stderr_is_no_terminal() {
    let tree = tree();
    let mut command = treesum(["--progress=always"]);
    command.arg(tree.root());
    let (stdout, stderr, status) = outcome(command);
    assert_eq!((stdout.lines().count(), status), (2, Some(0)));
    let last = stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("treesum: 2 files, 7 B, ") && last.ends_with("/s"), "{stderr}");
    assert!(!stderr.contains('\x1b'), "{stderr}");
}

#[test]
fn progress_is_drawn_on_a_terminal() {
    let tree = tree();
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
    grantpt(&terminal).and_then(|()| unlockpt(&terminal)).expect("its other end");
    let name = ptsname(&terminal, Vec::new()).expect("its name");
    let name = name.to_str().expect("a path under /dev");
    let drawn_with = |options: &[&str]| {
        let stderr = File::options().read(true).write(true).open(name).expect("the terminal");
        let mut command = treesum(options);
        command.env("TERM", "xterm").arg(tree.root());
        let output = command.stderr(stderr).output().expect("it runs");
        assert!(output.status.success());
        // A line of our own at the end: what was drawn stands before it.
        let mut end = File::options().write(true).open(name).expect("the terminal");
        std::io::Write::write_all(&mut end, b"\x04END").expect("a few bytes");
        let mut master = File::from(terminal.try_clone().expect("another descriptor"));
        let mut drawn = Vec::new();
        while !drawn.ends_with(b"END") {
            let mut byte = [0];
            master.read_exact(&mut byte).expect("what was written comes out");
            drawn.push(byte[0]);
        }
        text(&drawn)
    };
    assert_eq!(drawn_with(&[]), "\x04END", "nothing without the option");
    for option in ["--progress", "--progress=always"] {
        let drawn = drawn_with(&[option]);
        assert!(drawn.contains("2 files, 7 B, "), "{option}: {drawn:?}");
    }
}

#[test]
fn report_names_every_stage_and_count() {
    let tree = tree();
    let mut command = treesum(["--report", "--workers", "2"]);
    command.arg(tree.root());
    let (stdout, stderr, status) = outcome(command);
    assert_eq!((stdout.lines().count(), status), (2, Some(0)));
    for word in ["2 items read, 2 finished", "on 2 workers", "source", "hash", "print"] {
        assert!(stderr.contains(word), "{word} is missing:\n{stderr}");
    }
}

#[test]
fn report_of_a_run_that_ended_early_follows_the_reason() {
    let tree = tree();
    tree.endless_file("3");
    let mut command = treesum(["--report", "--timeout", "0.3"]);
    command.arg(tree.root());
    let (_, stderr, status) = outcome(command);
    assert_eq!(status, Some(124));
    assert!(stderr.starts_with("treesum: timed out: ") && stderr.contains("unfinished"), "{stderr}");
}
