//! The object pool against a sequential model, for any sequence of calls of one thread.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use gristmill::{Discarded, ManualClock, ObjectPool, Pooled, TakeError};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
const MAX_IDLE: u64 = 5;

#[derive(Clone, Debug)]
enum Step {
    Take,
    /// With a time-out of zero.
    TakeInTime,
    Return(usize),
    /// The holder panics.
    Panic(usize),
    Detach(usize),
    Discard(usize),
    /// The next check refuses it, or panics.
    Spoil(usize, bool),
    /// The reset refuses it, or panics.
    Break(usize, bool),
    Prefill(usize),
    /// What the create hook does from now on: succeeds, fails, panics.
    Create(u8),
    Advance(u64),
    Evict,
    Clear,
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = any::<usize>;
    let step = prop_oneof![
        10 => Just(Step::Take),
        2 => Just(Step::TakeInTime),
        8 => which().prop_map(Step::Return),
        1 => which().prop_map(Step::Panic),
        1 => which().prop_map(Step::Detach),
        1 => which().prop_map(Step::Discard),
        1 => (which(), any::<bool>()).prop_map(|(object, panics)| Step::Spoil(object, panics)),
        1 => (which(), any::<bool>()).prop_map(|(object, panics)| Step::Break(object, panics)),
        1 => (0..8_usize).prop_map(Step::Prefill),
        1 => prop_oneof![3 => Just(0_u8), 1 => Just(1), 1 => Just(2)].prop_map(Step::Create),
        3 => (0..2 * MAX_IDLE).prop_map(Step::Advance),
        1 => Just(Step::Evict),
        1 => Just(Step::Clear),
        1 => prop::bool::weighted(0.1).prop_map(|closes| if closes { Step::Close } else { Step::Take }),
    ];
    prop::collection::vec(step, 0..120)
}

/// How a hook takes an object.
const GOOD: u8 = 0;
const REFUSED: u8 = 1;
const PANICS: u8 = 2;

struct Object {
    number: usize,
    check: u8,
    reset: u8,
    alive: Arc<AtomicUsize>,
}

impl Drop for Object {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, SeqCst);
    }
}

/// A verdict as a hook gives it. The panic is without a message, of which there would be thousands.
fn verdict(code: u8) -> bool {
    if code == PANICS {
        resume_unwind(Box::new("hook"));
    }
    code == GOOD
}

#[derive(Clone, Copy)]
struct Idle {
    number: usize,
    since: u64,
    check: u8,
}

/// The pool as one thread sees it: the object that it returned last, and a list in the order of return.
#[derive(Default)]
struct Model {
    capacity: usize,
    expires: bool,
    closed: bool,
    now: u64,
    next_sweep: u64,
    last: Option<Idle>,
    list: Vec<Idle>,
    in_use: usize,
    create: u8,
    made: usize,
    reused: u64,
    detached: u64,
    failures: u64,
    waited: u64,
    discarded: Discarded,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Object(usize),
    NotNow,
    TimedOut,
    Closed,
    Failed,
    Panicked,
}

fn answer(result: &Result<Pooled<'_, Object>, TakeError<&'static str>>) -> Answer {
    match result {
        Ok(object) => Answer::Object(object.number),
        Err(error) => refusal(error),
    }
}

fn refusal(error: &TakeError<&'static str>) -> Answer {
    match error {
        TakeError::NotNow => Answer::NotNow,
        TakeError::TimedOut => Answer::TimedOut,
        TakeError::Closed => Answer::Closed,
        TakeError::Create(_) => Answer::Failed,
        TakeError::CreatePanicked(_) => Answer::Panicked,
        other => panic!("nobody cancels: {other}"),
    }
}

impl Model {
    fn is_over(&self, idle: Idle) -> bool {
        self.expires && self.now - idle.since >= MAX_IDLE
    }

    fn idle(&self) -> usize {
        self.list.len() + usize::from(self.last.is_some())
    }

    fn evict(&mut self) -> usize {
        let before = self.idle();
        self.last = self.last.filter(|idle| !self.is_over(*idle));
        let list = std::mem::take(&mut self.list);
        self.list = list.into_iter().filter(|idle| !self.is_over(*idle)).collect();
        let gone = before - self.idle();
        self.discarded.expired += gone as u64;
        gone
    }

    fn sweep(&mut self) {
        if self.expires && self.now >= self.next_sweep {
            self.next_sweep = self.now + MAX_IDLE;
            self.evict();
        }
    }

    fn take(&mut self, refused: Answer) -> Answer {
        self.sweep();
        if self.closed {
            return Answer::Closed;
        }
        if self.last.is_none() && self.in_use == self.capacity {
            self.waited += u64::from(refused == Answer::TimedOut);
            return refused;
        }
        while let Some(idle) = self.last.take().or_else(|| self.list.pop()) {
            if self.is_over(idle) {
                self.discarded.expired += 1;
            } else if idle.check != GOOD {
                self.discarded.failed_check += 1;
            } else {
                self.reused += 1;
                self.in_use += 1;
                return Answer::Object(idle.number);
            }
        }
        let made = self.make();
        self.in_use += usize::from(matches!(made, Answer::Object(_)));
        made
    }

    fn make(&mut self) -> Answer {
        if self.create == GOOD {
            self.made += 1;
            return Answer::Object(self.made - 1);
        }
        self.failures += 1;
        if self.create == REFUSED { Answer::Failed } else { Answer::Panicked }
    }

    fn prefill(&mut self, objects: usize) -> Result<usize, Answer> {
        if self.closed {
            return Err(Answer::Closed);
        }
        let mut made = 0;
        while self.in_use + self.idle() < objects.min(self.capacity) {
            match self.make() {
                Answer::Object(number) => self.shelve(Idle { number, since: self.now, check: GOOD }),
                failed => return Err(failed),
            }
            made += 1;
        }
        Ok(made)
    }

