//! Memory does not grow with the file.

use std::fs;
use std::io::Read;

use rustix::process::Signal;

use crate::example::{Running, Tree};
use crate::support::{member, pgzip};

/// The peak of resident memory in KiB, once so many bytes have come out.
fn peak_after(mut run: Running, bytes: u64) -> Option<usize> {
    let stdout = run.stdout.as_mut().expect("it is piped");
    std::io::copy(&mut stdout.take(bytes), &mut std::io::sink()).expect("it is readable");
    let status = fs::read_to_string(format!("/proc/{}/status", run.child().id())).ok();
    run.signal(Signal::INT);
    run.finish();
    let Some(status) = status else {
        println!("skipped: no /proc to read the peak from");
        return None;
    };
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line with the peak");
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn memory_stays_bounded_on_a_large_file_that_nobody_reads_fast() {
    let tree = Tree::new();
    let mut command = pgzip(["-p", "2", "-1", "-c"]);
    command.arg(tree.endless_file("endless"));
    // A block of zeroes becomes less than 200 bytes: these are 50 MiB of them.
    if let Some(peak) = peak_after(Running::start(command), 80_000) {
        assert!(peak < 20 * 1024, "{peak} KiB at the peak");
    }
}

#[test]
fn memory_stays_bounded_on_a_small_file_that_becomes_large() {
    let tree = Tree::new();
    let bomb = tree.file("bomb.gz", member(&vec![0; 64 << 20]));
    let mut command = pgzip(["-dc"]);
    command.arg(bomb);
    if let Some(peak) = peak_after(Running::start(command), 48 << 20) {
        assert!(peak < 20 * 1024, "{peak} KiB at the peak");
    }
}
