//! Callbacks of pools and groups.

use std::hash::{Hash, Hasher};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use gristmill::{
    Attempt, BuildError, CancellationToken, Done, ErrorGroup, ErrorGroupBuilder, FailureKind, GroupReport,
    Key, KeyFailure, ManyHandle, Policy, PolicyError, Retry, Shutdown, TaskContext, ThreadPool,
    ThreadPoolBuilder, Verdict,
};

use crate::support::{Counted, LONG};
use crate::trial::{Fragile, Hear, Heard, Row, Told, Trial, thrown};

fn builder(t: &Trial) -> ThreadPoolBuilder<'static> {
    ThreadPool::builder().workers(t.workers).name("mill")
}

/// Builds the pool, uses it, uses it once more, and ends it: the panic that any of these told of.
fn pooled<S: 'static>(
    builder: ThreadPoolBuilder<'static, S>,
    body: impl FnOnce(&ThreadPool<S>) -> Option<Heard>,
) -> Option<Heard> {
    let pool = match builder.build() {
        Ok(pool) => pool,
        Err(BuildError::State { source, .. }) => return Some((&source).into()),
        Err(error) => panic!("{error}"),
    };
    let heard = body(&pool);
    assert_eq!(pool.submit(|| 7).expect("it is open").wait().expect("nothing panics here"), 7);
    let report = pool.shutdown(Shutdown::Drain);
    assert!(report.is_complete());
    let ends =
        report.succeeded() + report.failed() + report.panicked() + report.cancelled() + report.returned();
    assert_eq!((report.submitted(), report.pending()), (ends, 0));
    heard.or_else(|| report.worker_panics().first().map(Heard::from))
}

/// The first of several that heard something.
fn first<const N: usize>(heard: [Option<Heard>; N]) -> Option<Heard> {
    heard.into_iter().flatten().next()
}

fn retry() -> Retry {
    Retry::new(2).expect("good settings")
}

/// A policy of the user's that panics before it lets anybody work.
struct Careless(Trial);

impl<E> Policy<E> for Careless {
    fn apply<T, F>(&self, attempt: Attempt<'_>, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        self.0.touch();
        work(attempt)
    }
}

struct HashKey {
    t: Trial,
    in_hash: bool,
}

impl Hash for HashKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.in_hash {
            self.t.touch();
        }
        0.hash(state);
    }
}

impl PartialEq for HashKey {
    fn eq(&self, _: &Self) -> bool {
        if !self.in_hash {
            self.t.touch();
        }
        true
    }
}

impl Eq for HashKey {}

type Fails = Result<u8, &'static str>;

/// Tells also while a panic unwinds.
struct Tell(Sender<()>);

