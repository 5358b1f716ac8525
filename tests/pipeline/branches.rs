//! Several sinks and several sources: `tee`, `route`, `from_merge`.

use std::time::Duration;

use crossbeam_channel::bounded;
use gristmill::fan::{LaneRule, Merge, MergeInput, ReceiveError, RouteErrorKind, Router};
use gristmill::pipeline::FailedItem;
use gristmill::{CancellationToken, Pipeline, PipelineControl, PipelineErrorKind};

use super::support::{LIMIT, counts_close, grid, grind, within_limit};

#[test]
fn tees_give_every_sink_all_items_in_order() {
    for (workers, window) in grid() {
        let (first, first_receiver) = bounded(3);
        let (second, second_receiver) = bounded(100);
        let (main, report, sides) = std::thread::scope(|scope| {
            // A slow one, and one that is a pipeline.
            let slow =
                scope.spawn(|| first_receiver.iter().inspect(|_| _ = grind(300)).collect::<Vec<u64>>());
            let piped = scope.spawn(|| {
                let side = Pipeline::from_receiver(second_receiver).map("same", |number: u64| number);
                side.collect::<Vec<_>>().run(&CancellationToken::new()).unwrap().0
            });
            let (main, report) = Pipeline::from_iter(0..500_u64)
                .workers(workers)
                .window(window)
                .map("grind", |number| {
                    grind(number % 50);
                    number
                })
                .tee("slow", first)
                .tee("piped", second)
                .map("double", |number| number * 2)
                .collect::<Vec<_>>()
                .run(&CancellationToken::new())
                .unwrap();
            (main, report, [slow.join().unwrap(), piped.join().unwrap()])
        });
        assert!(sides.iter().all(|side| side.iter().copied().eq(0..500)));
        assert!(main.into_iter().eq((0..500).map(|number| number * 2)));
        counts_close(&report);
    }
}

#[test]
fn tee_without_a_receiver_ends_the_run_at_its_item() {
    for (workers, window) in grid() {
        let (sender, receiver) = bounded(1000);
        let mut receiver = Some(receiver);
        let mut seen = 0;
        let error = Pipeline::from_iter(0..500)
            .workers(workers)
            .window(window)
            .serial("leave", |number| {
                if number == 40 {
                    receiver = None;
                }
                number
            })
            .tee("copy", sender)
            .for_each("count", |_| seen += 1)
            .run(&CancellationToken::new())
            .unwrap_err();
        let PipelineErrorKind::ReceiverGone { stage, index, source: None } = error.kind() else {
            panic!("{error}")
        };
        // What the channel took before has its place in the order.
        assert_eq!((stage.as_str(), *index), ("copy", seen));
        assert!(seen <= 40);
        counts_close(error.report());
    }
}

#[test]
fn cancellation_ends_a_tee_that_waits_for_room() {
    for (workers, window) in grid() {
        within_limit(move || {
            let (sender, receiver) = bounded(1);
            let token = CancellationToken::new();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    // Full from the second on.
                    receiver.recv().unwrap();
                    while !receiver.is_full() {
                        std::thread::yield_now();
                    }
                    token.cancel();
                });
                let error = Pipeline::from_iter(0..)
                    .workers(workers)
                    .window(window)
                    .tee("copy", sender)
                    .for_each("drop", drop)
                    .run(&token)
                    .unwrap_err();
                assert!(error.is_cancelled(), "{error}");
                counts_close(error.report());
            });
            drop(receiver);
        });
    }
}

#[test]
fn broadcast_through_a_router_reaches_every_lane() {
    for (workers, window) in grid() {
        let router = Router::broadcast(8).unwrap();
        let lanes = [router.add_lane(), router.add_lane(), router.add_lane()];
        std::thread::scope(|scope| {
            let seen = lanes.map(|lane| scope.spawn(move || lane.iter().collect::<Vec<u32>>()));
            let report = Pipeline::from_iter(0..500)
                .workers(workers)
                .window(window)
                .map("same", |number| number)
                .route("all", &router)
                .run(&CancellationToken::new())
                .unwrap();
            counts_close(&report);
            drop(router);
            for lane in seen {
                assert!(lane.join().unwrap().into_iter().eq(0..500));
            }
        });
    }
}

