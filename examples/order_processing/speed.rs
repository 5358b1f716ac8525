//! What waiting at once is worth.

use std::error::Error;
use std::time::{Duration, Instant};

use gristmill::{CancellationToken, ThreadPool, combine};

/// How long each call takes.
const LENGTH: Duration = Duration::from_millis(60);

/// What counts as the time of one call.
const ABOUT_ONE: Duration = Duration::from_millis(90);

/// The shortest round counts, since other programs on the machine only make one longer; there are no more than so many.
const ROUNDS: usize = 20;

/// Makes so many calls at once, and one after the other. The ratio goes to standard error, whether it is about the number
/// of calls to standard output.
pub(crate) fn compare(numbers: &[usize]) -> Result<(), Box<dyn Error>> {
    println!("speed");
    for &calls in numbers {
        let mut together = at_once(calls)?;
        for _ in 1..ROUNDS {
            if together < ABOUT_ONE {
                break;
            }
            together = together.min(at_once(calls)?);
        }
        let apart = one_by_one(calls)?;
        let ratio = apart.as_secs_f64() / together.as_secs_f64();
        eprintln!("  {calls} calls of {LENGTH:?} at once: {together:.0?}, {ratio:.1} times as fast");
        println!("  {calls} calls at once take the time of one: {}", together < ABOUT_ONE);
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
