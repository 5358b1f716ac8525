//! The order in which queued tasks start: by priority, with ageing and caps.
//!
//! One worker is held while the test submits; the order in which it runs what is queued is the claim.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};

use gristmill::{BuildError, Shutdown, TaskHandle, ThreadPool, ThreadPoolBuilder};

#[path = "support/gate.rs"]
mod gate;
use gate::{Gate, LONG, Log, ended, occupy};

fn builder<'env>(workers: usize) -> ThreadPoolBuilder<'env> {
    ThreadPool::builder().workers(workers).queue_bound(4096)
}

/// Submits tasks of these priorities to a paused pool of one worker; the order in which they start, by index.
fn order_of(builder: ThreadPoolBuilder<'static>, priorities: &[i8]) -> Vec<usize> {
    let pool = builder.build().expect("good settings");
    let log = Log::new();
    pool.pause();
    for (i, priority) in priorities.iter().enumerate() {
        let log = log.clone();
        drop(pool.task().priority(*priority).submit(move |_| log.add(i)).expect("open"));
    }
    let report = pool.shutdown(Shutdown::Drain);
    assert_eq!(report.succeeded(), priorities.len() as u64);
    log.all()
}

/// The documented order, in the plainest way: again and again the task whose number, less what its level is worth, is lowest;
/// the higher level of equals.
fn expected_order(ageing: u64, priorities: &[i8]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..priorities.len()).collect();
    let rank = |i: &usize| {
        let level = priorities[*i];
        (*i as i128 - i128::from(level) * i128::from(ageing), -i32::from(level), *i)
    };
    order.sort_by_key(rank);
    order
}

#[test]
fn higher_priorities_start_first_and_equal_ones_in_submission_order() {
    let priorities = [0, 3, -1, 3, 0, i8::MAX, i8::MIN, 0, -1, 3, i8::MAX, 0];
    let order = order_of(builder(1), &priorities);
    assert_eq!(order, [5, 10, 1, 3, 9, 0, 4, 7, 11, 2, 8, 6]);
    assert_eq!(order, expected_order(1024, &priorities), "the model agrees");
}

#[test]
fn order_is_exact_for_a_thousand_tasks_of_all_levels() {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        i8::from_ne_bytes([state.to_be_bytes()[2]])
    };
    let priorities: Vec<i8> = (0..1000).map(|_| next()).collect();
    for ageing in [0, 1, 5, 1024, u64::MAX] {
        let order = order_of(builder(1).ageing(ageing), &priorities);
        assert_eq!(order, expected_order(ageing, &priorities), "ageing {ageing}");
    }
}

#[test]
fn tasks_without_options_have_priority_zero() {
    let pool = builder(1).build().expect("good settings");
    let log = Log::new();
    pool.pause();
    for i in 0..6 {
        let log = log.clone();
        let run = move || log.add(i);
        match i % 3 {
            0 => drop(pool.submit(run).expect("open")),
            1 => drop(pool.task().priority(0).submit(move |_| run()).expect("open")),
            _ => drop(
                pool.task()
                    .priority(i8::try_from(i).expect("small") - 3)
                    .submit(move |_| run())
                    .expect("open"),
            ),
        }
    }
    drop(pool.shutdown(Shutdown::Drain));
    assert_eq!(log.all(), [5, 0, 1, 3, 4, 2], "5 has priority 2, and 2 has -1");
}

/// A low task under a steady stream of high ones: each high task submits the next when it runs, so there is always one queued.
#[test]
fn low_task_under_a_steady_stream_is_overtaken_exactly_as_often_as_ageing_says() {
    for (ageing, low, high) in [(10_u32, 0, 1), (10, -2, 1), (1, -128, 127), (0, -5, 5), (100, 3, 4)] {
        let pool = builder(1).ageing(ageing.into()).build().expect("good settings");
        let (gate, running) = occupy(&pool);
        let overtakers = Arc::new(AtomicUsize::new(0));
        let (seen, at_start) = mpsc::channel();
        let count = Arc::clone(&overtakers);
        let waits = pool.task().priority(low).submit(move |_| seen.send(count.load(Ordering::SeqCst)));
        let waits = waits.expect("open");
        // Submitted after the low one, and all before it may start: whoever may overtake is there.
        let stream: Vec<_> = (0..2000)
            .map(|_| {
                let overtakers = Arc::clone(&overtakers);
                let task = pool.task().priority(high);
                task.submit(move |_| overtakers.fetch_add(1, Ordering::SeqCst)).expect("open")
            })
            .collect();
        gate.open();
        ended(running).expect("it finishes");
        ended(waits).expect("it succeeds").expect("the test listens");
        let bound =
            usize::try_from((i64::from(high) - i64::from(low)) * i64::from(ageing)).expect("not negative");
        assert_eq!(at_start.recv_timeout(LONG), Ok(bound), "{ageing} {low} {high}");
        for handle in stream {
            _ = ended(handle).expect("it succeeds");
        }
    }
}

