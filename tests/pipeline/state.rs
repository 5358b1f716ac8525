//! The state that a worker has of its own: at most one each, made and dropped on its thread before `run` returns.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{ThreadId, current};

use gristmill::{CancellationToken, Pipeline};

use super::support::{grid, grind};

/// Neither `Send` nor `Sync`; notes where it is made and dropped.
struct State<'a> {
    home: Rc<ThreadId>,
    gone: &'a Mutex<Vec<ThreadId>>,
}

impl Drop for State<'_> {
    fn drop(&mut self) {
        assert_eq!(*self.home, current().id(), "a state left its thread");
        self.gone.lock().unwrap().push(*self.home);
    }
}

#[test]
fn state_is_made_once_per_worker_and_dropped_on_its_thread_before_run_returns() {
    for (workers, window) in grid() {
        for fails in [false, true] {
            let (made, gone) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
            let outcome = Pipeline::from_iter(0..2000_u64)
                .workers(workers)
                .window(window)
                .map_init(
                    "state",
                    || {
                        made.lock().unwrap().push(current().id());
                        State { home: Rc::new(current().id()), gone: &gone }
                    },
                    |state, number| {
                        assert_eq!(*state.home, current().id());
                        grind(100);
                        number
                    },
                )
                .serial("serial", |number| number)
                .try_map("fail", |number| if fails && number == 1500 { Err("bad") } else { Ok(number) })
                .for_each("sink", drop)
                .run(&CancellationToken::new());
            assert_eq!(outcome.is_err(), fails);
            let (mut made, mut gone) = (made.into_inner().unwrap(), gone.into_inner().unwrap());
            assert!(!made.is_empty() && made.len() <= workers.min(window), "{} states", made.len());
            let key = |id: &ThreadId| format!("{id:?}");
            made.sort_by_key(key);
            gone.sort_by_key(key);
            assert_eq!(made, gone);
            made.dedup();
            assert_eq!(made.len(), gone.len(), "one for each worker");
        }
    }
}

#[test]
fn state_that_no_item_needs_is_not_made() {
    Pipeline::from_iter(0..0)
        .map_init("state", || panic!("made"), |(), number: i32| number)
        .for_each("sink", drop)
        .run(&CancellationToken::new())
        .unwrap();
}

#[test]
fn thread_locals_of_the_workers_are_destroyed_before_the_run_returns() {
    static ALIVE: AtomicUsize = AtomicUsize::new(0);
    struct Alive;
    impl Drop for Alive {
        fn drop(&mut self) {
            grind(20_000); // long enough to be caught at it
            ALIVE.fetch_sub(1, Ordering::SeqCst);
        }
    }
    thread_local!(static HERE: RefCell<Option<Alive>> = const { RefCell::new(None) });
    let touch = |number: u64| {
        HERE.with_borrow_mut(|here| {
            here.get_or_insert_with(|| {
                ALIVE.fetch_add(1, Ordering::SeqCst);
                Alive
            });
        });
        grind(1000);
        number
    };
    for workers in [2, 4, 16] {
        let token = CancellationToken::new();
        Pipeline::from_iter(0..500)
            .workers(workers)
            .map("touch", touch)
            .for_each("sink", drop)
            .run(&token)
            .unwrap();
        HERE.take(); // the caller's own
        assert_eq!(ALIVE.load(Ordering::SeqCst), 0);
        let numbers = Pipeline::from_iter(0..500).workers(workers).map("touch", touch);
        let panicking = || {
            drop(numbers.with_iter(&token, |numbers| assert_eq!(numbers.take(300).count(), 0, "on purpose")));
        };
        catch_unwind(AssertUnwindSafe(panicking)).expect_err("the body's panic comes out");
        HERE.take();
        assert_eq!(ALIVE.load(Ordering::SeqCst), 0);
        for leave in [false, true] {
            let mut numbers = Pipeline::from_iter(0..500)
                .workers(workers)
                .map("touch", touch)
                .into_iter_with(&token)
                .unwrap();
            let read = numbers.by_ref().take(if leave { 3 } else { 1000 }).count();
            assert_eq!(read, if leave { 3 } else { 500 });
            drop(numbers);
            HERE.take();
            assert_eq!(ALIVE.load(Ordering::SeqCst), 0);
        }
    }
}