#[test]
fn route_ends_the_run_where_the_router_says_no_and_loses_nothing_that_it_took() {
    for rule in [LaneRule::Wait, LaneRule::Refuse] {
        let router = Router::round_robin(4).unwrap().slow_lanes(rule).dead_lanes(LaneRule::Refuse);
        let lane = router.add_lane();
        let token = CancellationToken::new();
        let stop = token.clone();
        let full = lane.receiver().clone();
        let error = std::thread::scope(|scope| {
            if matches!(rule, LaneRule::Wait) {
                scope.spawn(move || {
                    while !full.is_full() {
                        std::thread::yield_now();
                    }
                    stop.cancel();
                });
            }
            Pipeline::from_iter(0..100).workers(2).route("one", &router).run(&token).unwrap_err()
        });
        match (rule, error.kind()) {
            (LaneRule::Wait, PipelineErrorKind::Cancelled(_)) => {}
            (
                LaneRule::Refuse,
                PipelineErrorKind::NotRouted { stage, index: 4, source: RouteErrorKind::Full },
            ) => {
                assert_eq!((stage.as_str(), error.index(), error.stage()), ("one", Some(4), Some("one")));
                assert_eq!(error.to_string(), "one could not send item 4: the lane is full");
            }
            _ => panic!("{error}"),
        }
        counts_close(error.report());
        drop(router);
        assert!(lane.iter().eq(0..4));
    }
}

#[test]
fn route_without_lanes_ends_the_run() {
    let router = Router::shared_queue(4).unwrap();
    let error = Pipeline::from_iter(0..3).route("none", &router).run(&CancellationToken::new()).unwrap_err();
    assert!(
        matches!(error.kind(), PipelineErrorKind::NotRouted { source: RouteErrorKind::NoLanes, .. }),
        "{error}"
    );
}

#[test]
fn several_pipelines_are_merged_into_one() {
    for (workers, window) in grid().filter(|(workers, _)| *workers < 16) {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..3).map(|_| bounded(5)).unzip();
        let token = CancellationToken::new();
        let (numbers, report) = std::thread::scope(|scope| {
            for (part, sender) in (0_u64..).zip(senders) {
                let token = &token;
                scope.spawn(move || {
                    Pipeline::from_iter((0..100).map(move |number| 3 * number + part))
                        .workers(2)
                        .map("same", |number| number)
                        .send(sender)
                        .run(token)
                        .unwrap();
                });
            }
            Pipeline::from_merge(Merge::sorted(receivers))
                .workers(workers)
                .window(window)
                .map("same", |number| number)
                .collect::<Vec<_>>()
                .run(&token)
                .unwrap()
        });
        assert!(numbers.into_iter().eq(0..300));
        counts_close(&report);
    }
}

#[test]
fn what_a_merge_did_not_deliver_stays_in_its_inputs() {
    for (workers, window) in grid() {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..2).map(|_| bounded(50)).unzip();
        for number in 0..100_usize {
            senders[number % 2].send(number).unwrap();
        }
        let inputs: Vec<MergeInput<_>> = receivers.into_iter().map(MergeInput::from).collect();
        let control = PipelineControl::new();
        let (seen, report) = Pipeline::from_merge(Merge::sorted(inputs.clone()))
            .workers(workers)
            .window(window)
            .controlled_by(&control)
            .inspect("close", |number| {
                if *number == 30 {
                    control.close();
                }
            })
            .collect::<Vec<_>>()
            .run(&CancellationToken::new())
            .unwrap();
        let mut rest: Vec<_> = inputs
            .into_iter()
            .flat_map(|input| {
                let (held, receiver) = input.into_parts();
                held.into_iter().chain(receiver.try_iter()).collect::<Vec<_>>()
            })
            .collect();
        rest.sort_unstable();
        assert!(seen.iter().chain(&rest).copied().eq(0..100), "{seen:?} {rest:?}");
        assert_eq!(report.finished(), seen.len() as u64);
        drop(senders);
    }
}

