//! What holds back: semaphores, rates, retries, object pools, routers and merges, with threads of the test.

use std::thread;
use std::time::Duration;

use gristmill::fan::RouteErrorKind;
use gristmill::sync::channel::bounded;
use gristmill::{
    AcquireError, Backoff, CircuitBreaker, Jitter, KeyedRateLimiter, ManualClock, Merge, Nest, ObjectPool,
    Policy, PolicyError, RateLimited, RateLimiter, ReceiveError, Retry, Router, Semaphore, TakeError,
    TimeLimit,
};

use super::super::script::{COUNT, End, Fault, ITEMS, Reason, Script};
use super::super::support::Counted;
use super::{Shape, shape};

/// As many threads as the script has workers, each of which does so for all items; the first end that is not the usual one.
fn on_threads(script: &Script, run: impl Fn(Counted) -> Result<(), End> + Sync) -> End {
    let run = &run;
    let shares = (0..script.workers()).map(|_| script.items()).collect::<Vec<_>>();
    thread::scope(|scope| {
        let threads: Vec<_> = shares
            .into_iter()
            .map(|items| scope.spawn(move || items.into_iter().try_for_each(run)))
            .collect();
        let ends = threads.into_iter().map(|thread| thread.join().expect("no panic"));
        ends.fold(End::Finished, |end, other| match (end, other) {
            (End::Finished, Err(other)) => other,
            (end, _) => end,
        })
    })
}

/// As that, on a clock that goes where somebody waits for it to be.
fn in_virtual_time(
    script: &Script,
    clock: &ManualClock,
    run: impl Fn(Counted) -> Result<(), End> + Send + Sync,
) -> End {
    thread::scope(|scope| {
        let runs = scope.spawn(move || on_threads(script, run));
        while !runs.is_finished() {
            match clock.next_instant() {
                Some(at) => clock.advance_to(at),
                None => thread::yield_now(),
            }
        }
        runs.join().expect("no panic")
    })
}

fn acquire_error(error: AcquireError) -> End {
    let AcquireError::Cancelled(cancelled) = error else { panic!("{error:?}") };
    End::Cancelled(cancelled)
}

fn rate_error(error: RateLimited) -> End {
    let RateLimited::Cancelled(cancelled) = error else { panic!("{error:?}") };
    End::Cancelled(cancelled)
}

/// Calls under a policy, one for each item.
fn under(script: &Script, policy: impl Policy<Fault> + Sync) -> End {
    on_threads(script, |item| {
        let called: Result<Counted, PolicyError<Fault>> =
            policy.call_with(script.token(), |_| script.step().map(|()| item.clone()));
        called.map(drop).map_err(Reason::end)
    })
}

pub(super) fn rows() -> Vec<Shape> {
    let all = [permits(), policies(), objects(), fans()].concat();
    // Each thread does what it has begun; and each call of a policy is one of its own.
    all.into_iter().map(|shape| shape.each_alone().late(2)).collect()
}

fn permits() -> Vec<Shape> {
    vec![
        shape("semaphore: acquire_with", |s| {
            let limit = Semaphore::new(1);
            let end = on_threads(s, |_| {
                let permit = limit.acquire_with(s.token()).map_err(acquire_error)?;
                s.pass();
                drop(permit);
                Ok(())
            });
            assert_eq!((limit.available(), limit.snapshot().waiting), (1, 0));
            end
        }),
        shape("rate: acquire_with", |s| {
            let clock = ManualClock::new();
            let rate = RateLimiter::builder(1, Duration::from_secs(60))
                .clock(clock.clone())
                .build()
                .expect("a rate");
            in_virtual_time(s, &clock, |_| {
                rate.acquire_with(s.token()).map_err(rate_error)?;
                s.pass();
                Ok(())
            })
        }),
        shape("rate: acquire_with a key", |s| {
            let clock = ManualClock::new();
            let rate = KeyedRateLimiter::builder(1, Duration::from_secs(60), 2);
            let rate = rate.clock(clock.clone()).build().expect("a rate");
            in_virtual_time(s, &clock, |item| {
                rate.acquire_with(&(item.number % 2), s.token()).map_err(rate_error)?;
                s.pass();
                Ok(())
            })
        }),
        shape("token: sleep", |s| {
            on_threads(s, |_| {
                s.token().sleep(Duration::ZERO).map_err(End::Cancelled)?;
                s.pass();
                Ok(())
            })
        }),
    ]
}

fn policies() -> Vec<Shape> {
    vec![
        shape("policy: semaphore within a rate", |s| {
            let rate = RateLimiter::new(1_000_000, Duration::from_secs(1)).expect("a rate");
            under(s, rate.around(Semaphore::new(1)))
        }),
        shape("policy: entry", |s| under(s, Semaphore::new(2).entry(2, Duration::MAX))),
        shape("policy: time limit", |s| under(s, TimeLimit::new(Duration::MAX))),
        shape("policy: time limit on a clock", |s| {
            let clock = ManualClock::new();
            under(s, TimeLimit::new(Duration::from_secs(1)).clock(clock))
        }),
        shape("policy: breaker", |s| under(s, CircuitBreaker::builder().build().expect("settings"))),
        shape("policy: retry", |s| {
            let clock = ManualClock::new();
            let retry = Retry::builder()
                .attempts(3)
                .backoff(Backoff::Constant(Duration::from_secs(60)))
                .jitter(Jitter::None)
                .clock(clock.clone())
                .build()
                .expect("settings");
            let end = in_virtual_time(s, &clock, |item| {
                let called = retry.call_with(s.token(), |attempt| {
                    s.pass();
                    if attempt.number() < 3 { Err(Fault(usize::MAX)) } else { Ok(item.clone()) }
                });
                called.map(drop).map_err(Reason::end)
            });
            assert_eq!(retry.report().sleeping, 0);
            end
        }),
    ]
}

