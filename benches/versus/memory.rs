//! Memory by number of items: what is bounded takes the same for a thousand times as many.
//!
//! Each case runs in a process of its own, which prints the largest resident size it ever had.

use super::{
    by_hand,
    grind::{Sum, in_order, ordered_sum, unordered_sum, work},
    harness::Bench,
    maps,
    options::Options,
    ours, peers,
    table::Table,
};
use std::{env, fs, process::Command, process::ExitCode};

const FEW: u32 = 100_000;
const MANY: u32 = 100_000_000;
/// Rounds per item.
pub(crate) const ROUNDS: u32 = 10;

/// Does the work over that many items with that many workers; returns the sum.
pub(crate) type Way = fn(u64, usize) -> u64;

/// Every case, and whether its sum depends on the order.
const WAYS: [(&str, Sum, Way); 5] = [
    ("loop", Sum::InOrder, |items, _| (0..items).map(stage).fold(0, in_order)),
    ("crossbeam by hand, chunks of 256", Sum::InOrder, |items, workers| {
        by_hand::in_chunks(items, 256, workers, stage)
    }),
    ("rayon `par_bridge` (no order)", Sum::AnyOrder, |items, workers| {
        maps::par_bridge(&peers::rayon(workers), items, stage)
    }),
    ("rayon `par_iter` over a collected `Vec`", Sum::InOrder, |items, workers| {
        maps::par_iter(&peers::rayon(workers), items, stage)
    }),
    ("gristmill, window 1024", Sum::InOrder, ours::memory),
];

pub(crate) fn stage(index: u64) -> u64 {
    work(index, ROUNDS)
}

pub(crate) fn run(bench: &mut Bench) {
    let title = "memory by number of items";
    if !bench.wants(title) {
        return;
    }
    eprintln!("{title} ...");
    let (few, many) = (bench.items(FEW), bench.items(MANY));
    let columns = [format!("{few} items"), format!("{many} items")];
    let title = format!("{title}, largest resident size in KiB");
    let mut table = Table::new(title, &["case", &columns[0], &columns[1], "difference"]);
    let sums = [few, many].map(|items| (ordered_sum(items, ROUNDS), unordered_sum(items, ROUNDS)));
    for (name, order, _) in WAYS {
        let mut peak = |items: u32, (ordered, unordered): (u64, u64)| -> Option<i64> {
            let expected = match order {
                Sum::InOrder => ordered,
                Sum::AnyOrder => unordered,
            };
            let (sum, peak) = in_child(name, items, bench.workers());
            if sum != expected {
                bench.fault(format!(
                    "memory: {name}: sum {sum:#x} instead of {expected:#x} over {items} items"
                ));
            }
            peak
        };
        let cells = match (peak(few, sums[0]), peak(many, sums[1])) {
            (Some(few), Some(many)) => [few, many, many - few].map(|size| size.to_string()),
            _ => ["not measured: no /proc here", "", ""].map(String::from),
        };
        table.row([vec![name.to_owned()], cells.to_vec()].concat());
    }
    table.print();
}

/// Runs a case in a process of its own; returns its sum and, where the system tells it, its peak size in KiB.
fn in_child(name: &str, items: u32, workers: usize) -> (u64, Option<i64>) {
    let output = Command::new(env::current_exe().expect("this program knows its own path"))
        .args([
            "--memory-case",
            name,
            "--memory-items",
            &items.to_string(),
            "--workers",
            &workers.to_string(),
        ])
        .output()
        .expect("this program can start itself");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("the child prints numbers");
    let mut numbers = text.split_whitespace();
    let sum = numbers.next().and_then(|sum| sum.parse().ok()).expect("the child prints its sum first");
    (sum, numbers.next().and_then(|peak| peak.parse().ok()))
}

/// The child's part of `in_child`: prints the sum and the peak.
pub(crate) fn run_child(name: &str, options: &Options) -> ExitCode {
    let Some((_, _, way)) = WAYS.into_iter().find(|(known, ..)| *known == name) else {
        eprintln!("no memory case is called {name:?}");
        return ExitCode::from(2);
    };
    let items = options.memory_items.map_or(0, u64::from);
    println!("{}", way(items, options.workers.get()));
    if let Some(peak) = peak_resident_size() {
        println!("{peak}");
    }
    ExitCode::SUCCESS
}

/// The largest resident size that this process has had, in KiB; nothing where there is no `/proc`.
fn peak_resident_size() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?
        .trim()
        .trim_end_matches("kB")
        .trim()
        .parse()
        .ok()
}
