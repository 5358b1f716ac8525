//! The smallest batch that survives its own `kill -9`: start it again with the same command, and it goes on where it was.
//!
//! ```sh
//! cargo run --release --features journal --example resume -- primes.journal 5   # kills itself after 5 results
//! cargo run --release --features journal --example resume -- primes.journal     # tells those 5 again, and runs the rest
//! ```

use std::error::Error;
use std::process::Command;

use gristmill::ThreadPool;
use gristmill::combine::as_completed;
use gristmill::journal::Journal;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "resume.journal".to_owned());
    let kill_after = arguments.next().map(|count| count.parse::<usize>()).transpose()?;

    let pool = ThreadPool::new()?;
    let journal = Journal::open(path)?;
    let scope = journal.scope("primes");
    // Raise the version when the meaning of the code changes: what was recorded with the old one runs again.
    let primes = scope.handler("primes below", 1, |_, limit: &u64| Ok(count_primes(*limit)));

    // The same keys and inputs every time; the journal knows which of them are done.
    let handles =
        (1..=20).map(|step| primes.submit(&pool, step, 5000 * step)).collect::<Result<Vec<_>, _>>()?;
    for (told, (index, count)) in as_completed(handles).enumerate() {
        println!("{:>6} primes below {}", count?, 5000 * (index + 1));
        if Some(told + 1) == kill_after {
            Command::new("kill").args(["-9", &std::process::id().to_string()]).status()?;
        }
    }
    eprintln!("{}", scope.report());
    Ok(())
}

fn count_primes(limit: u64) -> u64 {
    let is_prime = |number: &u64| (2..*number).take_while(|d| d * d <= *number).all(|d| number % d != 0);
    (2..limit).filter(is_prime).count() as u64
}
