//! The worker-pool patterns that batch programs need, one short function each, in the order W1 to W12, M1, M2.

#![allow(clippy::disallowed_methods, reason = "the door for clock and sleep is the library's own")]

use std::error::Error;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use gristmill::{
    AdaptiveSize, CancellationToken, Distribution, KeyFailure, RateLimiter, Saturation, Shutdown, ThreadPool,
};

type Outcome = Result<(), Box<dyn Error>>;

/// W1: fixed workers over one bounded queue; results come back; closing ends it.
fn fixed_pool() -> Outcome {
    let pool = ThreadPool::builder().workers(2).queue_bound(8).build()?;
    let squares = (1..=4).map(|n| pool.submit(move || n * n)).collect::<Result<Vec<_>, _>>()?;
    let sum = squares.into_iter().map(gristmill::ScopedTaskHandle::wait).sum::<Result<i32, _>>()?;
    println!("W1 fixed: {sum}, then {}", pool.shutdown(Shutdown::Drain));
    Ok(())
}

/// W2, W3: the number of workers follows a backlog that lasts.
fn adaptive_pool() -> Outcome {
    let size = AdaptiveSize::between(1, 4)
        .tick(Duration::from_millis(5))
        .grow_after(Duration::from_millis(10))
        .shrink_after(Duration::from_millis(20));
    let pool = ThreadPool::builder().workers(1).adaptive(size).build()?;
    let (release, gate) = channel::<()>();
    let gate = std::sync::Arc::new(Mutex::new(gate));
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let gate = std::sync::Arc::clone(&gate);
        waiting.push(pool.submit(move || gate.lock().is_ok_and(|gate| gate.recv().is_err()))?);
    }
    until(|| pool.workers() > 1);
    drop(release);
    for task in waiting {
        task.wait()?;
    }
    until(|| pool.workers() == 1);
    println!("W2, W3 adaptive: grew on backlog, shrank when idle");
    Ok(())
}

/// W4: urgent tasks first, and a low one late but never starved.
fn priorities() -> Outcome {
    let started = Mutex::new(Vec::new());
    ThreadPool::builder().workers(1).ageing(2).scope(|pool| {
        pool.pause();
        for (name, priority) in [("low", 0), ("a", 1), ("b", 1), ("c", 1), ("d", 1)] {
            let started = &started;
            let task = pool.task().priority(priority).submit(move |_| {
                if let Ok(mut started) = started.lock() {
                    started.push(name);
                }
            });
            drop(task);
        }
        pool.resume();
    })?;
    println!("W4 priority, a level worth two submissions: {:?}", started.into_inner()?);
    Ok(())
}

/// W5: shared out evenly; the balance can be read.
fn balance() -> Outcome {
    let pool = ThreadPool::builder().workers(3).distribution(Distribution::RoundRobin).build()?;
    for n in 0..9 {
        drop(pool.submit(move || n)?);
    }
    pool.wait()?;
    let shares: Vec<u64> = pool.snapshot().workers().iter().map(gristmill::WorkerSnapshot::started).collect();
    println!("W5 balance: {shares:?}");
    Ok(())
}

/// W6: sizes from the cores that this process may use.
fn sizes() -> Outcome {
    let cpu = ThreadPool::builder().cpu_bound().build()?.workers();
    let io = ThreadPool::builder().io_bound().build()?.workers();
    let mixed = ThreadPool::builder().mixed().build()?.workers();
    println!(
        "W6 sizes: io is twice cpu: {}, mixed rounds up: {}",
        io == 2 * cpu,
        mixed == (3 * cpu).div_ceil(2)
    );
    Ok(())
}

/// W7: what never started comes back.
fn lifecycle() -> Outcome {
    let pool = ThreadPool::builder().workers(1).build()?;
    pool.pause();
    let abandoned = pool.task().name("abandoned").submit(|_| "ran after all")?;
    pool.purge().into_iter().for_each(|task| println!("W7 lifecycle: {} came back", task.name()));
    assert!(abandoned.wait().is_err_and(|error| error.is_returned()));
    Ok(())
}

/// W8: pause, resume, resize.
fn control() -> Outcome {
    let pool = ThreadPool::builder().workers(1).build()?;
    pool.pause();
    let held = pool.submit(|| 7)?;
    pool.resize(3)?;
    let queued = pool.queued();
    pool.resume();
    println!("W8 control: {queued} held, {} after, {} workers", held.wait()?, pool.workers());
    Ok(())
}

