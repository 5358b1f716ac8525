//! Completion order: nothing is lost, and nothing waits for what is slow.

use std::sync::Mutex;
use std::sync::mpsc;

use gristmill::{CancellationToken, Pipeline};

use super::support::{LIMIT, grid, grind, within_limit};

#[test]
fn nothing_is_lost_behind_a_serial_stage_that_follows_a_filter_or_flat_map() {
    for (workers, window) in grid().chain([(16, usize::MAX); 20]) {
        for local in [false, true] {
            let mut seen = Vec::new();
            let pipeline = Pipeline::from_iter(0..2000_u64)
                .workers(workers)
                .window(window)
                .unordered()
                .flat_map("none to three", |number| (0..number % 4).map(move |copy| (number, copy)))
                .serial("pass", |pair| pair)
                .map("grind", |pair| {
                    grind(if pair.0 % 37 == 3 { 30_000 } else { 5 });
                    pair
                });
            let token = CancellationToken::new();
            let report = if local {
                pipeline.for_each_local("see", |pair| seen.push(pair)).run(&token).unwrap()
            } else {
                pipeline.for_each("see", |pair| seen.push(pair)).run(&token).unwrap()
            };
            seen.sort_unstable();
            let all = (0..2000).flat_map(|number| (0..number % 4).map(move |copy| (number, copy)));
            assert!(
                seen.iter().copied().eq(all),
                "{} of 3000 arrived with {workers} workers, {window}",
                seen.len()
            );
            assert_eq!(report.finished(), 2000);
        }
    }
}

#[test]
fn slow_item_holds_up_no_other_result() {
    within_limit(|| {
        let (seen, others) = mpsc::channel::<i32>();
        let others = Mutex::new(others);
        Pipeline::from_iter(0..100)
            .workers(2)
            .unordered()
            .map("first waits for all others", |number| {
                if number == 0 {
                    let others = others.lock().unwrap();
                    (1..100).for_each(|_| assert!(others.recv_timeout(LIMIT).is_ok()));
                }
                number
            })
            .for_each("see", |number| seen.send(number).unwrap())
            .run(&CancellationToken::new())
            .unwrap();
    });
}