impl Drop for Tell {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

pub(super) const POOL: &[Row] = &[
    Row {
        name: "task",
        of: &[
            "pool::Submitter::submit",
            "pool::Submitter::try_submit",
            "pool::Submitter::submit_timeout",
            "pool::TaskOptions::submit",
            "pool::TaskOptions::try_submit",
            "pool::TaskOptions::submit_timeout",
        ],
        told: Told::Error("task"),
        run: |t| {
            pooled(builder(t), |pool| {
                let plain = || {
                    let (t, held) = (t.clone(), t.item(0));
                    move || {
                        t.touch();
                        held
                    }
                };
                let with_context = || {
                    let run = plain();
                    move |_: &TaskContext<'_, ()>| run()
                };
                first([
                    pool.submit(plain()).expect("open").wait().hear(),
                    pool.try_submit(plain()).expect("open").wait().hear(),
                    pool.submit_timeout(plain(), LONG).expect("open").wait().hear(),
                    pool.task().name("a task").submit(with_context()).expect("open").wait().hear(),
                    pool.task().name("a task").try_submit(with_context()).expect("open").wait().hear(),
                    pool.task().submit_timeout(with_context(), LONG).expect("open").wait().hear(),
                ])
            })
        },
    },
    Row {
        name: "task under a policy",
        of: &[
            "pool::GuardedTaskOptions::submit",
            "pool::GuardedTaskOptions::try_submit",
            "pool::GuardedTaskOptions::submit_timeout",
        ],
        told: Told::Error("task"),
        run: |t| {
            pooled(builder(t), |pool| {
                let work = || {
                    let (t, held) = (t.clone(), t.item(0));
                    move |_: &TaskContext<'_, ()>, _: Attempt<'_>| {
                        t.touch();
                        Ok::<_, &str>(held.number)
                    }
                };
                first([
                    pool.task().under(retry()).submit(work()).expect("open").wait().hear(),
                    pool.task().under(retry()).try_submit(work()).expect("open").wait().hear(),
                    pool.task().under(retry()).submit_timeout(work(), LONG).expect("open").wait().hear(),
                ])
            })
        },
    },
    Row {
        name: "policy of a task",
        of: &["pool::GuardedTaskOptions::submit"],
        told: Told::Error("task"),
        run: |t| {
            pooled(builder(t), |pool| {
                let work = |_: &TaskContext<'_, ()>, _: Attempt<'_>| Fails::Ok(1);
                pool.task().under(Careless(t.clone())).submit(work).expect("open").wait().hear()
            })
        },
    },
    Row {
        name: "submit_many",
        of: &[
            "pool::Submitter::submit_many",
            "pool::Submitter::submit_many_timeout",
            "pool::Submitter::submit_many_with",
            "pool::Submitter::try_submit_many",
        ],
        told: Told::Error("task"),
        run: |t| {
            pooled(builder(t), |pool| {
                let task = |number| {
                    let (t, held) = (t.clone(), t.item(number));
                    move || {
                        t.touch();
                        held
                    }
                };
                let many = [
                    pool.submit_many((0..9).map(task)).expect("open"),
                    pool.submit_many_timeout((0..3).map(task), Duration::MAX).expect("open"),
                    pool.submit_many_with((0..3).map(task), &CancellationToken::new()).expect("open"),
                    pool.try_submit_many((0..3).map(task)).expect("there is room"),
                ];
                assert_eq!(many.each_ref().map(ManyHandle::len), [9, 3, 3, 3]);
                many.into_iter().flat_map(ManyHandle::wait).find_map(Hear::hear)
            })
        },
    },
    Row {
        name: "next of submit_many",
        of: &[
            "pool::Submitter::submit_many",
            "pool::Submitter::submit_many_timeout",
            "pool::Submitter::submit_many_with",
            "pool::Submitter::try_submit_many",
        ],
        told: Told::Caller,
        run: |t| {
            pooled(builder(t), |pool| {
                let task = |number| {
                    t.touch();
                    let held = t.item(number);
                    move || held
                };
                thrown(|| {
                    let many = [
                        pool.submit_many((0..9).map(task)).expect("open"),
                        pool.submit_many_timeout((0..3).map(task), Duration::MAX).expect("open"),
                        pool.submit_many_with((0..3).map(task), &CancellationToken::new()).expect("open"),
                        pool.try_submit_many((0..3).map(task)).expect("there is room"),
                    ];
                    assert_eq!(many.map(|many| many.wait().len()), [9, 3, 3, 3]);
                })
            })
        },
    },
    Row {
        name: "drop of a task's closure",
        of: &[],
        told: Told::Error("task"),
        run: |t| {
            pooled(builder(t), |pool| {
                let held = t.fragile();
                let task = pool.task().submit(move |_| {
                    let _ = &held;
                });
                // Cancelled or run: either way it is dropped by the pool.
                task.expect("open").wait().err().and_then(|error| Hear::hear(Err::<(), _>(error)))
            })
        },
    },
    Row {
        name: "drop of a result that nobody wants",
        of: &[],
        told: Told::Hook,
        run: |t| {
            pooled(builder(t), |pool| {
                let result = t.fragile();
                pool.pause();
                drop(pool.submit(move || result).expect("open"));
                pool.resume();
                pool.wait().expect("no limit");
                None
            })
        },
    },
    Row {
        name: "drop of a result with its handle",
        of: &[],
        told: Told::Caller,
        run: |t| {
            let (pool, result) = (builder(t).build().expect("good settings"), t.fragile());
            let task = pool.submit(move || result).expect("open");
            // Nobody but the handle has it then.
            assert!(pool.shutdown(Shutdown::Drain).is_complete());
            thrown(|| drop(task))
        },
    },
    Row {
        name: "hash of a key",
        of: &["pool::TaskOptions::key", "pool::Key::new"],
        told: Told::Caller,
        run: |t| {
            pooled(builder(t), |pool| {
                let key = || HashKey { t: t.clone(), in_hash: true };
                thrown(|| {
                    let one = pool.task().key(key()).submit(|_| 1).expect("open");
                    let two = pool.task().key(key()).submit(|_| 2).expect("open");
                    assert_eq!((one.wait().ok(), two.wait().ok()), (Some(1), Some(2)));
                    drop(Key::new(key()));
                })
            })
        },
    },
    Row {
        name: "hash of a key that is taken and released",
        of: &["pool::Submitter::take_key", "pool::Submitter::release_key"],
        told: Told::Caller,
        run: |t| {
            pooled(builder(t).on_key_failure(KeyFailure::Hold), |pool| {
                let key = || HashKey { t: t.clone(), in_hash: true };
                thrown(|| {
                    assert!(!pool.release_key(key()));
                    assert!(pool.take_key(key()).is_empty());
                })
            })
        },
    },
    Row {
        name: "on_worker_start",
        of: &["pool::ThreadPoolBuilder::on_worker_start"],
        told: Told::Error("start hook of worker"),
        run: |t| {
            let t = t.clone();
            pooled(builder(&t).on_worker_start(move |_| t.touch()), |_| None)
        },
    },
    Row {
        name: "on_worker_stop",
        of: &["pool::ThreadPoolBuilder::on_worker_stop"],
        told: Told::Error("stop hook of worker"),
        run: |t| {
            let t = t.clone();
            pooled(builder(&t).on_worker_stop(move |_| t.touch()), |_| None)
        },
    },
    Row {
        name: "maker of a state",
        of: &["pool::ThreadPoolBuilder::worker_state"],
        told: Told::Error("state of worker"),
        run: |t| {
            let t = t.clone();
            let make = {
                let t = t.clone();
                move |_| {
                    t.touch();
                    t.item(0)
                }
            };
            pooled(builder(&t).worker_state(make, |_, _| ()), |_| None)
        },
    },
    Row {
        name: "end of a state",
        of: &["pool::ThreadPoolBuilder::worker_state"],
        told: Told::Error("end of the state of worker"),
        run: |t| {
            let (make, finish) = (t.clone(), t.clone());
            let builder = builder(t).worker_state(move |_| make.item(0), move |_, _: Counted| finish.touch());
            pooled(builder, |_| None)
        },
    },
    Row {
        name: "on_task_panic",
        of: &["pool::ThreadPoolBuilder::on_task_panic"],
        told: Told::Error("hook"),
        run: |t| {
            let t = t.clone();
            pooled(builder(&t).on_task_panic(move |_| t.touch()), |pool| {
                let outcome = pool.submit(|| panic!("{}", crate::trial::TEXT)).expect("open").wait();
                let error: gristmill::TaskError = Result::<(), _>::expect_err(outcome, "it panicked");
                assert!(error.is_panicked(), "the task's own panic is its error all the same");
                None
            })
        },
    },
    Row {
        name: "slow_task",
        of: &["pool::ThreadPoolBuilder::slow_task"],
        told: Told::Error("hook"),
        run: |t| {
            let (told, is_told) = channel();
            let t = t.clone();
            let hook = move |_: &gristmill::RunningTask| {
                let _tell = Tell(told.clone());
                t.touch();
            };
            let builder =
                ThreadPool::builder().workers(2).name("mill").slow_task(Duration::from_millis(1), hook);
            pooled(builder, |pool| {
                let slow = pool.submit(move || is_told.recv_timeout(LONG).is_ok()).expect("open");
                assert!(slow.wait().expect("it does not panic"), "the hook was called");
                None
            })
        },
    },
    Row {
        name: "body of a scope",
        of: &["pool::ThreadPool::scope", "pool::ThreadPoolBuilder::scope"],
        told: Told::Caller,
        run: |t| {
            let held = t.item(0);
            thrown(|| {
                ThreadPool::builder()
                    .workers(t.workers)
                    .scope(|pool| {
                        drop(pool.submit(|| held.number).expect("open"));
                        t.touch();
                    })
                    .expect("good settings");
                ThreadPool::scope(|pool| {
                    drop(pool.submit(|| held.number).expect("open"));
                    t.touch();
                })
                .expect("good settings");
            })
        },
    },
];

/// A group's report: its counts add up, and its first panic.
fn grouped<T, E>(report: &GroupReport<T, E>) -> Option<Heard> {
    let ends = report.succeeded() + report.failed() + report.panicked() + report.cancelled();
    assert_eq!(report.spawned(), ends);
    let failures = report.failures().iter().chain(report.reactions());
    let mut panics = failures.filter_map(|failure| match failure.kind() {
        FailureKind::Panicked(panic) => Some(Heard::from(panic)),
        _ => None,
    });
    panics.next()
}

fn group(t: &Trial) -> ErrorGroupBuilder<'static, Counted, &'static str> {
    ErrorGroup::builder().limit(t.workers).name("group")
}

pub(super) const GROUP: &[Row] = &[
    Row {
        name: "task of a group",
        of: &[
            "group::Spawner::spawn",
            "group::Spawner::try_spawn",
            "group::Spawner::spawn_timeout",
            "group::GroupTaskOptions::spawn",
            "group::GroupTaskOptions::try_spawn",
            "group::GroupTaskOptions::spawn_timeout",
        ],
        told: Told::Error(""),
        run: |t| {
            let group = group(t).done(Done::all_finished()).queue_bound(9).build().expect("good settings");
            let work = || {
                let (t, held) = (t.clone(), t.item(0));
                move || {
                    t.touch();
                    Ok(held)
                }
            };
            macro_rules! task {
                () => {{
                    let work = work();
                    move |_: &gristmill::GroupContext<'_, '_, _, _>| work()
                }};
            }
            group.spawn(work()).expect("open");
            group.try_spawn(work()).expect("open");
            group.spawn_timeout(work(), LONG).expect("open");
            group.task().name("named").spawn(task!()).expect("open");
            group.task().name("named").try_spawn(task!()).expect("open");
            group.task().name("named").spawn_timeout(task!(), LONG).expect("open");
            drop(group.wait());
            grouped(&group.into_report())
        },
    },
    Row {
        name: "task of a group under a policy",
        of: &[
            "group::GuardedGroupTaskOptions::spawn",
            "group::GuardedGroupTaskOptions::try_spawn",
            "group::GuardedGroupTaskOptions::spawn_timeout",
        ],
        told: Told::Error(""),
        run: |t| {
            let group = ErrorGroup::<Counted, PolicyError<&str>>::builder()
                .limit(t.workers)
                .done(Done::all_finished())
                .queue_bound(9)
                .build()
                .expect("good settings");
            macro_rules! work {
                () => {{
                    let t = t.clone();
                    move |_: &gristmill::GroupContext<'_, '_, _, _>, _: Attempt<'_>| {
                        t.touch();
                        Ok::<_, &str>(t.item(0))
                    }
                }};
            }
            group.task().under(retry()).spawn(work!()).expect("open");
            group.task().under(retry()).try_spawn(work!()).expect("open");
            group.task().under(retry()).spawn_timeout(work!(), LONG).expect("open");
            drop(group.wait());
            grouped(&group.into_report())
        },
    },
    Row {
        name: "policy of a group's task",
        of: &["group::GroupTaskOptions::under"],
        told: Told::Error(""),
        run: |t| {
            let group = ErrorGroup::<u8, PolicyError<&str>>::builder()
                .limit(t.workers)
                .build()
                .expect("good settings");
            group.task().under(Careless(t.clone())).spawn(|_, _| Ok(1)).expect("open");
            drop(group.wait());
            grouped(&group.into_report())
        },
    },
    Row {
        name: "rule of a group",
        of: &["group::Done::by"],
        told: Told::Error(""),
        run: |t| {
            let rule = t.clone();
            let done = Done::by(move |_| {
                rule.touch();
                Verdict::GoOn
            });
            let group = group(t).done(done).build().expect("good settings");
            for number in 0..4 {
                let item = t.item(number);
                // After the panic the group is closed, and says so.
                drop(group.spawn(move || Ok(item)));
            }
            drop(group.wait());
            grouped(&group.into_report())
        },
    },
    Row {
        name: "body of a group's scope",
        of: &["group::ErrorGroupBuilder::scope"],
        told: Told::Caller,
        run: |t| {
            let held = t.item(0);
            thrown(|| {
                let builder = ErrorGroup::<u64, &str>::builder().limit(t.workers);
                builder
                    .scope(|group| {
                        group.spawn(|| Ok(held.number)).expect("open");
                        t.touch();
                        group.into_results()
                    })
                    .expect("good settings")
                    .expect("nothing fails")
            })
        },
    },
    Row {
        name: "task of a group that resumes panics",
        of: &["group::Spawner::spawn"],
        told: Told::Caller,
        run: |t| {
            let group = group(t).resume_panics().build().expect("good settings");
            let (task, held) = (t.clone(), t.item(0));
            group
                .spawn(move || {
                    task.touch();
                    Ok(held)
                })
                .expect("open");
            thrown(|| drop(group.into_results()))
        },
    },
    Row {
        name: "drop of a group's closure",
        of: &[],
        told: Told::Error("task"),
        run: |t| {
            let group = ErrorGroup::<u64, &str>::builder().limit(t.workers).build().expect("good settings");
            let held: Fragile = t.fragile();
            group
                .spawn(move || {
                    let _ = &held;
                    Ok(1)
                })
                .expect("open");
            drop(group.wait());
            grouped(&group.into_report())
        },
    },
];