    fn shelve(&mut self, idle: Idle) {
        let at = if self.expires {
            self.list.partition_point(|other| other.since <= idle.since)
        } else {
            self.list.len()
        };
        self.list.insert(at, idle);
    }

    fn put_back(&mut self, number: usize, check: u8, reset: u8) {
        self.in_use -= 1;
        if reset != GOOD {
            self.discarded.failed_reset += 1;
            return;
        }
        if self.closed {
            self.discarded.cleared += 1;
        } else if let Some(before) = self.last.replace(Idle { number, since: self.now, check }) {
            self.shelve(before);
        }
        self.sweep();
    }

    fn clear(&mut self) -> usize {
        let gone = self.idle();
        self.last = None;
        self.list.clear();
        self.discarded.cleared += gone as u64;
        gone
    }
}

/// What the hooks go by, besides the objects.
#[derive(Default)]
struct Hooks {
    clock: ManualClock,
    alive: Arc<AtomicUsize>,
    create: Arc<AtomicU8>,
}

impl Hooks {
    fn pool(&self, capacity: usize, expires: bool) -> ObjectPool<Object, &'static str> {
        let (alive, create) = (Arc::clone(&self.alive), Arc::clone(&self.create));
        let made = AtomicUsize::new(0);
        let builder = ObjectPool::try_builder(capacity, move || {
            if !verdict(create.load(SeqCst)) {
                return Err("refused");
            }
            alive.fetch_add(1, SeqCst);
            let (number, alive) = (made.fetch_add(1, SeqCst), Arc::clone(&alive));
            Ok(Object { number, check: GOOD, reset: GOOD, alive })
        });
        let builder = builder
            .check(|object| verdict(object.check))
            .reset(|object| verdict(object.reset))
            .clock(self.clock.clone());
        let builder = if expires { builder.max_idle(SECOND * 5) } else { builder };
        builder.build().expect("not of zero objects")
    }
}

fn compare(
    pool: &ObjectPool<Object, &'static str>,
    model: &Model,
    alive: usize,
) -> Result<(), TestCaseError> {
    let report = pool.report();
    prop_assert_eq!(
        (report.in_use, report.idle, report.is_closed),
        (model.in_use, model.idle(), model.closed)
    );
    prop_assert_eq!(
        (report.created, report.reused, report.detached),
        (model.made as u64, model.reused, model.detached)
    );
    prop_assert_eq!((report.create_failures, report.waited), (model.failures, model.waited));
    prop_assert_eq!(report.discarded, model.discarded);
    prop_assert_eq!(alive, report.in_use + report.idle);
    prop_assert!(alive <= model.capacity);
    Ok(())
}

fn run(capacity: usize, expires: bool, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let hooks = Hooks::default();
    let pool = hooks.pool(capacity, expires);
    let mut model = Model { capacity, expires, next_sweep: MAX_IDLE, ..Model::default() };
    let mut held: Vec<Pooled<'_, Object>> = Vec::new();
    for step in steps {
        let count = held.len();
        match step {
            Step::Take => {
                let result = pool.try_take();
                prop_assert_eq!(answer(&result), model.take(Answer::NotNow));
                held.extend(result);
            }
            Step::TakeInTime => {
                let result = pool.take_timeout(Duration::ZERO);
                prop_assert_eq!(answer(&result), model.take(Answer::TimedOut));
                held.extend(result);
            }
            Step::Prefill(objects) => {
                let made = pool.prefill(objects).map_err(|error| refusal(&error));
                prop_assert_eq!(made, model.prefill(objects));
            }
            Step::Create(code) => {
                hooks.create.store(code, SeqCst);
                model.create = code;
            }
            Step::Advance(seconds) => {
                hooks.clock.advance(SECOND * u32::try_from(seconds).expect("few seconds"));
                model.now += seconds;
            }
            Step::Evict => prop_assert_eq!(pool.evict_expired(), model.evict()),
            Step::Clear => prop_assert_eq!(pool.clear(), model.clear()),
            Step::Close => {
                prop_assert_eq!(pool.close(), !model.closed);
                model.closed = true;
                model.clear();
            }
            _ if count == 0 => {}
            Step::Return(which) => {
                let object = held.swap_remove(which % count);
                model.put_back(object.number, object.check, object.reset);
                drop(object);
            }
            Step::Panic(which) => {
                let object = held.swap_remove(which % count);
                let panicked = catch_unwind(AssertUnwindSafe(|| {
                    let _object = object;
                    resume_unwind(Box::new("holder"));
                }));
                prop_assert!(panicked.is_err());
                model.in_use -= 1;
                model.discarded.panicked += 1;
            }
            Step::Detach(which) => {
                drop(Pooled::detach(held.swap_remove(which % count)));
                model.in_use -= 1;
                model.detached += 1;
            }
            Step::Discard(which) => {
                Pooled::discard(held.swap_remove(which % count));
                model.in_use -= 1;
                model.discarded.by_holder += 1;
            }
            Step::Spoil(which, panics) => held[which % count].check = if panics { PANICS } else { REFUSED },
            Step::Break(which, panics) => held[which % count].reset = if panics { PANICS } else { REFUSED },
        }
        compare(&pool, &model, hooks.alive.load(SeqCst))?;
    }
    drop(held);
    drop(pool);
    prop_assert_eq!(hooks.alive.load(SeqCst), 0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 500 }, ..ProptestConfig::default() })]

    #[test]
    fn pool_does_what_the_model_does(capacity in 1..6_usize, expires in any::<bool>(), steps in steps()) {
        run(capacity, expires, steps)?;
    }
}
