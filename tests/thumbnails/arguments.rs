//! The command line, the table at the end, and Ctrl-C.

use std::io::Read;
use std::process::ChildStderr;

use rustix::process::Signal;

use crate::example::{Running, Tree, outcome};
use crate::support::{png, thumbnails};

#[test]
fn wrong_arguments_are_said_with_status_2() {
    for (arguments, said) in [
        (&["in"][..], "<OUTPUT>"),
        (&["in", "out", "--size", "0"], "0 is not in 1..=4096"),
        (&["in", "out", "--workers", "0"], "must be a whole number from 1 to 1024"),
        (&["in", "out", "--nonsense"], "--nonsense"),
    ] {
        let (stdout, stderr, status) = outcome(thumbnails(arguments));
        assert_eq!((stdout.as_str(), status), ("", Some(2)), "{arguments:?}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
}

#[test]
fn table_names_every_stage_its_items_and_the_bottleneck() {
    let tree = Tree::new();
    for index in 0..5 {
        tree.file(format!("in/{index}.png"), png(60, 60));
    }
    let mut command = thumbnails(["in", "out"]);
    command.current_dir(tree.root());
    let (stdout, _, _) = outcome(command);
    for stage in ["source", "decode", "resize", "encode", "write"] {
        let line = stdout
            .lines()
            .find(|line| line.starts_with(stage))
            .unwrap_or_else(|| panic!("{stage}: {stdout}"));
        assert_eq!(line.split_whitespace().nth(2), Some("5"), "{line}");
    }
    let verdict = stdout.lines().rev().nth(1).expect("a line before the last");
    assert!(verdict.starts_with("limited by ") || verdict.starts_with("nothing was short"), "{stdout}");
}

/// More broken images than messages fit into a pipe that nobody reads, which stops the program in the middle.
fn stuck(tree: &Tree) -> (Running, ChildStderr) {
    for index in 0..2000 {
        tree.file(format!("in/{index:080}.png"), "");
    }
    let mut command = thumbnails(["in", "out"]);
    command.current_dir(tree.root());
    let mut run = Running::start(command);
    let mut stderr = run.child().stderr.take().expect("it is piped");
    stderr.read_exact(&mut [0]).expect("a message");
    (run, stderr)
}

#[test]
fn ctrl_c_ends_the_run_with_the_table() {
    let tree = Tree::new();
    let (mut run, mut stderr) = stuck(&tree);
    run.signal(Signal::INT);
    let (mut said, mut table) = (String::new(), String::new());
    stderr.read_to_string(&mut said).expect("text");
    run.stdout.take().expect("it is piped").read_to_string(&mut table).expect("text");
    let status = run.child().wait().expect("it ends").code();
    assert!(table.contains("\nencode "), "{table}");
    // The signal may find the last image done; nobody reads while it is sent, so most often the run is in the middle.
    match status {
        Some(130) => assert!(said.ends_with("\nthumbnails: interrupted\n"), "{said}"),
        _ => assert_eq!((said.lines().count(), status), (2000, Some(1))),
    }
}

#[test]
fn second_ctrl_c_ends_a_run_that_is_stuck() {
    let tree = Tree::new();
    let (mut run, _stderr) = stuck(&tree);
    while !run.has_ended() {
        run.signal(Signal::INT);
        std::thread::yield_now();
    }
    assert_eq!(run.child().wait().expect("it ends").code(), Some(130));
}
