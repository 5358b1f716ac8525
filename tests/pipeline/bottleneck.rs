//! The report names the stage that limits a run, where the answer is known: one stage takes a hundred times what the others do.

use gristmill::{CancellationToken, Pipeline};

use super::support::{grind, vague};

const LIGHT: u64 = 1_000;
const HEAVY: u64 = 100_000;

fn limit(source: u64, first: u64, second: u64, serial: u64, sink: u64) -> (String, bool) {
    let report = Pipeline::from_iter(vague(0..100_u64).inspect(|_| _ = grind(source)))
        .workers(2)
        .window(32)
        .inspect("first", |_| _ = grind(first))
        .inspect("second", |_| _ = grind(second))
        .serial("serial", |item| {
            grind(serial);
            item
        })
        .for_each("sink", |_| _ = grind(sink))
        .run(&CancellationToken::new())
        .unwrap();
    let bottleneck = report.bottleneck().unwrap();
    (bottleneck.stage().name().to_owned(), bottleneck.is_short_of_workers())
}

#[test]
fn stage_that_takes_a_hundred_times_what_the_others_do_is_named() {
    let cases = [
        ("source", [HEAVY, LIGHT, LIGHT, LIGHT, LIGHT]),
        ("first", [LIGHT, HEAVY, LIGHT, LIGHT, LIGHT]),
        ("second", [LIGHT, LIGHT, HEAVY, LIGHT, LIGHT]),
        ("serial", [LIGHT, LIGHT, LIGHT, HEAVY, LIGHT]),
        ("sink", [LIGHT, LIGHT, LIGHT, LIGHT, HEAVY]),
    ];
    for (name, [source, first, second, serial, sink]) in cases {
        let (named, _) = limit(source, first, second, serial, sink);
        assert_eq!(named, name);
    }
}

#[test]
fn only_worker_is_always_short() {
    let report = Pipeline::from_iter(0..100_u64)
        .workers(1)
        .inspect("grind", |_| _ = grind(HEAVY))
        .for_each("drop", drop)
        .run(&CancellationToken::new())
        .unwrap();
    let bottleneck = report.bottleneck().unwrap();
    assert!(bottleneck.is_short_of_workers(), "{report}");
    assert_eq!(bottleneck.stage().name(), "grind");
}