/// W9: a deadline stops tasks between tasks, and inside of those that poll.
fn cancellation() -> Outcome {
    let pool = ThreadPool::builder().workers(1).build()?;
    let deadline = CancellationToken::with_timeout(Duration::from_millis(20));
    let polling = pool.task().token(&deadline).submit(|context| {
        let token = context.token();
        while !token.is_cancelled() {
            std::thread::yield_now();
        }
    })?;
    let never = pool.task().name("too late").token(&deadline).submit(|_| ())?;
    polling.wait()?;
    if let Err(cancelled) = never.wait() {
        println!("W9 cancelled: {cancelled}");
    }
    Ok(())
}

/// W10: a result per task, the errors among them, and a count of the failures.
fn errors() -> Outcome {
    let pool = ThreadPool::new()?;
    let mut parsed = Vec::new();
    for word in ["12", "x", "30"] {
        parsed.push(pool.task().fallible().submit(move |_| word.parse::<u32>())?);
    }
    let (good, bad): (Vec<_>, Vec<_>) =
        parsed.into_iter().filter_map(|task| task.wait().ok()).partition(Result::is_ok);
    println!("W10 errors: {} good, {} bad, {} counted", good.len(), bad.len(), pool.snapshot().failed());
    Ok(())
}

/// W11: at most so many starts in so much time.
fn rate() -> Outcome {
    let limiter = RateLimiter::builder(200, Duration::from_secs(1)).burst(2).build()?;
    let pool = ThreadPool::builder().rate(&limiter).build()?;
    let start = Instant::now();
    for _ in 0..6 {
        drop(pool.submit(|| ())?);
    }
    pool.wait()?;
    println!(
        "W11 rate: six starts at 200 a second, burst 2, took 20 ms: {}",
        start.elapsed() >= Duration::from_millis(19)
    );
    Ok(())
}

/// W12: a full queue slows the producer, or refuses, or makes it work: chosen.
fn backpressure() -> Outcome {
    for saturation in [Saturation::Reject, Saturation::CallerRuns] {
        let pool = ThreadPool::builder().workers(1).queue_bound(1).saturation(saturation).build()?;
        pool.pause();
        drop(pool.submit(|| ())?);
        let here = std::thread::current().id();
        match pool.submit(move || std::thread::current().id() == here) {
            Ok(task) => {
                let by_caller = task.try_wait().is_ok_and(|result| result.is_ok_and(|same| same));
                println!("W12 {saturation:?}: the caller ran it: {by_caller}");
            }
            Err(refused) => println!("W12 {saturation:?}: {refused}"),
        }
    }
    Ok(())
}

/// F7 on a pool: the same key one at a time and in order, and what happens after a failure.
fn keys() -> Outcome {
    let pool = ThreadPool::builder().workers(2).on_key_failure(KeyFailure::DropRest).build()?;
    pool.pause();
    let bad = pool.task().key("account 7").fallible().submit(|_| Err::<(), _>("overdrawn"))?;
    let rest = pool.task().key("account 7").submit(|_| ())?;
    let other = pool.task().key("account 8").submit(|_| "booked")?;
    pool.resume();
    println!(
        "F7 keys: {:?}, rest dropped: {}, other key {}",
        bad.wait()?,
        rest.wait().is_err(),
        other.wait()?
    );
    Ok(())
}

/// M1, M2: counts, times and shares; and who runs what, since when.
fn sight() -> Outcome {
    let (told, slow) = channel();
    let pool = ThreadPool::builder()
        .workers(1)
        .slow_task(Duration::from_millis(4), move |task| _ = told.send(task.name().to_owned()))
        .build()?;
    let (release, gate) = channel::<()>();
    let stuck = pool.task().name("resize 17.png").submit(move |_| gate.recv().is_err())?;
    let name = slow.recv()?;
    let now = pool.snapshot();
    let seen = now.workers()[0].running().map(|task| task.name().to_owned());
    println!(
        "M1: {} submitted, {} running; M2: slow {name:?}, seen {seen:?}",
        now.submitted(),
        now.running()
    );
    drop(release);
    stuck.wait()?;
    Ok(())
}

/// Waits for what comes by itself.
fn until(mut happened: impl FnMut() -> bool) {
    while !happened() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn main() -> Outcome {
    let patterns = [
        fixed_pool,
        adaptive_pool,
        priorities,
        balance,
        sizes,
        lifecycle,
        control,
        cancellation,
        errors,
        rate,
        backpressure,
        keys,
        sight,
    ];
    patterns.into_iter().try_for_each(|pattern| pattern())
}
