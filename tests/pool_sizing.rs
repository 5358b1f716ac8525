//! The sizing presets follow the cores that the process may use.
//!
//! The numbers under a narrower affinity mask are seen by running this binary again as a child under `taskset`.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gristmill::{ThreadPool, ThreadPoolBuilder};

type Preset = fn(ThreadPoolBuilder<'static>) -> ThreadPoolBuilder<'static>;

const PRESETS: [Preset; 4] = [
    ThreadPoolBuilder::cpu_bound,
    ThreadPoolBuilder::io_bound,
    ThreadPoolBuilder::mixed,
    ThreadPoolBuilder::physical_cores,
];

/// How many workers a pool of these settings starts.
fn started(settings: ThreadPoolBuilder<'static>) -> usize {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let pool = settings.on_worker_start(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    // Joined by the drop.
    drop(pool.build().expect("good settings"));
    count.load(Ordering::Relaxed)
}

/// The workers of a pool of each preset.
fn workers() -> [usize; PRESETS.len()] {
    PRESETS.map(|preset| started(preset(ThreadPool::builder())))
}

#[test]
fn presets_are_multiples_of_the_default() {
    let cores = started(ThreadPool::builder());
    let [cpu_bound, io_bound, mixed, physical] = workers();
    assert_eq!([cpu_bound, io_bound, mixed], [cores, 2 * cores, (3 * cores).div_ceil(2)]);
    assert!((1..=cores).contains(&physical), "{physical} physical cores of {cores}");
}

#[test]
fn last_setting_of_the_number_counts() {
    assert_eq!(started(ThreadPool::builder().cpu_bound().workers(3)), 3);
    assert_eq!(started(ThreadPool::builder().workers(0).io_bound().workers(3)), 3);
    assert_eq!(started(ThreadPool::builder().workers(usize::MAX).cpu_bound()), workers()[0]);
}

/// The part that the child plays; as a test by itself it only counts.
#[test]
fn child_prints_its_workers() {
    let [cpu_bound, io_bound, mixed, physical] = workers();
    println!("workers: {cpu_bound} {io_bound} {mixed} {physical}.");
}

/// The CPUs that this thread may run on, as Linux lists them: `0-3,8`.
fn allowed_cpus() -> Option<Vec<usize>> {
    let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
    let ranges = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let mut cpus = Vec::new();
    for range in ranges.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        cpus.extend(first.parse::<usize>().ok()?..=last.parse().ok()?);
    }
    Some(cpus)
}

/// What the child prints when it may use these CPUs only; `None` where there is no `taskset`.
fn printed_by_child_on(cpus: &[usize]) -> Option<String> {
    let list = cpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let mut child = Command::new("taskset");
    child.arg("-c").arg(list).arg(std::env::current_exe().expect("a running test has a path"));
    let output = child.args(["--exact", "child_prints_its_workers", "--nocapture"]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    Some(text)
}

#[test]
fn presets_follow_the_affinity_mask() {
    let Some(cpus) = allowed_cpus() else {
        return eprintln!("skipped: this platform does not list the CPUs of a thread");
    };
    let one = cpus.first().map(|cpu| vec![*cpu]).expect("it runs on one");
    let two: Vec<usize> = cpus.iter().copied().take(2).collect();
    for (mask, expected) in [(one, "workers: 1 2 2 1."), (two, "workers: 2 4 3 ")] {
        if mask.len() == 1 && expected.contains('3') {
            eprintln!("skipped for two CPUs: there is one");
            continue;
        }
        let Some(printed) = printed_by_child_on(&mask) else {
            return eprintln!("skipped: there is no taskset");
        };
        // A quota of a single core overrules a mask of two.
        let is_limited = mask.len() == 2 && workers()[0] == 1;
        assert!(is_limited || printed.contains(expected), "on {mask:?}, in place of {expected}: {printed}");
    }
}
