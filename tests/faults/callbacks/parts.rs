//! Callbacks of tokens, routers and merges, object pools, semaphores, policies and watches.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use gristmill::{
    Alerts, CancellationToken, CircuitBreaker, KeyedRateLimiter, Lane, Measured, Merge, Nest, ObjectPool,
    ObjectPoolBuilder, Policy, Retry, Router, Semaphore, TakeError, Threshold, Watch,
};

use crate::support::{Counted, LONG, until};
use crate::trial::{Fragile, Hear, Heard, Row, Told, Trial, thrown};

/// The first of several that heard something; all of them are tried.
fn any(heard: impl IntoIterator<Item = Option<Heard>>) -> Option<Heard> {
    heard.into_iter().collect::<Vec<_>>().into_iter().flatten().next()
}

/// A cause whose text panics.
struct Cause(Counted, Trial);

impl fmt::Debug for Cause {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.1.touch();
        Ok(())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.1.touch();
        let _ = &self.0;
        Ok(())
    }
}

impl std::error::Error for Cause {}

pub(super) const CANCEL: &[Row] = &[
    Row {
        name: "on_cancel",
        of: &["cancel::CancellationToken::on_cancel"],
        told: Told::Hook,
        run: |t| {
            let token = CancellationToken::new();
            let called: Vec<_> = (0..3)
                .map(|number| {
                    let (t, held) = (t.clone(), t.item(number));
                    token.on_cancel(move |_| {
                        t.touch();
                        drop(held);
                    })
                })
                .collect();
            assert!(token.cancel());
            until("all were called", || t.ledger.live() == 0);
            drop(called);
            None
        },
    },
    Row {
        name: "on_cancel of a deadline",
        of: &[],
        told: Told::Hook,
        run: |t| {
            let token = CancellationToken::with_timeout(Duration::from_millis(1));
            for number in 0..3 {
                let (t, held) = (t.clone(), t.item(number));
                token
                    .on_cancel(move |_| {
                        t.touch();
                        drop(held);
                    })
                    .detach();
            }
            until("all were called", || t.ledger.live() == 0);
            None
        },
    },
    Row {
        name: "text of a cause",
        of: &[],
        told: Told::Caller,
        run: |t| {
            let token = CancellationToken::new();
            let child = token.child_with_timeout_cause(LONG, "late");
            token.cancel_with(Cause(t.item(0), t.clone()));
            let cause = child.cause().expect("its parent is cancelled");
            let heard = thrown(|| cause.cause().expect("it was given one").to_string());
            assert!(child.check().is_err());
            heard
        },
    },
];

/// What is cloned for each lane, hashed and compared, with a panic in one of these.
struct Thing {
    item: Counted,
    t: Trial,
    place: char,
}

impl Thing {
    fn new(t: &Trial, number: u64, place: char) -> Self {
        Self { item: t.item(number), t: t.clone(), place }
    }

    fn touch(&self, place: char) {
        if self.place == place {
            self.t.touch();
        }
    }
}

impl Clone for Thing {
    fn clone(&self) -> Self {
        self.touch('c');
        Self { item: self.item.clone(), t: self.t.clone(), place: self.place }
    }
}

impl Hash for Thing {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.touch('h');
        self.item.number.hash(state);
    }
}

impl PartialEq for Thing {
    fn eq(&self, other: &Self) -> bool {
        self.touch('e');
        self.item.number == other.item.number
    }
}

impl Eq for Thing {}