/// Bulk calls borrow their items, so they are of a scope.
fn bulk(
    t: &Trial,
    body: impl for<'scope> FnOnce(&gristmill::ScopedPool<'scope, 'static, ()>) -> Option<Heard>,
) -> Option<Heard> {
    let scope = ThreadPool::builder().workers(t.workers).scope(|pool| {
        let heard = body(pool);
        assert_eq!(pool.submit(|| 7).expect("open").wait().expect("nothing panics here"), 7);
        heard
    });
    scope.expect("good settings")
}

static NUMBERS: [u64; 40] = [3; 40];

fn pair(t: &Trial) -> impl Fn(Counted, Counted) -> Counted + Send + Sync + use<> {
    let t = t.clone();
    move |one, _| {
        t.touch();
        one
    }
}

fn one(t: &Trial) -> impl Fn(&u64) -> Counted + Send + Sync + use<> {
    let t = t.clone();
    move |number| {
        t.touch();
        t.item(*number)
    }
}

/// Items that do not touch, and what joins those that do.
fn quiet(t: &Trial) -> impl Fn(&u64) -> Counted + Send + Sync + use<> {
    let t = t.clone();
    move |number| t.item(*number)
}

fn counted(t: &Trial) -> impl Iterator<Item = Counted> + Send + use<> {
    let t = t.clone();
    (0..40).map(move |number| t.item(number))
}