#[test]
fn gap_in_a_sequence_ends_the_run_after_what_comes_before() {
    for (workers, window) in grid() {
        let (sender, receiver) = bounded(10);
        for number in [1_u64, 0, 2, 5, 4] {
            sender.send(number).unwrap();
        }
        drop(sender);
        let mut seen = Vec::new();
        let error = Pipeline::from_merge(Merge::by_sequence([receiver], 8, |number| *number))
            .workers(workers)
            .window(window)
            .for_each("see", |number| seen.push(number))
            .run(&CancellationToken::new())
            .unwrap_err();
        let gap = ReceiveError::Gap { missing: 3, found: 4 };
        assert_eq!(error.to_string(), format!("source failed at item 3: {gap}"));
        assert!(matches!(error.kind(), PipelineErrorKind::NotReceived { index: 3, .. }));
        assert_eq!(seen, [0, 1, 2]);
        counts_close(error.report());
    }
}

#[test]
fn batch_from_a_merge_goes_on_when_its_time_has_come_and_a_wait_ends_by_cancellation() {
    for workers in [1, 2] {
        within_limit(move || {
            let (sender, receiver) = bounded(4);
            let (results, seen) = bounded(4);
            let token = CancellationToken::new();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    for item in 0..3 {
                        sender.send(item).unwrap();
                        assert_eq!(seen.recv_timeout(LIMIT).expect("the batch goes on"), [item]);
                    }
                    token.cancel();
                });
                let error = Pipeline::from_merge(Merge::fair([receiver]))
                    .workers(workers)
                    .batch(10)
                    .batch_timeout(Duration::from_millis(2))
                    .send(results)
                    .run(&token)
                    .unwrap_err();
                assert!(error.is_cancelled(), "{error}");
            });
        });
    }
}

/// Neither side buffers anything, and each looks for the other.
#[test]
fn pipelines_meet_in_channels_without_a_buffer() {
    for workers in [1, 3] {
        within_limit(move || {
            let (copies, side) = bounded(0);
            let (results, receiver) = bounded(0);
            let (failures, failed) = bounded(0);
            let token = CancellationToken::new();
            std::thread::scope(|scope| {
                let collect = |receiver| {
                    let pipeline = Pipeline::from_receiver(receiver).workers(workers);
                    pipeline.collect::<Vec<u32>>().run(&token).unwrap().0
                };
                let side = scope.spawn(move || collect(side));
                let failed = scope.spawn(|| {
                    let pipeline = Pipeline::from_receiver(failed).workers(workers);
                    pipeline
                        .fold("count", 0, |count, _: FailedItem<u32, &str>| count + 1)
                        .run(&token)
                        .unwrap()
                        .0
                });
                let merged = scope.spawn(|| {
                    let pipeline = Pipeline::from_merge(Merge::fair([receiver])).workers(workers);
                    pipeline.collect::<Vec<u32>>().run(&token).unwrap().0
                });
                Pipeline::from_iter(0..100)
                    .workers(workers)
                    .tee("copy", copies)
                    .try_map("odd", |number| if number % 2 == 1 { Ok(number) } else { Err("even") })
                    .divert_errors(failures)
                    .send(results)
                    .run(&token)
                    .unwrap();
                assert!(side.join().unwrap().into_iter().eq(0..100));
                assert_eq!(failed.join().unwrap(), 50);
                assert_eq!(merged.join().unwrap().len(), 50);
            });
        });
    }
}

#[test]
fn cancellation_ends_a_wait_in_a_channel_without_a_buffer() {
    within_limit(|| {
        let (results, receiver) = bounded(0);
        let token = CancellationToken::new();
        let stop = token.clone();
        let source = (0..10).inspect(|number| {
            if *number == 3 {
                stop.cancel();
            }
        });
        let error = Pipeline::from_iter(source).workers(2).send(results).run(&token).unwrap_err();
        assert!(error.is_cancelled(), "{error}");
        drop(receiver);
    });
}
