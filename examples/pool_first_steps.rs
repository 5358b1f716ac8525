//! A pool of workers from start to report: tasks, results, a full queue, a panic, an orderly end.

use std::error::Error;

use gristmill::{Shutdown, TaskError, ThreadPool};

/// Counts the primes below `limit`, slowly.
fn primes_below(limit: u32) -> usize {
    (2..limit).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0)).count()
}

fn main() -> Result<(), Box<dyn Error>> {
    // A fixed number of workers over one bounded queue.
    let pool = ThreadPool::builder().workers(2).queue_bound(4).name("primes").build()?;

    // A full queue slows the producer: `submit` waits for space.
    let limits = [10, 100, 1_000, 10_000, 20_000, 30_000];
    let handles = limits.map(|limit| pool.submit(move || primes_below(limit)));
    for (limit, handle) in limits.into_iter().zip(handles) {
        println!("{:>5} primes below {limit}", handle?.wait()?);
    }

    // Or it refuses: `try_submit` gives the task back, here to be run by the caller.
    let (mut queued, mut by_caller) = (Vec::new(), 0);
    for limit in 0..1_000 {
        match pool.try_submit(move || primes_below(limit)) {
            Ok(handle) => queued.push(handle),
            Err(refused) => {
                assert!(refused.is_full());
                refused.into_task()();
                by_caller += 1;
            }
        }
    }
    assert_eq!(queued.len() + by_caller, 1_000);

    // A panic is an error of its task; the worker lives on.
    let failing = pool.task().name("divide by nothing").submit(|_| 1 / "".len())?;
    match failing.wait() {
        Err(TaskError::Panicked(panic)) => println!("{}: {}", panic.name(), panic.message()),
        other => println!("unexpected: {other:?}"),
    }

    // Tasks may submit to their own pool and wait: that cannot deadlock.
    let submitter = pool.submitter().clone();
    let nested = pool
        .submit(move || submitter.submit(|| primes_below(100)).map(|inner| inner.wait().is_ok()).is_ok())?;
    println!("nested: {}", nested.wait()?);

    // An orderly end: everything accepted runs, every thread is joined, and the counts close.
    let report = pool.shutdown(Shutdown::Drain);
    assert!(report.is_complete());
    assert_eq!(report.submitted(), report.succeeded() + report.panicked());
    println!("{} panicked", report.panicked());
    Ok(())
}
