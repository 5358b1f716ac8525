//! Handles of the user's making: every function of theirs panics, in every way to wait for several.

use gristmill::combine::{self, Timer};
use gristmill::waitable::{Ready, ready};
use gristmill::{AttemptBudget, CancellationToken, Help, Signal, TaskError, Waitable};

use crate::support::{Counted, LONG};
use crate::trial::{Heard, Row, Told, Trial, thrown};

/// The functions of a handle.
#[derive(Clone, Copy, PartialEq)]
enum In {
    IsFinished,
    Watch,
    Unwatch,
    Take,
    Cancel,
    Stamp,
    Help,
    Nothing,
}

const FUNCTIONS: [In; 7] =
    [In::IsFinished, In::Watch, In::Unwatch, In::Take, In::Cancel, In::Stamp, In::Help];

/// A handle that has ended, or that ends when it is cancelled only, one of whose functions panics.
struct Handle {
    inner: Ready<Result<Counted, &'static str>>,
    panics: In,
    t: Trial,
}

impl Handle {
    fn touch(&self, now: In) {
        if self.panics == now {
            self.t.touch();
        }
    }
}

impl Waitable for Handle {
    type Output = Result<Counted, &'static str>;
    fn is_finished(&self) -> bool {
        self.touch(In::IsFinished);
        self.inner.is_finished()
    }
    fn watch(&self, signal: Signal) {
        self.touch(In::Watch);
        self.inner.watch(signal);
    }
    fn unwatch(&self) {
        self.touch(In::Unwatch);
        self.inner.unwatch();
    }
    fn take(&mut self) -> Option<Self::Output> {
        self.touch(In::Take);
        self.inner.take()
    }
    fn cancel(&self) {
        self.touch(In::Cancel);
        self.inner.cancel();
    }
    fn stamp(&self) -> Option<u64> {
        self.touch(In::Stamp);
        self.inner.stamp()
    }
    fn help(&self) -> Help {
        self.touch(In::Help);
        self.inner.help()
    }
}

fn handle(t: &Trial, panics: In, succeeds: bool) -> Handle {
    let output = if succeeds { Ok(t.item(1)) } else { Err("no") };
    Handle { inner: ready(output), panics, t: t.clone() }
}

/// Three that have ended: a failure first, so that those that look for a success go on.
fn three(t: &Trial, panics: In) -> [Handle; 3] {
    [handle(t, panics, false), handle(t, panics, true), handle(t, panics, true)]
}

/// Every way to wait for several, and to choose between two.
fn ways(t: &Trial, panics: In) -> Option<Heard> {
    let token = CancellationToken::new();
    let budget = AttemptBudget::new(100, 10);
    let at_once = || combine::after(std::time::Duration::ZERO);
    let second = || handle(t, panics, true);
    let forms: [&dyn Fn(); 22] = [
        &|| drop(combine::wait_all(three(t, panics))),
        &|| drop(combine::try_wait_all(three(t, panics)).map_err(drop)),
        &|| drop(combine::wait_all_timeout(three(t, panics), LONG).map_err(drop)),
        &|| drop(combine::wait_all_with(three(t, panics), &token)),
        &|| drop(combine::wait_first(three(t, panics))),
        &|| drop(combine::try_wait_first(three(t, panics)).map_err(drop)),
        &|| drop(combine::wait_first_timeout(three(t, panics), LONG).map_err(drop)),
        &|| drop(combine::race(three(t, panics))),
        &|| drop(combine::race_timeout(three(t, panics), LONG).map_err(drop)),
        &|| drop(combine::race_with(three(t, panics), &token)),
        &|| drop(combine::first_ok(three(t, panics))),
        &|| drop(combine::first_ok_timeout(three(t, panics), LONG).map_err(drop)),
        &|| drop(combine::first_ok_with(three(t, panics), &token)),
        &|| drop(combine::settle(three(t, panics))),
        &|| drop(combine::settle_timeout(three(t, panics), LONG).map_err(drop)),
        &|| drop(combine::settle_with(three(t, panics), &token)),
        &|| drop(combine::as_completed(three(t, panics)).collect::<Vec<_>>()),
        &|| drop(combine::fallback(handle(t, panics, false), second)),
        &|| drop(combine::fallback_with(handle(t, panics, false), second, &token)),
        &|| drop(combine::hedge(handle(t, panics, false), at_once(), &budget, second)),
        &|| drop(combine::with_timeout(handle(t, panics, true), LONG).map_err(drop)),
        &|| drop(combine::with_timeout_with(handle(t, panics, true), LONG, &token)),
    ];
    // Each by itself: a panic in one way says nothing of the next.
    let heard: Vec<_> = forms.iter().filter_map(thrown).collect();
    heard.into_iter().next()
}

