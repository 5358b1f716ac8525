//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use gristmill::journal::{Keep, Selection};

/// Looks into the journal of a batch, and tidies it up.
///
/// No command works on a journal that a running batch has open.
#[derive(Debug, Parser)]
#[command(name = "journal_tool", version, after_help = STATUS_HELP)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the entries, one on a line, in the order in which they ended
    List {
        journal: PathBuf,
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Print how many entries each handler has, what they take and how long they took
    Statistics { journal: PathBuf },
    /// Print the entries with their payloads as JSON, one on a line
    Export {
        journal: PathBuf,
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Check every entry and the file; nothing is changed
    Verify { journal: PathBuf },
    /// Copy what is whole of a damaged journal into a new file; the damaged one is left as it is
    Salvage { damaged: PathBuf, new: PathBuf },
    /// Forget entries, so that their tasks run again
    Forget {
        journal: PathBuf,
        #[command(flatten)]
        chosen: Chosen,
        /// Forget every entry
        #[arg(long, conflicts_with = "Chosen", required_unless_present = "Chosen")]
        all: bool,
    },
    /// Forget failures and crashes, so that their tasks run again
    RetryFailed {
        journal: PathBuf,
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Forget what is not to be kept
    CollectGarbage {
        journal: PathBuf,
        #[command(flatten)]
        kept: Kept,
    },
    /// Give the space of forgotten entries back to the file system
    Compact { journal: PathBuf },
}

/// Which entries are meant; without any of these, all
#[derive(Debug, Args)]
#[group(id = "Chosen", multiple = true)]
pub(crate) struct Chosen {
    /// Only of this scope
    #[arg(long)]
    scope: Option<String>,
    /// Only of this handler
    #[arg(long)]
    handler: Option<String>,
    /// Only of this version
    #[arg(long = "handler-version", value_name = "N")]
    version: Option<u32>,
    /// Only of versions that are older than the latest of their handler
    #[arg(long)]
    older_versions: bool,
    /// Only of this key
    #[arg(long)]
    key: Option<String>,
    /// Only failures, panics and crash loops
    #[arg(long)]
    failed: bool,
    /// Only what ended longer ago, such as 45s, 30m, 12h or 7d
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,
}

impl Chosen {
    pub(crate) fn selection(&self) -> Selection {
        let mut selection = Selection::all();
        if let Some(scope) = &self.scope {
            selection = selection.scope(scope);
        }
        if let Some(handler) = &self.handler {
            selection = selection.handler(handler);
        }
        if let Some(version) = self.version {
            selection = selection.version(version);
        }
        if self.older_versions {
            selection = selection.older_versions();
        }
        if let Some(key) = &self.key {
            selection = selection.key(key);
        }
        if self.failed {
            selection = selection.failed();
        }
        if let Some(age) = self.older_than {
            selection = selection.older_than(age);
        }
        selection
    }
}

/// What is kept: the entries for which all of these hold
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Kept {
    /// Keep only the latest version of each handler
    #[arg(long)]
    latest_versions: bool,
    /// Keep only this scope; may be given several times
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Keep only what ended at most so long ago, such as 45s, 30m, 12h or 7d
    #[arg(long, value_name = "AGE", value_parser = age)]
    younger_than: Option<Duration>,
}

impl Kept {
    pub(crate) fn keep(&self) -> Keep {
        let mut keep = Keep::everything();
        if self.latest_versions {
            keep = keep.latest_versions();
        }
        if !self.scopes.is_empty() {
            keep = keep.scopes(&self.scopes);
        }
        if let Some(age) = self.younger_than {
            keep = keep.younger_than(age);
        }
        keep
    }
}

const STATUS_HELP: &str = "\
Exit status:
  0    done
  1    it could not be done; the journal is as it was
  2    the command line was wrong
  3    damage was found: see what verify says, and salvage
  141  standard output was closed by its reader";

/// A number and its unit.
fn age(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a whole number and s, m, h or d, such as 12h".to_owned();
    let unit = match text.chars().next_back() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 60 * 60,
        Some('d') => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(unit).map(Duration::from_secs).ok_or_else(wrong)
}
