//! `journal_tool`: looks into the journal of a batch, and tidies it up.
//!
//! Shows all that a [`Journal`](gristmill::journal::Journal) can be asked from the outside: what is in it, whether it is whole, what can be
//! saved of a damaged one, and how to make tasks run again.
//!
//! ```sh
//! cargo run --release --features journal --example journal_tool -- list render.journal --failed
//! cargo run --release --features journal --example journal_tool -- retry-failed render.journal
//! cargo run --release --features journal --example journal_tool -- --help
//! ```

mod arguments;
mod ending;

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use gristmill::journal::{Forgotten, Journal, JournalEntry};

use crate::arguments::{Arguments, Command};
use crate::ending::Ended;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    ending::conclude(run(&arguments.command))
}

fn run(command: &Command) -> Result<(), Ended> {
    let mut out = BufWriter::new(io::stdout().lock());
    match command {
        Command::List { journal, chosen } => {
            for entry in open(journal)?.entries(&chosen.selection()) {
                print(&mut out, &entry?)?;
            }
        }
        Command::Statistics { journal } => writeln!(out, "{}", open(journal)?.statistics()?)?,
        Command::Export { journal, chosen } => {
            open(journal)?.export(&chosen.selection(), &mut out)?;
        }
        Command::Verify { journal } => {
            // Not opened: what is damaged would be refused.
            let verification = Journal::verify_file(journal)?;
            writeln!(out, "{verification}")?;
            if !verification.is_sound() {
                out.flush()?;
                return Err(Ended::Damaged);
            }
        }
        Command::Salvage { damaged, new } => {
            let salvaged = Journal::salvage(damaged, new)?;
            writeln!(out, "{salvaged}")?;
            if !salvaged.found.is_sound() {
                out.flush()?;
                return Err(Ended::Damaged);
            }
        }
        Command::Forget { journal, chosen, all: _ } => {
            let journal = open(journal)?;
            tell(&mut out, journal.forget(&chosen.selection())?)?;
            journal.close()?;
        }
        Command::RetryFailed { journal, chosen } => {
            let journal = open(journal)?;
            tell(&mut out, journal.retry_failed(&chosen.selection())?)?;
            journal.close()?;
        }
        Command::CollectGarbage { journal, kept } => {
            let journal = open(journal)?;
            tell(&mut out, journal.collect_garbage(&kept.keep())?)?;
            journal.close()?;
        }
        Command::Compact { journal } => {
            let journal = open(journal)?;
            writeln!(out, "{} bytes given back", journal.compact()?)?;
            journal.close()?;
        }
    }
    Ok(out.flush()?)
}

/// Opens a journal that is there: one that is not would be made, and a name that was mistyped would look like an empty journal.
fn open(path: &Path) -> Result<Journal, Ended> {
    if !path.exists() {
        return Err(Ended::Missing(path.to_owned()));
    }
    Ok(Journal::open(path)?)
}

/// One line, in columns that a tab divides.
fn print(out: &mut impl Write, entry: &JournalEntry) -> io::Result<()> {
    let (scope, handler, key) = (entry.scope(), entry.handler(), entry.key());
    write!(out, "{}\t{}\t{}\t", entry.sequence(), entry.kind(), scope.escape_debug())?;
    write!(out, "{}\t{}\t{}\t", handler.escape_debug(), entry.version(), key.escape_debug())?;
    write!(out, "{} attempts\t{} us\t", entry.attempts(), entry.took().as_micros())?;
    writeln!(out, "ended {} ms\t{} bytes", entry.ended_unix_ms(), entry.payload_length())
}

fn tell(out: &mut impl Write, forgotten: Forgotten) -> io::Result<()> {
    let Forgotten { entries, payload_bytes, crashes, .. } = forgotten;
    writeln!(out, "{entries} entries forgotten, with {payload_bytes} bytes of payload")?;
    if crashes > 0 {
        writeln!(out, "{crashes} tasks without an entry have their crashes forgotten")?;
    }
    Ok(())
}
