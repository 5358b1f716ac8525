//! Every combinator against a sequential model, on a clock that the waiting thread itself moves: whenever nothing is ready it is
//! offered to help, and its help is to move the clock to the next thing that happens.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use gristmill::combine::{self, AllFailed, FirstOk, Unsettled};
use gristmill::{AttemptBudget, CancellationToken, Clock, Help, ManualClock, Signal, Timer, Waitable};
use proptest::prelude::*;

type Output = Result<usize, usize>;

/// When it ends, counted from its start, and whether it succeeds.
type Plan = (u64, bool);

/// What happens, and what has happened.
struct World {
    clock: ManualClock,
    start: Instant,
    events: RefCell<BTreeSet<u64>>,
    stop: Option<u64>,
    token: CancellationToken,
    cancelled: RefCell<BTreeSet<usize>>,
}

impl World {
    fn new(stop: Option<u64>) -> Rc<Self> {
        let clock = ManualClock::new();
        let token = CancellationToken::new();
        let start = clock.now();
        let events = RefCell::new(stop.into_iter().collect());
        let world = Self { clock, start, events, stop, token, cancelled: RefCell::default() };
        world.stop_in_time();
        Rc::new(world)
    }

    fn now(&self) -> u64 {
        self.clock.now().duration_since(self.start).as_secs()
    }

    fn timer(&self, after: u64) -> Timer {
        self.events.borrow_mut().insert(self.now() + after);
        Timer::after_on(Duration::from_secs(after), self.clock.clone())
    }

    fn task(self: &Rc<Self>, name: usize, (after, succeeds): Plan) -> Task {
        let output = if succeeds { Ok(name) } else { Err(name) };
        Task { name, output, timer: self.timer(after), world: Rc::clone(self) }
    }

    fn tasks(self: &Rc<Self>, plans: &[Plan]) -> Vec<Task> {
        plans.iter().enumerate().map(|(name, plan)| self.task(name, *plan)).collect()
    }

    /// Moves on to the next thing that happens; false if there is none.
    fn step(&self) -> bool {
        let now = self.now();
        let next = self.events.borrow().range(now + 1..).next().copied();
        if let Some(next) = next {
            self.clock.advance_to(self.start + Duration::from_secs(next));
            self.stop_in_time();
        }
        next.is_some()
    }

    fn stop_in_time(&self) {
        if self.stop.is_some_and(|at| at <= self.now()) {
            self.token.cancel();
        }
    }

    fn cancelled(&self) -> Vec<usize> {
        self.cancelled.borrow().iter().copied().collect()
    }
}

struct Task {
    name: usize,
    output: Output,
    timer: Timer,
    world: Rc<World>,
}

impl Waitable for Task {
    type Output = Output;

    fn is_finished(&self) -> bool {
        self.timer.is_finished()
    }

    fn watch(&self, signal: Signal) {
        Waitable::watch(&self.timer, signal);
    }

    fn unwatch(&self) {
        Waitable::unwatch(&self.timer);
    }

    fn take(&mut self) -> Option<Output> {
        self.timer.take().map(|_| self.output)
    }

    fn cancel(&self) {
        if self.timer.cancel() {
            self.world.cancelled.borrow_mut().insert(self.name);
        }
    }

    fn help(&self) -> Help {
        if self.world.step() { Help::Helped } else { Help::Nothing }
    }
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    prop::collection::vec((0..6_u64, any::<bool>()), 0..7)
}

fn output_of(plans: &[Plan], index: usize) -> Output {
    if plans[index].1 { Ok(index) } else { Err(index) }
}

/// The indices in the order of their ends.
fn in_order_of_ends(plans: &[Plan]) -> Vec<usize> {
    let mut order: Vec<_> = (0..plans.len()).collect();
    order.sort_by_key(|&index| plans[index].0);
    order
}

fn later_than(plans: &[Plan], time: u64) -> Vec<usize> {
    (0..plans.len()).filter(|&index| plans[index].0 > time).collect()
}

fn names(tasks: &[Task]) -> Vec<usize> {
    tasks.iter().map(|task| task.name).collect()
}

/// What a wait that was cut off gave back is all there, and as it was.
fn nothing_is_lost(world: &World, plans: &[Plan], tasks: Vec<Task>) {
    assert_eq!(names(&tasks), (0..plans.len()).collect::<Vec<_>>());
    for (task, (after, _)) in tasks.iter().zip(plans) {
        assert_eq!(task.is_finished(), *after <= world.now());
    }
    assert_eq!(world.cancelled(), Vec::<usize>::new());
    let outputs: Vec<_> = (0..plans.len()).map(|index| output_of(plans, index)).collect();
    assert_eq!(combine::wait_all(tasks), outputs);
}