fn objects() -> Vec<Shape> {
    vec![
        shape("objects: take_with", |s| {
            let [creates, checks, resets, disposes] = [0; 4].map(|_| s.clone());
            let objects = ObjectPool::builder(1, move || {
                creates.hook();
                creates.item(0)
            })
            .check(move |_| checks.hook() < usize::MAX)
            .reset(move |_| resets.hook() < usize::MAX)
            .dispose(move |_| _ = disposes.hook())
            .build()
            .expect("a capacity");
            let end = on_threads(s, |_| {
                let object = match objects.take_with(s.token()) {
                    Ok(object) => object,
                    Err(TakeError::Cancelled(cancelled)) => return Err(End::Cancelled(cancelled)),
                    Err(other) => panic!("{other:?}"),
                };
                s.pass();
                drop(object);
                Ok(())
            });
            let report = objects.report();
            assert_eq!((report.in_use, report.waiting), (0, 0), "{report:?}");
            assert_eq!(report.created, report.idle as u64 + report.discarded.total(), "{report:?}");
            end
        })
        // The last object is reset, and disposed of with the pool.
        .tail(5),
    ]
}

fn received(error: ReceiveError) -> Option<End> {
    match error {
        ReceiveError::Cancelled(cancelled) => Some(End::Cancelled(cancelled)),
        ReceiveError::Ended => None,
        other => panic!("{other:?}"),
    }
}

/// One sender, as many receivers as the script has workers; the lanes stay until the sender has ended.
fn routed(script: &Script, router: Router<Counted>, copies: usize) -> End {
    let lanes: Vec<_> = (0..script.workers()).map(|_| router.add_lane()).collect();
    let lanes = &lanes;
    thread::scope(|scope| {
        let receivers: Vec<_> = lanes
            .iter()
            .map(|lane| {
                scope.spawn(move || {
                    let mut count = 0;
                    loop {
                        match lane.recv_with(script.token()) {
                            Ok(_) => script.pass(),
                            Err(error) => break (count, received(error)),
                        }
                        count += 1;
                    }
                })
            })
            .collect();
        let sent = script.items().into_iter().try_for_each(|item| {
            match router.send_with(item, script.token()).map_err(|error| error.into_parts().1) {
                Ok(()) => {
                    script.pass();
                    Ok(())
                }
                Err(RouteErrorKind::Cancelled(cancelled)) => Err(End::Cancelled(cancelled)),
                Err(other) => panic!("{other:?}"),
            }
        });
        drop(router);
        let (mut end, mut count) = (sent.err(), 0);
        for receiver in receivers {
            let (received, other) = receiver.join().expect("no panic");
            count += received;
            end = end.or(other);
        }
        assert!(end.is_some() || count == copies * COUNT, "{count} received, and no word of the others");
        end.unwrap_or(End::Finished)
    })
}

fn merged(script: &Script, mut merge: Merge<Counted>) -> End {
    let mut count = 0;
    loop {
        match merge.recv_with(script.token()) {
            Ok(_) => script.pass(),
            Err(error) => {
                let end = received(error).unwrap_or(End::Finished);
                assert!(matches!(end, End::Cancelled(_)) || count == ITEMS);
                return end;
            }
        }
        count += 1;
    }
}

fn inputs(script: &Script) -> [gristmill::sync::channel::Receiver<Counted>; 2] {
    [0, 1].map(|half| {
        let (sender, receiver) = bounded(COUNT);
        for item in script.items().into_iter().filter(|item| item.number % 2 == half) {
            sender.send(item).expect("room");
        }
        receiver
    })
}

/// The last item that is sent may have two before it that are not received yet, one in the lane and one in the receiver's hand.
const RECEIVED_LATE: usize = 3;

fn fans() -> Vec<Shape> {
    vec![
        shape("router: shared queue", |s| routed(s, Router::shared_queue(1).expect("a capacity"), 1))
            .tail(RECEIVED_LATE),
        shape("router: round robin", |s| routed(s, Router::round_robin(1).expect("a capacity"), 1))
            .tail(RECEIVED_LATE),
        shape("router: least loaded", |s| routed(s, Router::least_loaded(1).expect("a capacity"), 1))
            .tail(RECEIVED_LATE),
        shape("router: by key", |s| {
            let script = s.clone();
            let key = move |item: &Counted| {
                script.hook();
                item.number
            };
            routed(s, Router::by_key(1, key).expect("a capacity"), 1)
        })
        .tail(RECEIVED_LATE),
        shape("router: broadcast", |s| routed(s, Router::broadcast(1).expect("a capacity"), s.workers()))
            .tail(RECEIVED_LATE),
        shape("merge: fair", |s| merged(s, Merge::fair(inputs(s)))),
        shape("merge: sorted", |s| {
            let script = s.clone();
            let compare = move |one: &Counted, other: &Counted| {
                script.hook();
                one.number.cmp(&other.number)
            };
            merged(s, Merge::sorted_by(inputs(s), compare))
        }),
        shape("merge: by sequence", |s| {
            merged(s, Merge::by_sequence(inputs(s), 2, |item: &Counted| item.number))
        }),
    ]
}