pub(super) const BULK: &[Row] = &[
    Row {
        name: "call of map and for_each",
        of: &[
            "pool::Submitter::map",
            "pool::Submitter::map_with",
            "pool::Submitter::for_each",
            "pool::Submitter::for_each_with",
        ],
        told: Told::Error(""),
        run: |t| {
            bulk(t, |pool| {
                let token = CancellationToken::new();
                let call = one(t);
                let each = one(t);
                let each_with = one(t);
                first([
                    pool.map(&NUMBERS[..3], call).hear(),
                    pool.map_with(&token, &NUMBERS[..3], one(t)).hear(),
                    pool.for_each(&NUMBERS[..3], move |number| drop(each(number))).hear(),
                    pool.for_each_with(&token, &NUMBERS[..3], move |number| drop(each_with(number))).hear(),
                    pool.map(&NUMBERS, one(t)).hear(),
                ])
            })
        },
    },
    Row {
        name: "call of map_into",
        of: &["pool::Submitter::map_into", "pool::Submitter::map_into_with"],
        told: Told::Error(""),
        run: |t| {
            let token = CancellationToken::new();
            let [mut out, mut other] = [(); 2].map(|()| [(); 3].map(|()| t.item(0)));
            let scope = ThreadPool::builder().workers(t.workers).scope(|pool| {
                let heard = first([
                    pool.map_into(&NUMBERS[..3], &mut out, one(t)).hear(),
                    pool.map_into_with(&token, &NUMBERS[..3], &mut other, one(t)).hear(),
                ]);
                assert_eq!(pool.submit(|| 7).expect("open").wait().expect("nothing panics here"), 7);
                heard
            });
            scope.expect("good settings")
        },
    },
    Row {
        name: "call of map_iter and for_each_iter",
        of: &[
            "pool::Submitter::map_iter",
            "pool::Submitter::map_iter_with",
            "pool::Submitter::for_each_iter",
            "pool::Submitter::for_each_iter_with",
        ],
        told: Told::Error(""),
        run: |t| {
            bulk(t, |pool| {
                let (map, each, each_with) = (t.clone(), t.clone(), t.clone());
                let token = CancellationToken::new();
                let call = move |item| {
                    map.touch();
                    item
                };
                first([
                    pool.map_iter(counted(t).take(3), call.clone()).hear(),
                    pool.map_iter_with(&token, counted(t).take(3), call).hear(),
                    pool.for_each_iter_with(&token, counted(t).take(3), move |_| each_with.touch()).hear(),
                    pool.for_each_iter(counted(t), move |_| each.touch()).hear(),
                ])
            })
        },
    },
    Row {
        name: "next of map_iter and for_each_iter",
        of: &[
            "pool::Submitter::map_iter",
            "pool::Submitter::map_iter_with",
            "pool::Submitter::for_each_iter",
            "pool::Submitter::for_each_iter_with",
        ],
        told: Told::Error(""),
        run: |t| {
            bulk(t, |pool| {
                let touched = |take| {
                    let t = t.clone();
                    counted(&t).take(take).inspect(move |_| t.touch())
                };
                let token = CancellationToken::new();
                first([
                    pool.map_iter(touched(3), |item| item).hear(),
                    pool.map_iter_with(&token, touched(3), |item| item).hear(),
                    pool.for_each_iter_with(&token, touched(3), drop).hear(),
                    pool.for_each_iter(touched(40), drop).hear(),
                ])
            })
        },
    },
    Row {
        name: "call of map_reduce",
        of: &[
            "pool::Submitter::map_reduce",
            "pool::Submitter::map_reduce_with",
            "pool::Submitter::map_reduce_iter",
            "pool::Submitter::map_reduce_iter_with",
        ],
        told: Told::Error(""),
        run: |t| {
            bulk(t, |pool| {
                let token = CancellationToken::new();
                let call = || {
                    let t = t.clone();
                    move |item| {
                        t.touch();
                        item
                    }
                };
                first([
                    pool.map_reduce(&NUMBERS[..1], one(t), |one, _| one).hear(),
                    pool.map_reduce_with(&token, &NUMBERS[..1], one(t), |one, _| one).hear(),
                    pool.map_reduce_iter(counted(t).take(1), call(), |one, _| one).hear(),
                    pool.map_reduce_iter_with(&token, counted(t).take(1), call(), |one, _| one).hear(),
                    pool.map_reduce(&NUMBERS, one(t), |one, _| one).hear(),
                ])
            })
        },
    },
    Row {
        name: "join of map_reduce",
        of: &[
            "pool::Submitter::map_reduce",
            "pool::Submitter::map_reduce_with",
            "pool::Submitter::map_reduce_iter",
            "pool::Submitter::map_reduce_iter_with",
        ],
        told: Told::Error(""),
        run: |t| {
            bulk(t, |pool| {
                let token = CancellationToken::new();
                first([
                    pool.map_reduce(&NUMBERS[..2], quiet(t), pair(t)).hear(),
                    pool.map_reduce_with(&token, &NUMBERS[..2], quiet(t), pair(t)).hear(),
                    pool.map_reduce_iter(counted(t).take(2), |item| item, pair(t)).hear(),
                    pool.map_reduce_iter_with(&token, counted(t).take(2), |item| item, pair(t)).hear(),
                    pool.map_reduce(&NUMBERS, quiet(t), pair(t)).hear(),
                ])
            })
        },
    },
];