impl PartialOrd for Thing {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Thing {
    fn cmp(&self, other: &Self) -> Ordering {
        self.touch('o');
        self.item.number.cmp(&other.item.number)
    }
}

/// Sends through two lanes; each send may panic, and the next ones work.
fn routed<T>(router: &Router<T>, items: impl IntoIterator<Item = T>) -> Option<Heard> {
    let lanes: [Lane<T>; 2] = [router.add_lane(), router.add_lane()];
    let heard = any(items.into_iter().map(|item| thrown(|| router.try_send(item).map_err(drop))));
    let snapshot = router.snapshot();
    assert_eq!(snapshot.lanes.len(), 2);
    for lane in &lanes {
        while let Ok(item) = lane.try_recv() {
            drop(item);
        }
    }
    heard
}

/// Inputs with things in them.
fn inputs(t: &Trial, place: char) -> [gristmill::sync::channel::Receiver<Thing>; 2] {
    [[0, 2, 4], [1, 3, 5]].map(|numbers| {
        let (sender, receiver) = gristmill::sync::channel::bounded(3);
        for number in numbers {
            sender.send(Thing::new(t, number, place)).expect("there is room");
        }
        receiver
    })
}

/// Receives all: a call that panics has delivered nothing and lost nothing, and the next asks again.
fn merged(merge: &mut Merge<Thing>) -> Option<Heard> {
    let mut heard = Vec::new();
    let mut seen = Vec::new();
    // If every call panics there is no end.
    for _ in 0..100 {
        let mut ended = false;
        heard.push(thrown(|| match merge.recv() {
            Ok(thing) => seen.push(thing.item.number),
            Err(_) => ended = true,
        }));
        if ended {
            assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
            break;
        }
    }
    any(heard)
}

pub(super) const FAN: &[Row] = &[
    Row {
        name: "key of a router",
        of: &["fan::Router::by_key"],
        told: Told::Caller,
        run: |t| {
            let key = t.clone();
            let router = Router::by_key(9, move |item: &Counted| {
                key.touch();
                item.number
            });
            routed(&router.expect("good capacity"), (0..4).map(|number| t.item(number)))
        },
    },
    Row {
        name: "hash of a router's key",
        of: &["fan::Router::by_key"],
        told: Told::Caller,
        run: |t| {
            let maker = t.clone();
            let router = Router::by_key(9, move |number: &u64| Thing::new(&maker, *number, 'h'));
            routed(&router.expect("good capacity"), 0..4)
        },
    },
    Row {
        name: "choice of a router",
        of: &["fan::Router::custom"],
        told: Told::Caller,
        run: |t| {
            let choose = t.clone();
            let router = Router::custom(9, move |_: &Counted, lanes: &[_]| {
                choose.touch();
                lanes.first().map(|lane: &gristmill::fan::LaneSnapshot| lane.id)
            });
            routed(&router.expect("good capacity"), (0..4).map(|number| t.item(number)))
        },
    },
    Row {
        name: "clone of a broadcast",
        of: &["fan::Router::broadcast"],
        told: Told::Caller,
        run: |t| {
            let router = Router::broadcast(9).expect("good capacity");
            routed(&router, (0..4).map(|number| Thing::new(t, number, 'c')))
        },
    },
    Row {
        name: "order of a sorted merge",
        of: &["fan::Merge::sorted"],
        told: Told::Caller,
        run: |t| merged(&mut Merge::sorted(inputs(t, 'o'))),
    },
    Row {
        name: "comparison of a sorted merge",
        of: &["fan::Merge::sorted_by"],
        told: Told::Caller,
        run: |t| {
            let compare = t.clone();
            let compare = move |one: &Thing, other: &Thing| {
                compare.touch();
                one.item.number.cmp(&other.item.number)
            };
            merged(&mut Merge::sorted_by(inputs(t, '-'), compare))
        },
    },
    Row {
        name: "number of a merge",
        of: &["fan::Merge::by_sequence"],
        told: Told::Caller,
        run: |t| {
            let number = t.clone();
            let number = move |thing: &Thing| {
                number.touch();
                thing.item.number
            };
            merged(&mut Merge::by_sequence(inputs(t, '-'), 9, number))
        },
    },
    Row {
        name: "next of the inputs of a merge",
        of: &["fan::Merge::fair", "fan::Merge::by_priority"],
        told: Told::Caller,
        run: |t| {
            let inputs = || inputs(t, '-').into_iter().inspect(|_| t.touch());
            any([
                thrown(|| Merge::fair(inputs())),
                thrown(|| Merge::by_priority(inputs())),
                thrown(|| Merge::sorted(inputs())),
            ])
        },
    },
];

impl<T, E: fmt::Debug> Hear for Result<T, TakeError<E>> {
    fn hear(self) -> Option<Heard> {
        match self {
            Err(TakeError::CreatePanicked(panic)) => Some((&panic).into()),
            Err(error) => panic!("{error:?}"),
            Ok(_) => None,
        }
    }
}

/// Takes and returns, some at once, and then closes: what was made was given up.
fn recycled(t: &Trial, builder: ObjectPoolBuilder<Counted>) -> Option<Heard> {
    let pool = builder.build().expect("good settings");
    let heard = any((0..3).flat_map(|_| {
        let (one, two) = (pool.take(), pool.take());
        [one.hear(), two.hear()]
    }));
    t.defuse();
    // A panic has cost no place.
    let all: Vec<_> = (0..2).map(|_| pool.take_timeout(LONG).expect("all places are free")).collect();
    drop(all);
    assert!(pool.close());
    heard
}

fn objects(t: &Trial) -> ObjectPoolBuilder<Counted> {
    let t = t.clone();
    ObjectPool::builder(2, move || t.item(0))
}

pub(super) const RECYCLE: &[Row] = &[
    Row {
        name: "maker of objects",
        of: &["recycle::ObjectPool::builder"],
        told: Told::Error("create hook"),
        run: |t| {
            let make = t.clone();
            let make = move || {
                make.touch();
                make.item(0)
            };
            recycled(t, ObjectPool::builder(2, make))
        },
    },
    Row {
        name: "maker of objects that may fail",
        of: &["recycle::ObjectPool::try_builder"],
        told: Told::Error("create hook"),
        run: |t| {
            let make = t.clone();
            let make = move || {
                make.touch();
                Ok::<_, &str>(make.item(0))
            };
            let pool = ObjectPool::try_builder(2, make).build().expect("good settings");
            let heard = any([pool.take().hear(), pool.prefill(2).hear()]);
            t.defuse();
            assert_eq!((pool.take().is_ok(), pool.take().is_ok()), (true, true));
            heard
        },
    },
    Row {
        name: "check of an object",
        of: &["recycle::ObjectPoolBuilder::check"],
        told: Told::Hook,
        run: |t| {
            let check = t.clone();
            let check = move |_: &mut Counted| {
                check.touch();
                true
            };
            recycled(t, objects(t).check(check))
        },
    },
    Row {
        name: "reset of an object",
        of: &["recycle::ObjectPoolBuilder::reset"],
        told: Told::Hook,
        run: |t| {
            let reset = t.clone();
            let reset = move |_: &mut Counted| {
                reset.touch();
                true
            };
            recycled(t, objects(t).reset(reset))
        },
    },
    Row {
        name: "end of an object",
        of: &["recycle::ObjectPoolBuilder::dispose"],
        told: Told::Hook,
        run: |t| {
            let dispose = t.clone();
            recycled(t, objects(t).reset(|_| false).dispose(move |_| dispose.touch()))
        },
    },
];

fn limited(t: &Trial) -> Semaphore {
    Semaphore::new(t.workers)
}

fn numbers(t: &Trial) -> impl Iterator<Item = Counted> + Send + use<> {
    let t = t.clone();
    (0..6).map(move |number| t.item(number))
}

pub(super) const SEMAPHORE: &[Row] = &[
    Row {
        name: "call of a limited loop",
        of: &[
            "semaphore::Semaphore::map",
            "semaphore::Semaphore::map_with",
            "semaphore::Semaphore::try_map",
            "semaphore::Semaphore::try_map_with",
        ],
        told: Told::Error(""),
        run: |t| {
            let (semaphore, token) = (limited(t), CancellationToken::new());
            let call = |item: Counted| {
                t.touch();
                item
            };
            let heard = any([
                semaphore.map(numbers(t), call).hear(),
                semaphore.map_with(&token, numbers(t), call).hear(),
                semaphore.try_map(numbers(t), |item| Ok::<_, &str>(call(item))).hear(),
                semaphore.try_map_with(&token, numbers(t), |item| Ok::<_, &str>(call(item))).hear(),
            ]);
            assert!(semaphore.try_acquire_many(t.workers).is_ok(), "all permits are back");
            heard
        },
    },
    Row {
        name: "next of a limited loop",
        of: &["semaphore::Semaphore::map"],
        told: Told::Caller,
        run: |t| {
            let semaphore = limited(t);
            let heard = thrown(|| semaphore.map(numbers(t).inspect(|_| t.touch()), |item| item));
            assert!(semaphore.try_acquire_many(t.workers).is_ok(), "all permits are back");
            heard
        },
    },
    Row {
        name: "drop of a result of a limited loop",
        of: &[],
        told: Told::Hook,
        run: |t| {
            let semaphore = limited(t);
            let outcome = semaphore.try_map(0..6, |number| {
                let made: Fragile = t.fragile();
                if number == 5 { Err("five") } else { Ok(made) }
            });
            // Where it failed its results were dropped; where the very item's own value panics, that is its panic.
            assert!(outcome.is_err());
            None
        },
    },
];

/// Work under the policy in all ways to call it; afterwards it lets work through.
fn ruled(t: &Trial, policy: &impl Policy<&'static str>) -> Option<Heard> {
    let token = CancellationToken::new();
    let heard = any([
        thrown(|| {
            drop(policy.call(|_| {
                t.touch();
                Ok(t.item(0))
            }));
        }),
        thrown(|| {
            drop(policy.call_with(&token, |_| {
                t.touch();
                Ok(t.item(0))
            }));
        }),
        thrown(|| {
            drop(policy.apply(gristmill::Attempt::first(), |_| {
                t.touch();
                Ok(t.item(0))
            }));
        }),
    ]);
    t.defuse();
    assert!(policy.call(|_| Ok(1)).is_ok(), "what the policy held was given back");
    heard
}

fn retry() -> Retry {
    Retry::new(2).expect("good settings")
}

/// Calls of a keyed limiter, of which each one may panic in a function of its key.
fn keyed(t: &Trial, place: char) -> Option<Heard> {
    let limiter =
        KeyedRateLimiter::<Thing>::new(1_000_000, Duration::from_secs(1), 10).expect("good settings");
    let token = CancellationToken::new();
    let key = |number| Thing::new(t, number, place);
    let heard = any([
        thrown(|| drop(limiter.try_acquire(&key(1)))),
        thrown(|| drop(limiter.try_acquire_many(&key(1), 1))),
        thrown(|| drop(limiter.try_reserve(&key(1), 1))),
        thrown(|| limiter.acquire(&key(1))),
        thrown(|| drop(limiter.acquire_many(&key(1), 1))),
        thrown(|| drop(limiter.acquire_timeout(&key(1), LONG))),
        thrown(|| drop(limiter.acquire_many_timeout(&key(2), 1, LONG))),
        thrown(|| drop(limiter.acquire_with(&key(2), &token))),
        thrown(|| drop(limiter.acquire_many_with(&key(3), 1, &token))),
    ]);
    t.defuse();
    assert!(limiter.try_acquire(&key(1)).is_ok());
    heard
}

const LIMITER: &[&str] = &[
    "policy::KeyedRateLimiter::acquire",
    "policy::KeyedRateLimiter::acquire_many",
    "policy::KeyedRateLimiter::acquire_many_timeout",
    "policy::KeyedRateLimiter::acquire_many_with",
    "policy::KeyedRateLimiter::acquire_timeout",
    "policy::KeyedRateLimiter::acquire_with",
    "policy::KeyedRateLimiter::try_acquire",
    "policy::KeyedRateLimiter::try_acquire_many",
    "policy::KeyedRateLimiter::try_reserve",
];

pub(super) const POLICY: &[Row] = &[
    Row {
        name: "work under a policy",
        of: &["policy::Policy::call", "policy::Policy::call_with", "policy::Policy::apply"],
        told: Told::Caller,
        run: |t| {
            let semaphore = Semaphore::new(1);
            let breaker = CircuitBreaker::new();
            any([ruled(&t.clone(), &retry().around(&semaphore).around(&breaker))])
        },
    },
    Row {
        name: "judgement of a breaker",
        of: &["policy::CircuitBreaker::counting"],
        told: Told::Caller,
        run: |t| {
            let breaker = CircuitBreaker::new();
            let counting = breaker.counting(|_: &&str| {
                t.touch();
                false
            });
            let heard = any((0..3).map(|_| thrown(|| drop(counting.call(|_| Err::<(), _>("no"))))));
            t.defuse();
            assert!(counting.call(|_| Ok(1)).is_ok());
            heard
        },
    },
    Row {
        name: "judgement of what is terminal",
        of: &["policy::Nest::terminal_if"],
        told: Told::Caller,
        run: |t| {
            let policy = retry().terminal_if(|_: &&str| {
                t.touch();
                true
            });
            let heard = any((0..3).map(|_| thrown(|| drop(policy.call(|_| Err::<(), _>("no"))))));
            t.defuse();
            assert!(policy.call(|_| Ok(1)).is_ok());
            heard
        },
    },
    Row {
        name: "on_change of a breaker",
        of: &["policy::CircuitBreakerBuilder::on_change"],
        told: Told::Hook,
        run: |t| {
            let told = t.clone();
            let breaker = CircuitBreaker::builder().on_change(move |_| told.touch()).build();
            let breaker = breaker.expect("good settings");
            for _ in 0..3 {
                breaker.force_open();
                breaker.reset();
            }
            until("all changes are told", || breaker.report().untold_changes == 0);
            assert!(Policy::<&str>::call(&breaker, |_| Ok(1)).is_ok());
            None
        },
    },
    Row { name: "hash of a limiter's key", of: LIMITER, told: Told::Caller, run: |t| keyed(t, 'h') },
    Row { name: "comparison of a limiter's keys", of: LIMITER, told: Told::Caller, run: |t| keyed(t, 'e') },
    Row { name: "clone of a limiter's key", of: LIMITER, told: Told::Caller, run: |t| keyed(t, 'c') },
];

/// Alerts that are asked three times, once with what raises them; the panics that they keep.
fn alerted(t: &Trial, alerts: &Alerts<u32>) -> Option<Heard> {
    for now in [1, 9, 1, 9] {
        assert!(alerts.check(&now).is_some());
    }
    let panics = alerts.take_panics();
    assert!(panics.len() <= 1, "a rule that has panicked is not asked again");
    assert_eq!(panics.len(), t.panics());
    panics.first().map(Heard::from)
}

fn rule(t: &Trial, which: usize) -> Option<Heard> {
    let touch = |at: usize| {
        let t = t.clone();
        move || {
            if at == which {
                t.touch();
            }
        }
    };
    let alerts = Alerts::new();
    let (raise, clear, callback) = (touch(0), touch(1), touch(2));
    alerts.when(
        "rule",
        move |now| {
            raise();
            *now > 5
        },
        move |now| {
            clear();
            *now < 5
        },
        move |_| callback(),
    );
    alerted(t, &alerts)
}

fn figure(t: &Trial, which: usize) -> Option<Heard> {
    let touch = |at: usize| {
        let t = t.clone();
        move || {
            if at == which {
                t.touch();
            }
            9.0
        }
    };
    let alerts = Alerts::new();
    let (figure, told) = (touch(0), touch(1));
    let (rate, part, whole) = (touch(2), touch(3), touch(4));
    let look = move |look: &gristmill::Look<'_, u32>| {
        let _ = (look.per_second(|_| rate()), look.share(|_| part(), |now| whole() + f64::from(*now)));
        figure()
    };
    alerts.rule("rule", look, Threshold::above(5.0), move |_| _ = told()).expect("good settings");
    alerted(t, &alerts)
}