#[test]
fn nothing_ages_with_the_largest_ageing() {
    let priorities: Vec<i8> = std::iter::once(-1).chain([0; 3000]).collect();
    let order = order_of(builder(1).ageing(u64::MAX), &priorities);
    assert_eq!(order.last(), Some(&0));
}

/// Counted inside of the tasks.
#[test]
fn cap_limits_how_many_of_a_priority_run_at_once_and_leaves_the_others_their_workers() {
    let pool = builder(4).priority_cap(5, 2).build().expect("good settings");
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let capped: Vec<_> = (0..200)
        .map(|_| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            let task = pool.task().priority(5).submit(move |_| {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                std::thread::yield_now();
                assert!(running.fetch_sub(1, Ordering::SeqCst) <= 2, "inside of the task");
            });
            task.expect("open")
        })
        .collect();
    for handle in capped {
        ended(handle).expect("at most two at a time");
    }
    assert!(most.load(Ordering::SeqCst) <= 2);
}

#[test]
fn capped_level_is_passed_by_others_and_goes_on_when_one_of_it_ends() {
    let pool = builder(2).priority_cap(5, 1).build().expect("good settings");
    let (gate, pass) = Gate::new();
    let first = pool.task().priority(5).submit(move |_| pass()).expect("open");
    gate.wait();
    let second = pool.task().priority(5).submit(|_| 2).expect("open");
    // Passes, though it is lower: the other worker is free.
    assert_eq!(ended(pool.task().priority(-5).submit(|_| 3).expect("open")).expect("it succeeds"), 3);
    assert_eq!(ended(pool.submit(|| 4).expect("open")).expect("it succeeds"), 4);
    assert!(!second.is_finished(), "its level is full");
    gate.open();
    ended(first).expect("it finishes");
    assert_eq!(ended(second).expect("its turn has come"), 2);
}

#[test]
fn capped_task_that_panics_or_is_cancelled_makes_room_for_the_next() {
    let pool = builder(2).priority_cap(0, 1).build().expect("good settings");
    for _ in 0..50 {
        let panics = pool.submit(|| panic!("crack")).map(|handle: TaskHandle<()>| handle).expect("open");
        let cancelled = pool.submit(|| ()).expect("open");
        let _ = cancelled.cancel();
        assert!(ended(panics).unwrap_err().is_panicked());
    }
    assert_eq!(ended(pool.submit(|| 7).expect("open")).expect("there is room"), 7);
}

#[test]
fn cap_holds_for_handed_back_and_purged_tasks_too() {
    let pool = builder(1).priority_cap(0, 1).build().expect("good settings");
    for _ in 0..3 {
        let (gate, running) = occupy(&pool);
        drop((0..5).map(|_| pool.submit(|| ()).expect("open")).collect::<Vec<_>>());
        assert_eq!(pool.purge().len(), 5);
        gate.open();
        ended(running).expect("it finishes");
    }
    assert_eq!(ended(pool.submit(|| 7).expect("open")).expect("there is room"), 7);
}

#[test]
fn waiting_task_of_a_full_level_runs_the_one_it_waits_for() {
    let pool = builder(1).priority_cap(1, 1).build().expect("good settings");
    let submitter = pool.submitter().clone();
    let outer = pool.task().priority(1).submit(move |_| {
        let inner = submitter.task().priority(1).submit(|_| 20).expect("open");
        inner.wait().expect("it runs here, whatever the cap") + 1
    });
    assert_eq!(ended(outer.expect("open")).expect("it succeeds"), 21);
}

#[test]
fn cap_of_zero_is_refused() {
    let refused = ThreadPool::builder().priority_cap(3, 0).build().map(drop).unwrap_err();
    assert!(matches!(refused, BuildError::PriorityCap { priority: 3 }), "{refused}");
    drop(ThreadPool::builder().workers(1).priority_cap(3, usize::MAX).build().expect("as good as none"));
}