fn split(ends: &[usize], plans: &[Plan]) -> (Option<usize>, Vec<(usize, usize)>) {
    let winner = ends.iter().copied().find(|&index| plans[index].1);
    let failed = ends.iter().copied().take_while(|&index| !plans[index].1).map(|index| (index, index));
    (winner, failed.collect())
}

/// The winner and those that failed before it, or all that failed.
type Plain = Result<(usize, Vec<(usize, usize)>), Vec<usize>>;

/// The answer of two attempts, and the instant of the answer; `second`: when it starts, if it does.
fn model_of_two(first: Plan, second: Option<(u64, Plan)>) -> (Plain, u64) {
    let mut plans = vec![first];
    plans.extend(second.map(|(start, (after, succeeds))| (start + after, succeeds)));
    let order = in_order_of_ends(&plans);
    let (winner, failed) = split(&order, &plans);
    match winner {
        Some(index) => (Ok((index, failed)), plans[index].0),
        None => (Err((0..plans.len()).collect()), plans[order[order.len() - 1]].0),
    }
}

type Answer = Result<FirstOk<Task, usize, usize>, AllFailed<usize>>;

fn plain(answer: Answer) -> Plain {
    answer
        .map(|first| {
            assert_eq!(first.value, first.index);
            (first.index, first.failed)
        })
        .map_err(AllFailed::into_errors)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_come_in_order_when_the_last_has_ended(plans in plans(), stop in prop::option::of(0..7_u64)) {
        let world = World::new(stop);
        let last = plans.iter().map(|plan| plan.0).max().unwrap_or(0);
        let outputs: Vec<_> = (0..plans.len()).map(|index| output_of(&plans, index)).collect();
        match combine::wait_all_with(world.tasks(&plans), &world.token) {
            Ok(all) => {
                assert!(stop.is_none_or(|stop| last <= stop));
                assert_eq!((all, world.now()), (outputs, last));
            }
            Err(cancelled) => {
                assert!(stop.is_some_and(|stop| stop < last && stop == world.now()));
                nothing_is_lost(&world, &plans, cancelled.into_handle());
            }
        }
    }

    #[test]
    fn settled_are_the_same_sorted_out(plans in plans()) {
        let world = World::new(None);
        let (good, bad): (Vec<_>, Vec<_>) = (0..plans.len()).partition(|&index| plans[index].1);
        let pairs = |indices: &[usize]| indices.iter().map(|index| (*index, *index)).collect::<Vec<_>>();
        match combine::settle(world.tasks(&plans)) {
            Ok(settled) => {
                assert!(!good.is_empty() || plans.is_empty());
                assert_eq!((settled.successes, settled.failures), (pairs(&good), pairs(&bad)));
            }
            Err(failed) => {
                assert!(good.is_empty() && !plans.is_empty());
                assert_eq!(failed.into_errors(), bad);
            }
        }
    }

    #[test]
    fn completed_come_in_the_order_of_their_ends(
        plans in plans(),
        more in plans(),
        stop in prop::option::of(0..7_u64),
    ) {
        let world = World::new(stop);
        let mut ends = combine::as_completed(world.tasks(&plans));
        let mut seen = Vec::new();
        let mut order = in_order_of_ends(&plans);
        while let Ok(Some((index, output))) = ends.next_with(&world.token) {
            assert_eq!((output, world.now()), (output_of(&plans, index), plans[index].0));
            seen.push(index);
        }
        order.retain(|&index| stop.is_none_or(|stop| plans[index].0 <= stop));
        assert_eq!(&seen, &order);
        // The rest, and some that come later.
        let now = world.now();
        let mut all = plans.clone();
        for plan in more {
            assert_eq!(ends.push(world.task(all.len(), plan)), all.len());
            all.push((now + plan.0, plan.1));
        }
        assert_eq!(ends.len(), all.len() - seen.len());
        let mut rest = in_order_of_ends(&all);
        rest.retain(|index| !seen.contains(index));
        let got: Vec<_> = ends.map(|(index, output)| (index, output == output_of(&all, index))).collect();
        assert_eq!(got, rest.into_iter().map(|index| (index, true)).collect::<Vec<_>>());
    }

    #[test]
    fn first_is_the_first_to_end_and_the_others_stay(
        plans in plans(),
        stop in prop::option::of(0..7_u64),
        races in any::<bool>(),
    ) {
        let world = World::new(stop);
        let tasks = world.tasks(&plans);
        let answer = if races {
            combine::race_with(tasks, &world.token)
        } else {
            combine::wait_first_with(tasks, &world.token)
        };
        let winner = in_order_of_ends(&plans).first().copied();
        match answer {
            Ok(None) => assert!(plans.is_empty()),
            Ok(Some(first)) => {
                assert_eq!(Some(first.index), winner);
                assert_eq!((first.output, world.now()), (output_of(&plans, first.index), plans[first.index].0));
                let others: Vec<_> = (0..plans.len()).filter(|&index| index != first.index).collect();
                assert_eq!(names(&first.others), others);
                let told = if races { later_than(&plans, world.now()) } else { Vec::new() };
                assert_eq!(world.cancelled(), told);
            }
            Err(cancelled) => {
                let winner = winner.expect("an empty set does not wait");
                assert!(stop.is_some_and(|stop| stop < plans[winner].0 && stop == world.now()));
                nothing_is_lost(&world, &plans, cancelled.into_handle());
            }
        }
    }

    #[test]
    fn first_success_wins_and_all_errors_come_in_order_if_there_is_none(
        plans in plans(),
        stop in prop::option::of(0..7_u64),
    ) {
        let world = World::new(stop);
        let order = in_order_of_ends(&plans);
        let (winner, failed) = split(&order, &plans);
        match combine::first_ok_with(world.tasks(&plans), &world.token) {
            Ok(Ok(first)) => {
                assert_eq!((Some(first.index), &first.failed), (winner, &failed));
                assert_eq!(world.now(), plans[first.index].0);
                assert_eq!(world.cancelled(), later_than(&plans, world.now()));
                assert_eq!(first.others.len(), plans.len() - 1 - failed.len());
                assert!(first.others.iter().all(|(index, task)| *index == task.name));
            }
            Ok(Err(all)) => {
                assert_eq!(winner, None);
                assert_eq!(all.into_errors(), (0..plans.len()).collect::<Vec<_>>());
            }
            Err(cancelled) => {
                let Unsettled { failed: seen, pending, second } = cancelled.into_handle();
                assert_eq!((world.cancelled(), second), (Vec::new(), None));
                assert!(failed.starts_with(&seen));
                assert_eq!(seen.len() + pending.len(), plans.len());
                assert!(pending.iter().all(|(index, task)| *index == task.name && !task.is_finished()));
                assert_eq!(Some(world.now()), stop);
            }
        }
    }

    #[test]
    fn time_limit_gives_the_output_or_the_cancelled_handle(plan in (0..6_u64, any::<bool>()), limit in 0..6_u64) {
        let world = World::new(None);
        match combine::with_timeout(world.task(0, plan), world.timer(limit)) {
            Ok(output) => {
                assert!(plan.0 <= limit);
                assert_eq!((output, world.now()), (output_of(&[plan], 0), plan.0));
                assert!(world.cancelled().is_empty());
            }
            Err(error) => {
                assert!(plan.0 > limit);
                assert_eq!((world.now(), world.cancelled()), (limit, vec![0]));
                assert!(error.into_handle().is_finished());
            }
        }
    }

    #[test]
    fn fallback_starts_only_when_the_first_has_failed(
        first in (0..6_u64, any::<bool>()),
        second in (0..6_u64, any::<bool>()),
        stop in prop::option::of(0..13_u64),
    ) {
        let world = World::new(stop);
        let starts = RefCell::new(None);
        let start = || {
            *starts.borrow_mut() = Some(world.now());
            world.task(1, second)
        };
        let (model, ends) = model_of_two(first, (!first.1).then_some((first.0, second)));
        match combine::fallback_with(world.task(0, first), start, &world.token) {
            Ok(answer) => {
                assert_eq!((plain(answer), world.now()), (model, ends));
                assert_eq!(*starts.borrow(), (!first.1).then_some(first.0));
            }
            Err(cancelled) => {
                let early = cancelled.into_handle();
                assert!(stop.is_some_and(|stop| stop == world.now() && stop <= ends));
                assert_eq!(early.second.is_some(), starts.borrow().is_none());
                assert_eq!(early.failed.len(), usize::from(!first.1 && first.0 <= world.now()));
                assert_eq!(early.pending.len() + early.failed.len() + usize::from(early.second.is_some()), 2);
            }
        }
    }

    #[test]
    fn hedge_starts_after_the_delay_if_the_budget_allows(
        first in (0..9_u64, any::<bool>()),
        delay in 0..6_u64,
        second in (0..6_u64, any::<bool>()),
        reserve in 0..2_u32,
        stop in prop::option::of(0..13_u64),
    ) {
        let world = World::new(stop);
        let budget = AttemptBudget::new(0, reserve);
        let starts = RefCell::new(None);
        let start = || {
            *starts.borrow_mut() = Some(world.now());
            world.task(1, second)
        };
        let hedges = first.0 > delay && reserve > 0;
        let (model, ends) = model_of_two(first, hedges.then_some((delay, second)));
        match combine::hedge_with(world.task(0, first), world.timer(delay), &budget, start, &world.token) {
            Ok(answer) => {
                let told = match &answer {
                    Ok(first) => first.others.iter().map(|(index, _)| *index).collect::<Vec<_>>(),
                    Err(_) => Vec::new(),
                };
                assert!(world.cancelled().iter().all(|index| told.contains(index)));
                assert_eq!((plain(answer), world.now()), (model, ends));
                assert_eq!(*starts.borrow(), hedges.then_some(delay));
                assert_eq!(budget.available(), u64::from(reserve) - u64::from(hedges));
            }
            Err(cancelled) => {
                let early = cancelled.into_handle();
                assert!(stop.is_some_and(|stop| stop == world.now() && stop <= ends));
                assert_eq!(early.second.is_some(), starts.borrow().is_none());
                assert_eq!(early.pending.len() + early.failed.len() + usize::from(early.second.is_some()), 2);
                assert!(world.cancelled().is_empty());
            }
        }
    }

    #[test]
    fn asking_once_and_waiting_for_no_time_are_the_same_and_for_ever_is_no_limit(plans in plans()) {
        let any = || !plans.iter().any(|plan| plan.0 == 0) && !plans.is_empty();
        let all = || plans.iter().any(|plan| plan.0 > 0);
        let world = World::new(None);
        assert_eq!(combine::try_wait_all(world.tasks(&plans)).is_err(), all());
        assert_eq!(combine::wait_all_timeout(world.tasks(&plans), Duration::ZERO).is_err(), all());
        assert_eq!(combine::try_settle(world.tasks(&plans)).is_err(), all());
        assert_eq!(combine::settle_timeout(world.tasks(&plans), Duration::ZERO).is_err(), all());
        assert_eq!(combine::try_wait_first(world.tasks(&plans)).is_err(), any());
        assert_eq!(combine::wait_first_timeout(world.tasks(&plans), Duration::ZERO).is_err(), any());
        assert_eq!(combine::try_race(world.tasks(&plans)).is_err(), any());
        let open = all() && !plans.contains(&(0, true));
        assert_eq!(combine::try_first_ok(world.tasks(&plans)).is_err(), open);
        assert_eq!(combine::first_ok_timeout(world.tasks(&plans), Duration::ZERO).is_err(), open);
        let mut ends = combine::as_completed(world.tasks(&plans));
        assert_eq!(ends.try_next().is_err(), any());
        assert_eq!(world.now(), 0, "nobody has waited");
        let world = World::new(None);
        let outputs = combine::wait_all_timeout(world.tasks(&plans), Duration::MAX);
        assert_eq!(outputs.ok().map(|outputs| outputs.len()), Some(plans.len()));
        assert_eq!(world.now(), plans.iter().map(|plan| plan.0).max().unwrap_or(0));
    }

    #[test]
    fn budget_never_gives_more_than_its_reserve_and_its_share(
        percent in 0..=100_u32,
        reserve in 0..4_u32,
        steps in prop::collection::vec(any::<bool>(), 0..400),
    ) {
        let budget = AttemptBudget::new(percent, reserve);
        let (mut calls, mut spent, mut balance) = (0_u64, 0_u64, u64::from(reserve) * 100);
        for is_call in steps {
            if is_call {
                budget.count_call();
                calls += 1;
                balance = (balance + u64::from(percent)).min(u64::from(reserve.max(1)) * 100);
            } else {
                assert_eq!(budget.try_spend(), balance >= 100);
                if balance >= 100 {
                    balance -= 100;
                    spent += 1;
                }
            }
            assert_eq!(budget.available(), balance / 100);
            assert!(spent * 100 <= u64::from(reserve) * 100 + calls * u64::from(percent));
        }
    }
}