/// Those that have a closure for the second attempt.
fn seconds(t: &Trial) -> Option<Heard> {
    let token = CancellationToken::new();
    let budget = AttemptBudget::new(100, 10);
    let first = || handle(t, In::Nothing, false);
    let second = || {
        t.touch();
        handle(t, In::Nothing, true)
    };
    let delay = || Timer::from(std::time::Duration::ZERO);
    let forms: [&dyn Fn(); 6] = [
        &|| drop(combine::fallback(first(), second)),
        &|| drop(combine::fallback_timeout(first(), second, LONG).map_err(drop)),
        &|| drop(combine::fallback_with(first(), second, &token)),
        &|| drop(combine::hedge(first(), delay(), &budget, second)),
        &|| drop(combine::hedge_timeout(first(), delay(), &budget, second, LONG).map_err(drop)),
        &|| drop(combine::hedge_with(first(), delay(), &budget, second, &token)),
    ];
    let heard: Vec<_> = forms.iter().filter_map(thrown).collect();
    heard.into_iter().next()
}

/// All that take several from an iterator.
fn iterators(t: &Trial) -> Option<Heard> {
    let token = CancellationToken::new();
    let items = || {
        (0..2).map(|_| {
            t.touch();
            handle(t, In::Nothing, true)
        })
    };
    let forms: [&dyn Fn(); 21] = [
        &|| drop(combine::wait_all(items())),
        &|| drop(combine::try_wait_all(items()).map_err(drop)),
        &|| drop(combine::wait_all_timeout(items(), LONG).map_err(drop)),
        &|| drop(combine::wait_all_with(items(), &token)),
        &|| drop(combine::wait_first(items())),
        &|| drop(combine::try_wait_first(items()).map_err(drop)),
        &|| drop(combine::wait_first_timeout(items(), LONG).map_err(drop)),
        &|| drop(combine::wait_first_with(items(), &token)),
        &|| drop(combine::race(items())),
        &|| drop(combine::try_race(items()).map_err(drop)),
        &|| drop(combine::race_timeout(items(), LONG).map_err(drop)),
        &|| drop(combine::race_with(items(), &token)),
        &|| drop(combine::first_ok(items())),
        &|| drop(combine::try_first_ok(items()).map_err(drop)),
        &|| drop(combine::first_ok_timeout(items(), LONG).map_err(drop)),
        &|| drop(combine::first_ok_with(items(), &token)),
        &|| drop(combine::settle(items())),
        &|| drop(combine::try_settle(items()).map_err(drop)),
        &|| drop(combine::settle_timeout(items(), LONG).map_err(drop)),
        &|| drop(combine::settle_with(items(), &token)),
        &|| drop(combine::as_completed(items()).collect::<Vec<_>>()),
    ];
    let heard: Vec<_> = forms.iter().filter_map(thrown).collect();
    heard.into_iter().next()
}

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "functions of a handle",
        of: &["combine::with_timeout", "combine::with_timeout_with"],
        told: Told::Caller,
        run: |t| {
            FUNCTIONS.iter().filter_map(|function| ways(t, *function)).collect::<Vec<_>>().into_iter().next()
        },
    },
    Row {
        name: "next of the handles",
        of: &[
            "combine::wait_all",
            "combine::try_wait_all",
            "combine::wait_all_timeout",
            "combine::wait_all_with",
            "combine::wait_first",
            "combine::try_wait_first",
            "combine::wait_first_timeout",
            "combine::wait_first_with",
            "combine::race",
            "combine::try_race",
            "combine::race_timeout",
            "combine::race_with",
            "combine::first_ok",
            "combine::try_first_ok",
            "combine::first_ok_timeout",
            "combine::first_ok_with",
            "combine::settle",
            "combine::try_settle",
            "combine::settle_timeout",
            "combine::settle_with",
            "combine::as_completed",
        ],
        told: Told::Caller,
        run: iterators,
    },
    Row {
        name: "second attempt",
        of: &[
            "combine::fallback",
            "combine::fallback_timeout",
            "combine::fallback_with",
            "combine::hedge",
            "combine::hedge_timeout",
            "combine::hedge_with",
        ],
        told: Told::Caller,
        run: seconds,
    },
    Row {
        name: "function that a handle is mapped by",
        of: &["waitable::Waitable::map"],
        told: Told::Caller,
        run: |t| {
            thrown(|| {
                let mapped = handle(t, In::Nothing, true).map(|item| {
                    t.touch();
                    item
                });
                combine::wait_all([mapped])
            })
        },
    },
    Row {
        name: "function that an attempt is mapped by",
        of: &["combine::attempt"],
        told: Told::Caller,
        run: |t| {
            thrown(|| {
                let mapped = handle(t, In::Nothing, true).map(|item| {
                    t.touch();
                    Ok::<_, TaskError>(item)
                });
                combine::wait_all([combine::attempt(mapped)])
            })
        },
    },
];
