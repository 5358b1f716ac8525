//! Durable tasks from many threads, some of them the same: each is run once, also when the journal is opened again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use gristmill::journal::{CallRefusal, HandlerError, Journal, JournalErrorKind};
use gristmill::{Submitter, ThreadPool, combine};

use crate::Turn;

#[derive(Debug)]
struct Plan {
    workers: usize,
    submitters: u64,
    keys: u64,
    /// One in so many fails for good; 0 for none.
    failing: u64,
}

/// Once all who worked with it before have let go of it.
fn open(path: &std::path::Path) -> Journal {
    loop {
        match Journal::open(path) {
            Err(error) if error.kind() == JournalErrorKind::Held => thread::yield_now(),
            opened => return opened.expect("it opens"),
        }
    }
}

/// How many tasks were run.
fn run(journal: &Journal, pool: &Submitter<'static>, plan: &Plan) -> u64 {
    let runs = Arc::new(AtomicU64::new(0));
    let (counter, failing) = (Arc::clone(&runs), plan.failing);
    let fails = move |number: u64| failing > 0 && number % failing == 0;
    let handler = journal.scope("storm").handler("square", 1, move |_, number: &u64| {
        counter.fetch_add(1, Ordering::SeqCst);
        if fails(*number) { Err(HandlerError::terminal("planned")) } else { Ok(number * number) }
    });
    let accepted = AtomicU64::new(0);
    thread::scope(|threads| {
        for _ in 0..plan.submitters {
            let (handler, accepted) = (&handler, &accepted);
            threads.spawn(move || {
                // Each of them wants all; whoever comes first with a key has it.
                let (keys, started): (Vec<u64>, Vec<_>) = (0..plan.keys)
                    .filter_map(|key| match handler.submit(pool, key, key) {
                        Ok(handle) => Some((key, handle)),
                        Err(refused) => {
                            assert!(matches!(refused.refusal(), CallRefusal::Duplicate), "{refused:?}");
                            None
                        }
                    })
                    .unzip();
                accepted.fetch_add(keys.len() as u64, Ordering::SeqCst);
                for (key, end) in keys.into_iter().zip(combine::wait_all(started)) {
                    assert_eq!(end.ok(), (!fails(key)).then_some(key * key));
                }
            });
        }
    });
    assert_eq!(accepted.into_inner(), plan.keys);
    runs.load(Ordering::SeqCst)
}

pub(crate) fn storm(turn: &mut Turn<'_>) {
    let plan = Plan {
        workers: turn.draw_workers(),
        submitters: 1 + turn.dice.below(3),
        keys: turn.dice.below(60),
        failing: turn.dice.pick(&[0, 0, 5]),
    };
    turn.plan(&plan);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("batch.journal");
    let pool = ThreadPool::builder().workers(plan.workers).build().expect("good settings");
    assert_eq!(run(&open(&path), &pool, &plan), plan.keys, "each once");
    assert_eq!(run(&open(&path), &pool, &plan), 0, "none again");
}
