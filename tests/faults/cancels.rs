//! A cancel at every step of every shape: by whatever way it comes, the run ends, with the truth, and leaves nothing.

use std::panic::{self, AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use gristmill::{CancelKind, CancellationToken, Pipeline, PipelineError, Report};

use super::script::{End, Plan, Script, Way};
use super::shapes::{self, Shape};
use super::support::{alone, step, threads, until};

/// What a run does that nothing happens to.
#[derive(Clone, Copy)]
struct Usual {
    steps: usize,
    work: usize,
}

/// Runs a shape by a plan, and asks what is asked after every fault.
fn run(shape: &Shape, plan: Plan, usual: Option<Usual>) -> Script {
    step(&format!("{}, {plan:?}", shape.name));
    let before = threads();
    let script = Script::new(plan);
    let end = (shape.run)(&script);
    check(shape, plan, usual, &script, &end);
    // The helper of the deadlines stays for a moment.
    until("no thread is left", || threads() <= before);
    until("the last thread has dropped what it had", || script.ledger().live() == 0);
    script
}

fn check(shape: &Shape, plan: Plan, usual: Option<Usual>, script: &Script, end: &End) {
    let what = format!("{}, {plan:?}: {end:?} after {} steps", shape.name, script.steps());
    let is_alone = plan.workers == 1;
    match end {
        End::Finished => {
            assert!(script.failed().is_none() || !shape.fails, "{what}");
            assert!(!matches!(plan.way, Way::Before | Way::Deadline), "{what}");
            if let Some(usual) = usual.filter(|_| shape.tail < usize::MAX) {
                assert_eq!(script.work_done(), usual.work, "it has left out something: {what}");
                let is_too_late = |step| step + shape.tail >= usual.steps;
                let may_finish = plan.way == Way::OnlyAChild || plan.cancel.is_none_or(is_too_late);
                assert!(!is_alone || may_finish, "{what}");
            }
        }
        End::Cancelled(cancelled) => {
            let (kind, cause) = match plan.way {
                Way::Before => (CancelKind::Cancelled, Some("before".to_string())),
                Way::Deadline => (CancelKind::DeadlineExceeded, None),
                _ => {
                    assert!(script.has_cancelled() && plan.way != Way::OnlyAChild, "{what}");
                    (CancelKind::Cancelled, plan.cancel.map(|step| format!("step {step}")))
                }
            };
            assert_eq!(
                (cancelled.kind(), cancelled.cause().map(ToString::to_string)),
                (kind, cause),
                "{what}"
            );
            assert!(cancelled.location().file().ends_with("script.rs"), "{what}");
            assert!(!is_alone || script.late() <= shape.late, "{} begun after it: {what}", script.late());
            let failed_before =
                script.failed().is_some_and(|failed| plan.cancel.is_some_and(|step| failed < step));
            // Where several steps are under way, the later one may have come back first.
            assert!(
                !shape.fails || !is_alone || shape.threads || !failed_before,
                "the failure was first: {what}"
            );
        }
        End::Failed(fault) => {
            assert_eq!(Some(fault.0), script.failed(), "{what}");
            assert!(plan.cancel.is_none_or(|step| step > fault.0) || !shape.fails, "a reaction: {what}");
        }
    }
}

const PLAIN: Plan = Plan { workers: 1, way: Way::Here, cancel: None, fail: None };

fn when_nothing_happens(shape: &Shape, workers: usize) -> Usual {
    let script = run(shape, Plan { workers, ..PLAIN }, None);
    Usual { steps: script.steps(), work: script.work_done() }
}

#[test]
fn cancel_by_any_step_ends_every_shape() {
    alone("cancels::cancel_by_any_step_ends_every_shape", || {
        for shape in shapes::all() {
            for workers in [1, 2] {
                let usual = when_nothing_happens(&shape, workers);
                for step in 0..usual.steps {
                    run(&shape, Plan { workers, cancel: Some(step), ..PLAIN }, Some(usual));
                }
            }
        }
    });
}

#[test]
fn cancel_from_elsewhere_at_any_step_ends_every_shape() {
    alone("cancels::cancel_from_elsewhere_at_any_step_ends_every_shape", || {
        for shape in shapes::all() {
            let usual = when_nothing_happens(&shape, 1);
            for step in 0..usual.steps {
                // Each way at every third step, and all of them at each kind of step.
                let way = [Way::Elsewhere, Way::Parent, Way::Callback][step % 3];
                run(&shape, Plan { way, cancel: Some(step), ..PLAIN }, Some(usual));
            }
        }
    });
}

#[test]
fn shape_that_is_cancelled_before_it_begins_does_nothing() {
    alone("cancels::shape_that_is_cancelled_before_it_begins_does_nothing", || {
        for shape in shapes::all() {
            for (way, workers) in [(Way::Before, 1), (Way::Before, 2), (Way::Deadline, 1), (Way::Deadline, 2)]
            {
                let script = run(&shape, Plan { workers, way, ..PLAIN }, None);
                assert!(script.work_done() <= shape.unasked, "{}: {} steps", shape.name, script.work_done());
            }
        }
    });
}

#[test]
fn cancel_of_a_child_ends_nothing() {
    alone("cancels::cancel_of_a_child_ends_nothing", || {
        for shape in shapes::all() {
            for workers in [1, 2] {
                let usual = when_nothing_happens(&shape, workers);
                for cancel in [0, usual.steps / 2] {
                    let plan = Plan { workers, way: Way::OnlyAChild, cancel: Some(cancel), ..PLAIN };
                    run(&shape, plan, Some(usual));
                }
            }
        }
    });
}

#[test]
fn failure_before_a_cancel_is_the_cause_and_one_after_it_a_reaction() {
    alone("cancels::failure_before_a_cancel_is_the_cause_and_one_after_it_a_reaction", || {
        let mut failures = 0;
        for shape in shapes::all().filter(|shape| shape.fails) {
            for workers in [1, 2] {
                let usual = when_nothing_happens(&shape, workers);
                for step in 0..usual.steps {
                    let fail = Plan { workers, fail: Some(step), ..PLAIN };
                    let script = run(&shape, fail, Some(usual));
                    if script.failed().is_some() {
                        failures += 1;
                        run(&shape, Plan { cancel: Some(step), ..fail }, Some(usual));
                        run(&shape, Plan { cancel: Some(step + 1), ..fail }, Some(usual));
                    }
                }
            }
        }
        assert!(failures > 300, "only {failures} of the steps can fail");
    });
}

/// What its drop panics with.
const BOOM: &str = "boom";

/// How many [`Bomb`]s there were, and how many went off or were put by.
#[derive(Clone, Default)]
struct Bombs(Arc<[AtomicU64; 3]>);

/// Panics whenever it is dropped and was not put by.
struct Bomb {
    number: u64,
    bombs: Bombs,
    is_put_by: bool,
}

impl Bombs {
    fn make(&self, number: u64) -> Bomb {
        self.0[0].fetch_add(1, SeqCst);
        Bomb { number, bombs: self.clone(), is_put_by: false }
    }

    fn counts(&self) -> [u64; 3] {
        [0, 1, 2].map(|at| self.0[at].load(SeqCst))
    }
}

impl Bomb {
    /// Puts it by; ends the run if it is far enough.
    fn take(mut self, token: &CancellationToken) {
        if self.number >= 300 {
            token.cancel();
        }
        self.is_put_by = true;
    }

    /// Panics where it is far enough, and gives it on otherwise.
    fn crack(self) -> Self {
        if self.number >= 300 {
            self.take(&CancellationToken::new());
            panic_any(BOOM);
        }
        self
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.is_put_by {
            self.bombs.0[2].fetch_add(1, SeqCst);
        } else {
            self.bombs.0[1].fetch_add(1, SeqCst);
            panic_any(BOOM);
        }
    }
}

type Outcome = Result<Report, PipelineError>;

macro_rules! bombs {
    ($bombs:expr, $workers:expr) => {{
        let bombs = $bombs.clone();
        Pipeline::from_iter((0..1000).map(move |number| bombs.make(number))).workers($workers).window(64)
    }};
}

/// Ends a pipeline of bombs: all that reach the sink are put by.
macro_rules! put_by {
    ($token:expr, $pipeline:expr) => {
        $pipeline.for_each("put by", |bomb: Bomb| bomb.take($token)).run($token)
    };
}

type Shapes = [(&'static str, fn(&Bombs, usize, &CancellationToken) -> Outcome); 15];

fn of_bombs() -> Shapes {
    [
        ("map, serial", |b, w, t| put_by!(t, bombs!(b, w).map("map", |it| it).serial("serial", |it| it))),
        ("unordered", |b, w, t| put_by!(t, bombs!(b, w).map("map", |it| it).unordered())),
        ("map that panics", |b, w, t| put_by!(t, bombs!(b, w).map("map", Bomb::crack))),
        ("serial that panics", |b, w, t| put_by!(t, bombs!(b, w).serial("serial", Bomb::crack))),
        ("serial that cancels", |b, w, t| {
            let serial = |it: Bomb| {
                if it.number == 300 {
                    t.cancel();
                }
                it
            };
            put_by!(t, bombs!(b, w).serial("serial", serial))
        }),
        ("keyed", |b, w, t| put_by!(t, bombs!(b, w).keyed("keyed", |it| it.number % 5, |it| it))),
        ("keyed that panics", |b, w, t| {
            put_by!(t, bombs!(b, w).keyed("keyed", |it| it.number % 5, Bomb::crack))
        }),
        ("keyed_unordered", |b, w, t| {
            put_by!(t, bombs!(b, w).keyed_unordered("keyed", |it| it.number % 5, |it| it))
        }),
        ("blocking", |b, w, t| put_by!(t, bombs!(b, w).blocking("blocking", 2, |it| it))),
        ("blocking that panics", |b, w, t| put_by!(t, bombs!(b, w).blocking("blocking", 2, Bomb::crack))),
        ("flat_map", |b, w, t| put_by!(t, bombs!(b, w).flat_map("flat_map", |it| [it]))),
        ("batch", |b, w, t| {
            let take = |batch: Vec<Bomb>| batch.into_iter().for_each(|bomb| bomb.take(t));
            bombs!(b, w).map("map", |it| it).batch(7).for_each("put by", take).run(t)
        }),
        ("batch after a map that panics", |b, w, t| {
            let take = |batch: Vec<Bomb>| batch.into_iter().for_each(|bomb| bomb.take(t));
            bombs!(b, w).map("map", Bomb::crack).batch(700).for_each("put by", take).run(t)
        }),
        ("for_each_local", |b, w, t| {
            bombs!(b, w).map("map", |it| it).for_each_local("put by", |bomb| bomb.take(t)).run(t)
        }),
        ("iterator", |b, w, t| {
            let body = |items: gristmill::pipeline::Results<'_, Bomb>| {
                for bomb in items {
                    bomb.crack().take(t);
                }
            };
            let run = || bombs!(b, w).map("map", |it| it).with_iter(t, body).1;
            catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(nothing_read()))
        }),
    ]
}

/// Any error.
fn nothing_read() -> PipelineError {
    let without_workers = Pipeline::from_iter(0..1).workers(0).for_each("drop", drop);
    without_workers.run(&CancellationToken::new()).expect_err("nobody would run it")
}

#[test]
fn run_that_ends_early_drops_each_item_once_although_every_drop_panics() {
    alone("cancels::run_that_ends_early_drops_each_item_once_although_every_drop_panics", || {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // A word for each would be many.
            if info.payload().downcast_ref() != Some(&BOOM) {
                usual(info);
            }
        }));
        for (name, run) in of_bombs() {
            for workers in [1, 2, 4] {
                step(&format!("{name}, {workers} workers"));
                let bombs = Bombs::default();
                assert!(run(&bombs, workers, &CancellationToken::new()).is_err(), "{name}");
                let [made, dropped, put_by] = bombs.counts();
                assert_eq!(made, dropped + put_by, "{name}: {dropped} dropped");
            }
        }
    });
}

#[test]
fn iterator_that_is_left_drops_what_is_at_hand_although_every_drop_panics() {
    alone("cancels::iterator_that_is_left_drops_what_is_at_hand_although_every_drop_panics", || {
        for workers in [1, 2] {
            let (bombs, token) = (Bombs::default(), CancellationToken::new());
            let mut items = bombs!(bombs, workers).map("map", |it| it).into_iter_with(&token).unwrap();
            for _ in 0..20 {
                items.next().unwrap().unwrap().take(&token);
            }
            let _ = catch_unwind(AssertUnwindSafe(|| drop(items)));
            let [made, dropped, put_by] = bombs.counts();
            assert_eq!((made, put_by), (dropped + put_by, 20));
        }
    });
}