/// A worker has taken a batch of ordinary tasks, and runs the first, when a task with a priority comes.
#[test]
fn first_task_with_a_priority_passes_the_batches_that_workers_hold() {
    let pool = builder(1).build().expect("good settings");
    let log = Log::new();
    let (first, running) = occupy(&pool);
    let (second, pass) = Gate::new();
    drop(pool.submit(pass).expect("open"));
    for i in 0..40 {
        let log = log.clone();
        drop(pool.submit(move || log.add(i)).expect("open"));
    }
    first.open();
    second.wait(); // it has a batch now: those behind the one that holds it
    for (i, priority) in [(100, -1), (101, 1), (102, 0)] {
        let log = log.clone();
        drop(pool.task().priority(priority).submit(move |_| log.add(i)).expect("open"));
    }
    second.open();
    drop(pool.shutdown(Shutdown::Drain));
    ended(running).expect("it finishes");
    let expected: Vec<i32> = std::iter::once(101).chain(0..40).chain([102, 100]).collect();
    assert_eq!(log.all(), expected);
}

/// As above with two workers that are held with a batch each: nothing is lost or run twice.
#[test]
fn batches_of_several_workers_go_back_into_the_order() {
    let pool = builder(2).build().expect("good settings");
    let log = Log::new();
    let (gate_of_one, one) = occupy(&pool);
    let (gate_of_other, other) = occupy(&pool);
    let add = |numbers: std::ops::Range<i32>| {
        for i in numbers {
            let log = log.clone();
            drop(pool.submit(move || log.add(i)).expect("open"));
        }
    };
    // Each goes on with a batch of 32 whose first task holds it.
    let (first, pass) = Gate::new();
    drop(pool.submit(pass).expect("open"));
    add(0..31);
    gate_of_one.open();
    first.wait();
    let (second, pass) = Gate::new();
    drop(pool.submit(pass).expect("open"));
    add(31..90);
    gate_of_other.open();
    second.wait();
    let alarm = {
        let log = log.clone();
        pool.task().priority(9).submit(move |_| log.add(100)).expect("open")
    };
    first.open(); // one worker goes on, the other is held with what it had
    ended(alarm).expect("it starts first");
    assert_eq!(log.all()[0], 100);
    second.open();
    drop(pool.shutdown(Shutdown::Drain));
    for handle in [one, other] {
        ended(handle).expect("it finishes");
    }
    let mut rest = log.all().split_off(1);
    rest.sort_unstable();
    assert_eq!(rest, (0..90).collect::<Vec<_>>());
}

/// The pool goes back to batches when the last task with a priority is gone, and into the order again.
#[test]
fn order_comes_and_goes_with_the_tasks_that_need_it() {
    let pool = builder(1).build().expect("good settings");
    for round in 0..20 {
        let log = Log::new();
        pool.pause();
        for (i, priority) in [0, 1, 0, 2].into_iter().enumerate() {
            let log = log.clone();
            drop(pool.task().priority(if round % 2 == 0 { priority } else { 0 }).submit(move |_| log.add(i)));
        }
        pool.resume();
        pool.wait_timeout(LONG).expect("all end");
        assert_eq!(log.all(), if round % 2 == 0 { [3, 1, 0, 2] } else { [0, 1, 2, 3] }, "round {round}");
    }
}

#[test]
fn priorities_work_with_borrowed_data() {
    let words = ["grist", "for", "the", "mill"].map(str::to_owned);
    let order = std::sync::Mutex::new(Vec::new());
    let scope = builder(1).scope(|pool| {
        pool.pause();
        for (word, priority) in words.iter().zip([1, -3, 7, 1]) {
            let order = &order;
            drop(
                pool.task()
                    .priority(priority)
                    .submit(move |_| order.lock().expect("not poisoned").push(word.as_str())),
            );
        }
    });
    scope.expect("good settings");
    assert_eq!(order.into_inner().expect("not poisoned"), ["the", "grist", "mill", "for"]);
}

#[test]
fn full_queue_of_low_tasks_refuses_high_ones_as_any_other() {
    let pool = ThreadPool::builder().workers(1).queue_bound(2).build().expect("good settings");
    pool.pause();
    let low: Vec<_> = (0..2).map(|_| pool.task().priority(-5).submit(|_| ()).expect("open")).collect();
    assert!(pool.task().priority(5).try_submit(|_| ()).unwrap_err().is_full());
    pool.resume();
    for handle in low {
        ended(handle).expect("it runs");
    }
}

/// Levels do not serialise: as many tasks of one priority as there are workers meet.
#[test]
fn tasks_of_one_priority_run_in_parallel() {
    let pool = builder(3).build().expect("good settings");
    let meeting = Arc::new(Barrier::new(3));
    let handles: Vec<_> = (0..3)
        .map(|_| {
            let meeting = Arc::clone(&meeting);
            pool.task().priority(1).submit(move |_| _ = meeting.wait()).expect("open")
        })
        .collect();
    for handle in handles {
        ended(handle).expect("they meet");
    }
}
