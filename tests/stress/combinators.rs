//! Every combinator over tasks of one pool, inside and outside of it, with timers that are over at any moment.

use std::time::Duration;

use gristmill::combine::{self, AllFailed};
use gristmill::{AttemptBudget, CancellationToken, Shutdown, Submitter, TaskError, TaskHandle, ThreadPool};

use crate::Turn;
use crate::dice::Dice;
use crate::ledger::{Item, Ledger};
use crate::planned::planned_panic;

#[derive(Debug)]
struct Plan {
    workers: usize,
    bound: usize,
    tasks: u64,
    rounds: u64,
    panicking: u64,
    /// Whether the rounds run in a task of the pool.
    is_inside: bool,
}

struct Yard {
    pool: Submitter<'static>,
    ledger: Ledger,
    tasks: u64,
    panicking: u64,
}

impl Yard {
    fn fails(&self, number: u64) -> bool {
        self.panicking > 0 && number % self.panicking == 0
    }

    fn task(&self, number: u64) -> TaskHandle<Item> {
        let (item, fails) = (self.ledger.item(number), self.fails(number));
        let work = move || {
            (0..number % 5).for_each(|_| std::thread::yield_now());
            if fails { planned_panic(number) } else { item }
        };
        self.pool.submit(work).expect("open")
    }

    fn tasks(&self) -> Vec<TaskHandle<Item>> {
        (0..self.tasks).map(|number| self.task(number)).collect()
    }

    #[track_caller]
    fn is_end_of(&self, number: usize, end: &Result<Item, TaskError>) {
        let number = number as u64;
        match end {
            Ok(item) => assert!(item.number == number && !self.fails(number)),
            Err(TaskError::Panicked(_)) => assert!(self.fails(number)),
            Err(error) => panic!("{error}"),
        }
    }

    fn all(&self) {
        let ends = combine::wait_all(self.tasks());
        ends.iter().enumerate().for_each(|(index, end)| self.is_end_of(index, end));
    }

    fn one_by_one(&self) {
        let mut seen: Vec<usize> = combine::as_completed(self.tasks())
            .map(|(index, end)| {
                self.is_end_of(index, &end);
                index
            })
            .collect();
        seen.sort_unstable();
        assert!(seen.into_iter().map(|index| index as u64).eq(0..self.tasks));
    }

    fn firsts(&self) {
        let (mut handles, mut numbers) = (self.tasks(), (0..self.tasks).collect::<Vec<_>>());
        while let Some(first) = combine::wait_first(handles) {
            let number = numbers.remove(first.index);
            self.is_end_of(usize::try_from(number).expect("small"), &first.output);
            handles = first.others;
        }
        assert!(numbers.is_empty());
    }

    fn race(&self) {
        match combine::race(self.tasks()) {
            Some(first) => {
                self.is_end_of(first.index, &first.output);
                assert_eq!(first.others.len() as u64, self.tasks - 1);
                for end in combine::wait_all(first.others) {
                    assert!(matches!(end, Ok(_) | Err(TaskError::Cancelled { .. } | TaskError::Panicked(_))));
                }
            }
            None => assert_eq!(self.tasks, 0),
        }
    }

    fn first_ok(&self) {
        match combine::first_ok(self.tasks()) {
            Ok(first) => {
                assert!(first.value.number == first.index as u64 && !self.fails(first.value.number));
                assert!(first.failed.iter().all(|(index, _)| self.fails(*index as u64)));
                assert_eq!(
                    1 + first.failed.len() + first.others.len(),
                    usize::try_from(self.tasks).expect("small")
                );
            }
            Err(failed) => {
                assert!((0..self.tasks).all(|number| self.fails(number)));
                assert_eq!(failed.errors().len() as u64, self.tasks);
            }
        }
    }

    fn settle(&self) {
        let failing = (0..self.tasks).filter(|number| self.fails(*number)).count();
        match combine::settle(self.tasks()) {
            Ok(settled) => {
                assert_eq!(settled.failures.len(), failing);
                let mut good = (0..self.tasks).filter(|number| !self.fails(*number));
                assert!(settled.successes.iter().all(|(index, item)| {
                    item.number == *index as u64 && good.next() == Some(item.number)
                }));
            }
            Err(failed) => assert_eq!(failed.errors().len(), failing),
        }
    }

    fn in_time(&self, limit: Duration) {
        match combine::with_timeout(self.task(1), limit) {
            Ok(end) => self.is_end_of(1, &end),
            Err(late) => match late.into_handle().wait() {
                Err(TaskError::Cancelled { .. }) => {}
                end => self.is_end_of(1, &end),
            },
        }
    }

    fn hedge(&self, delay: Duration, budget: &AttemptBudget) {
        let answer: Result<_, AllFailed<_>> = combine::hedge(self.task(3), delay, budget, || self.task(3));
        match answer {
            Ok(answer) => assert_eq!(answer.value.number, 3),
            Err(failed) => assert!(self.fails(3) && (1..=2).contains(&failed.errors().len())),
        }
    }

    fn cancelled(&self, dice: &mut Dice) {
        let token = CancellationToken::new().child_with_timeout(Duration::from_micros(dice.below(500)));
        match combine::wait_all_with(self.tasks(), &token) {
            Ok(ends) => ends.iter().enumerate().for_each(|(index, end)| self.is_end_of(index, end)),
            Err(stopped) => {
                let mut handles = stopped.into_handle();
                assert_eq!(handles.len() as u64, self.tasks);
                // Half of them is left to itself.
                handles.truncate(handles.len() / 2);
                let ends = combine::wait_all(handles);
                ends.iter().enumerate().for_each(|(index, end)| self.is_end_of(index, end));
            }
        }
    }

    fn round(&self, dice: &mut Dice, budget: &AttemptBudget) {
        let time = Duration::from_micros(dice.below(400));
        match dice.below(10) {
            0 => self.all(),
            1 => self.one_by_one(),
            2 => self.firsts(),
            3 => self.race(),
            4 => self.first_ok(),
            5 => self.settle(),
            6 => self.in_time(time),
            7 => self.hedge(time, budget),
            8 => self.cancelled(dice),
            _ => {
                let timers = [combine::after(time), combine::after(time / 2)];
                let ended: Vec<usize> = combine::as_completed(timers).map(|(index, _)| index).collect();
                assert_eq!(ended.len(), 2);
            }
        }
    }
}

pub(crate) fn storm(turn: &mut Turn<'_>) {
    let workers = turn.draw_workers();
    let dice = &mut turn.dice;
    let plan = Plan {
        workers,
        bound: dice.pick(&[1, 3, 64]),
        tasks: dice.below(30),
        rounds: 1 + dice.below(8),
        panicking: dice.pick(&[0, 0, 1, 3]),
        is_inside: dice.one_in(2),
    };
    turn.plan(&plan);
    let pool =
        ThreadPool::builder().workers(plan.workers).queue_bound(plan.bound).build().expect("good settings");
    let ledger = Ledger::default();
    let yard = Yard {
        pool: pool.submitter().clone(),
        ledger: ledger.clone(),
        tasks: plan.tasks,
        panicking: plan.panicking,
    };
    let (mut dice, budget) = (turn.dice.split(), AttemptBudget::new(50, 3));
    let mut rounds = move || (0..plan.rounds).for_each(|_| yard.round(&mut dice, &budget));
    if plan.is_inside {
        let rounds = pool.submit(rounds).expect("open");
        rounds.wait().expect("no claim fails");
    } else {
        rounds();
    }
    assert!(pool.shutdown(Shutdown::Drain).is_complete());
    drop(pool);
    ledger.is_closed();
}
