//! `routes`: a route table, read, checked, enriched and stored in order, in every way that the library has for it.
//!
//! Shows that a pool, a pipeline, threads with channels and an error group give the same table as a plain loop: which one to use is a
//! question of what else is wanted of it. The answer goes to standard output; how long each way took, compared with the loop, goes
//! to standard error.
//!
//! ```sh
//! cargo run --release --example routes -- --lines 100000
//! cargo run --release --example routes -- --print FILE
//! cargo run --release --example routes -- --help
//! ```

#![allow(clippy::disallowed_methods, reason = "the door for the clock is the library's own")]

mod channels;
mod enrich;
mod generate;
mod parse;
mod table;
mod ways;

use std::error::Error;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::parse::Line;

/// So many bad lines are shown.
const SHOWN: usize = 5;

/// Reads a route table in several parallel ways, and proves that all give the same.
///
/// A line is an IPv4 prefix, a gateway and a metric, such as `10.1.0.0/16 192.0.2.1 100`. Empty lines, and what follows a `#`, do not
/// count. Of two routes with one prefix the one with the lower metric is kept, and of equal ones the first.
#[derive(Debug, Parser)]
#[command(name = "routes", version, verbatim_doc_comment)]
struct Arguments {
    /// The route table; without it, one is made up
    #[arg(value_name = "FILE", conflicts_with_all = ["lines", "seed"])]
    path: Option<PathBuf>,

    /// How many lines to make up, up to 10000000
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(..=10_000_000))]
    lines: u32,

    /// What the made-up lines depend on
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Threads that each way uses, 1 to 256 [default: the cores this process may use]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,

    /// Print the table as it was read or made up, and do nothing with it
    #[arg(long, conflicts_with = "print")]
    raw: bool,

    /// Print the enriched table, sorted by prefix, instead of the comparison
    #[arg(long)]
    print: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has had enough, such as `head`.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("routes: {error}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let text = match &arguments.path {
        Some(path) => fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?,
        None => generate::table(arguments.lines, arguments.seed),
    };
    let mut output = BufWriter::new(io::stdout().lock());
    if arguments.raw {
        output.write_all(text.as_bytes())?;
        return Ok(output.flush()?);
    }
    let lines = parse::lines(&text);
    let workers = arguments.workers.map_or_else(ways::cores, usize::from);
    if arguments.print {
        let table = ways::pipeline(&lines, workers)?;
        for bad in table.bad() {
            eprintln!("routes: {bad}");
        }
        write!(output, "{table}")?;
    } else {
        compare(&lines, workers, &mut output)?;
    }
    Ok(output.flush()?)
}

fn compare(lines: &[Line<'_>], workers: usize, output: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let expected = ways::one_thread(lines);
    let alone = start.elapsed();
    let bad = expected.bad().count();
    writeln!(
        output,
        "{} lines: {} good, {bad} bad; {} routes",
        lines.len(),
        lines.len() - bad,
        expected.len()
    )?;
    for line in expected.bad().take(SHOWN) {
        writeln!(output, "  {line}")?;
    }
    if bad > SHOWN {
        writeln!(output, "  and {} more", bad - SHOWN)?;
    }
    eprintln!("one thread: {alone:.1?}; {workers} workers, of the time of one thread:");
    for (name, way) in ways::ALL {
        let start = Instant::now();
        let table = way(lines, workers)?;
        eprintln!("  {name:<18} {:.2}", start.elapsed().as_secs_f64() / alone.as_secs_f64());
        assert_eq!(table, expected, "{name} gives another table than one thread");
        writeln!(output, "{name:<18} {:016x}", table.digest())?;
    }
    Ok(())
}
