//! Runs that end early: by signal, by a reader that goes away, by a disk that is full.

use std::fs::{self, File};
use std::io::Read;
use std::process::Stdio;

use rustix::process::Signal;

use crate::example::{Running, Tree};
use crate::support::{noise, pgzip};

/// A run on a file that takes hours; the file that it writes has appeared.
fn in_the_middle(tree: &Tree) -> Running {
    tree.endless_file("endless");
    let mut command = pgzip(["endless"]);
    command.current_dir(tree.root());
    let mut run = Running::start(command);
    while fs::read_dir(tree.root()).expect("readable").count() < 2 {
        assert!(!run.has_ended(), "{:?}", run.finish());
        std::thread::yield_now();
    }
    run
}

fn signalled(signal: Signal) -> (String, String, Option<i32>) {
    let tree = Tree::new();
    let run = in_the_middle(&tree);
    run.signal(signal);
    let outcome = run.finish();
    assert!(tree.path("endless").is_file(), "what was not compressed is kept");
    assert_eq!(fs::read_dir(tree.root()).expect("readable").count(), 1, "nothing is left beside it");
    outcome
}

#[test]
fn ctrl_c_ends_the_run_and_leaves_nothing_half_written() {
    let said = "pgzip: endless: interrupted\n".to_owned();
    assert_eq!(signalled(Signal::INT), (String::new(), said, Some(130)));
}

#[test]
fn sigterm_ends_the_run_with_its_own_status() {
    assert_eq!(signalled(Signal::TERM).2, Some(143));
}

#[test]
fn second_signal_ends_the_run_at_once_and_leaves_nothing_half_written_either() {
    let tree = Tree::new();
    let run = in_the_middle(&tree);
    // Both are there when it goes on: it hardly has the time to end by the first.
    for signal in [Signal::STOP, Signal::INT, Signal::TERM, Signal::CONT] {
        run.signal(signal);
    }
    assert!(matches!(run.finish().2, Some(130 | 143)));
    assert_eq!(fs::read_dir(tree.root()).expect("readable").count(), 1);
}

#[test]
fn ctrl_c_ends_a_wait_for_standard_input() {
    let mut command = pgzip(["-d"]);
    command.stdin(Stdio::piped());
    let mut run = Running::start(command);
    let mut stdin = run.child().stdin.take().expect("it is piped");
    // What was read before is written: then the run waits for more.
    let member = crate::support::member(b"grist");
    std::io::Write::write_all(&mut stdin, &member).expect("it reads");
    let mut first = [0; 5];
    run.stdout.as_mut().expect("it is piped").read_exact(&mut first).expect("the first member is out");
    assert_eq!(&first, b"grist");
    run.signal(Signal::INT);
    assert_eq!(run.finish(), (String::new(), "pgzip: standard input: interrupted\n".to_owned(), Some(130)));
}

#[test]
fn closed_stdout_ends_the_run_quietly() {
    let tree = Tree::new();
    let path = tree.endless_file("endless");
    for name in [path, tree.file("noise", noise(1 << 20))] {
        let mut command = pgzip(["-c"]);
        command.arg(name);
        let mut run = Running::start(command);
        drop(run.stdout.take());
        assert_eq!(run.finish(), (String::new(), String::new(), Some(141)));
    }
}

#[test]
fn full_disk_is_said() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        println!("skipped: no /dev/full");
        return;
    };
    let output = pgzip([""; 0]).stdout(full).output().expect("it runs");
    let said = "pgzip: standard input: write error: No space left on device\n";
    assert_eq!((String::from_utf8_lossy(&output.stderr).as_ref(), output.status.code()), (said, Some(1)));
}
