//! The journal's store, from the outside: what is recorded is there after, whatever happens in between, or an error says what is wrong.
//!
//! - `GRISTMILL_KILLS`: how many processes are killed at random moments, 40 if absent; the seed of each is printed with a failure.
//! - `GRISTMILL_EVERY_BIT=1`: every bit of small journals is flipped, and not a sample.
#![cfg(unix)]

#[path = "journal_store/damage.rs"]
mod damage;
#[path = "journal_store/faults.rs"]
mod faults;
#[path = "journal_store/kills.rs"]
mod kills;
#[path = "journal_store/opening.rs"]
mod opening;
#[path = "journal_store/read_only.rs"]
mod read_only;
#[path = "journal_store/replay.rs"]
mod replay;
#[path = "journal_store/support.rs"]
mod support;