pub(super) const WATCH: &[Row] = &[
    Row {
        name: "look of a watch",
        of: &["watch::Watch::every"],
        told: Told::Error(""),
        run: |t| {
            let look = t.clone();
            Watch::every(LONG, move || look.touch()).expect("one thread more").stop().hear()
        },
    },
    Row {
        name: "look of a watch for what is stuck",
        of: &["watch::Watch::stuck"],
        told: Told::Error(""),
        run: |t| {
            let look = t.clone();
            let look = move |_| {
                look.touch();
                gristmill::Health::default()
            };
            Watch::stuck(LONG, look, |_| ()).expect("one thread more").stop().hear()
        },
    },
    Row {
        name: "raise of an alert",
        of: &["watch::Alerts::when"],
        told: Told::Error("rule"),
        run: |t| rule(t, 0),
    },
    Row {
        name: "clear of an alert",
        of: &["watch::Alerts::when"],
        told: Told::Error("rule"),
        run: |t| rule(t, 1),
    },
    Row {
        name: "callback of an alert",
        of: &["watch::Alerts::when"],
        told: Told::Error("rule"),
        run: |t| rule(t, 2),
    },
    Row {
        name: "figure of an alert",
        of: &["watch::Alerts::rule"],
        told: Told::Error("rule"),
        run: |t| figure(t, 0),
    },
    Row {
        name: "callback of a figure",
        of: &["watch::Alerts::rule"],
        told: Told::Error("rule"),
        run: |t| figure(t, 1),
    },
    Row {
        name: "figure of a rate",
        of: &["watch::Look::per_second"],
        told: Told::Error("rule"),
        run: |t| figure(t, 2),
    },
    Row {
        name: "figures of a share",
        of: &["watch::Look::share"],
        told: Told::Error("rule"),
        run: |t| figure(t, 4),
    },
    Row {
        name: "snapshot of alerts",
        of: &["watch::Alerts::watch"],
        told: Told::Error(""),
        run: |t| {
            let snapshot = t.clone();
            let snapshot = move || {
                snapshot.touch();
                1_u64
            };
            Alerts::new().watch(LONG, snapshot).expect("one thread more").stop().hear()
        },
    },
    Row {
        name: "visit of a measurement",
        of: &["observe::Measured::measure"],
        told: Told::Caller,
        run: |t| {
            let semaphore = Semaphore::new(1);
            let heard = thrown(|| semaphore.snapshot().measure(&mut |_| t.touch()));
            assert!(semaphore.try_acquire().is_ok());
            heard
        },
    },
];
