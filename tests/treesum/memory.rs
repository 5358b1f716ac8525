//! Memory does not grow with the number of files or their size.

use std::fs;

use rustix::process::Signal;

use crate::support::{Running, Tree, treesum};

#[test]
fn memory_stays_bounded_on_a_large_directory_and_a_large_file() {
    const FILES: usize = 20_000;
    let tree = Tree::new();
    for index in 0..FILES {
        tree.file(format!("flat directory with names of some length {index:06}"), "");
    }
    tree.endless_file("z");
    let mut command = treesum(["--workers", "2"]);
    command.arg(tree.root());
    let mut run = Running::start(command);
    // All but the few that may share the last chunk with the file that takes hours.
    for _ in 0..FILES - 2000 {
        run.read_line();
    }
    let Ok(status) = fs::read_to_string(format!("/proc/{}/status", run.child().id())) else {
        println!("skipped: no /proc to read the peak from");
        return;
    };
    let peak: usize = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .expect("the peak of resident memory in KiB");
    run.signal(Signal::INT);
    assert_eq!(run.finish().2, Some(130));
    assert!(peak < 20 * 1024, "{peak} KiB at the peak");
}
