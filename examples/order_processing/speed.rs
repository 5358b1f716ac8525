//! What waiting at once is worth.

use std::error::Error;
use std::time::{Duration, Instant};

use gristmill::{CancellationToken, ThreadPool, combine};

/// How long each call takes.
const LENGTH: Duration = Duration::from_millis(60);

/// The shortest of so many rounds counts: other programs on the machine only make a round longer.
const ROUNDS: usize = 5;

/// Makes so many calls at once, and one after the other. The ratio goes to standard error, whether it is about the number
/// of calls to standard output.
pub(crate) fn compare(numbers: &[usize]) -> Result<(), Box<dyn Error>> {
    println!("speed");
    for &calls in numbers {
        let together = (0..ROUNDS).map(|_| at_once(calls)).collect::<Result<Vec<_>, _>>()?;
        let together = together.into_iter().min().unwrap_or_default();
        let apart = one_by_one(calls)?;
        let ratio = apart.as_secs_f64() / together.as_secs_f64();
        eprintln!("  {calls} calls of {LENGTH:?} at once: {together:.0?}, {ratio:.1} times as fast");
        println!("  {calls} calls at once take the time of one: {}", together < LENGTH * 3 / 2);
    }
    Ok(())
}

/// Threads that wait need no core: as many workers as calls.
fn at_once(calls: usize) -> Result<Duration, Box<dyn Error>> {
    let pool = ThreadPool::builder().workers(calls).build()?;
    let start = Instant::now();
    let calls = (0..calls).map(|_| pool.task().submit(|context| context.token().sleep(LENGTH)));
    for outcome in combine::wait_all(calls.collect::<Result<Vec<_>, _>>()?) {
        outcome??;
    }
    Ok(start.elapsed())
}

fn one_by_one(calls: usize) -> Result<Duration, Box<dyn Error>> {
    let (token, start) = (CancellationToken::new(), Instant::now());
    for _ in 0..calls {
        token.sleep(LENGTH)?;
    }
    Ok(start.elapsed())
}
