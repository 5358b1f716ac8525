//! Bytes by page of a made-up log: a router deals the lines to workers by page, each keeps sorted totals, and a merge makes one sorted list of them.
//!
//! The last worker is slow. Lines of a page that has none in flight go past its full lane, and so a page may have totals in more than one
//! worker: they come next to each other out of the merge, and are added up there.

#![allow(clippy::disallowed_methods, reason = "the door for threads and sleep is the library's own")]

use std::collections::BTreeMap;
use std::error::Error;
use std::thread;
use std::time::Duration;

use crossbeam_channel::bounded;
use gristmill::fan::{Lane, LaneRule, Merge, Router};

const LINES: u32 = 20_000;
const WORKERS: usize = 3;

struct Line {
    page: String,
    bytes: u64,
}

/// The same log each time, some pages far more often than others.
fn log() -> impl Iterator<Item = Line> {
    let mut state = 7_u32;
    (0..LINES).map(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let number = (state >> 16) % 100 * ((state >> 24) % 10) / 10;
        Line { page: format!("/page/{number:02}"), bytes: u64::from(state >> 20) }
    })
}

type Totals = BTreeMap<String, u64>;

/// What one worker does: lines of a page come to it one after the other, in their order.
fn add_up(lane: &Lane<Line>, pause: Duration) -> (Totals, u32) {
    let (mut totals, mut lines) = (Totals::new(), 0);
    for line in lane.iter() {
        if lines % 16 == 0 {
            thread::sleep(pause);
        }
        lines += 1;
        *totals.entry(line.page).or_default() += line.bytes;
    }
    (totals, lines)
}

fn main() -> Result<(), Box<dyn Error>> {
    let router = Router::by_key(32, |line: &Line| line.page.clone())?.slow_lanes(LaneRule::Skip);
    let merged = thread::scope(|scope| {
        let mut outputs = Vec::new();
        for worker in 0..WORKERS {
            let lane = router.add_lane();
            let (sender, output) = bounded(8);
            outputs.push(output);
            scope.spawn(move || {
                let (totals, lines) = add_up(&lane, Duration::from_millis(u64::from(worker == WORKERS - 1)));
                eprintln!("worker {worker}: {lines} lines, {} pages", totals.len());
                // Sorted by page, as a map of this kind is: what a sorted merge asks of its inputs.
                for total in totals {
                    if sender.send(total).is_err() {
                        return; // nobody merges any more
                    }
                }
            });
        }
        for line in log() {
            router.send(line)?;
        }
        drop(router); // the lanes end when they are empty
        let mut merged: Vec<(String, u64)> = Vec::new();
        for (page, bytes) in Merge::sorted(outputs) {
            match merged.last_mut() {
                Some((last, total)) if *last == page => *total += bytes,
                _ => merged.push((page, bytes)),
            }
        }
        Ok::<_, Box<dyn Error + Send + Sync>>(merged)
    });
    let merged = merged.map_err(|error| -> Box<dyn Error> { error })?;

    let mut expected = Totals::new();
    for line in log() {
        *expected.entry(line.page).or_default() += line.bytes;
    }
    if !expected.iter().eq(merged.iter().map(|(page, bytes)| (page, bytes))) {
        return Err("the totals are not those of one loop over the log".into());
    }
    let (largest, bytes) = merged.iter().max_by_key(|(_, bytes)| *bytes).ok_or("an empty log")?;
    println!("{LINES} lines, {} pages in order, as one loop has them", merged.len());
    println!("most bytes: {largest} with {bytes}");
    Ok(())
}
