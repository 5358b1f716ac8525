//! The command line.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Prints the SHA-256 of every regular file below the given paths, like `sha256sum`, on all cores.
///
/// Files come in directory-walk order, the entries of each directory sorted by their bytes. Symbolic links are not
/// followed, those given as PATH included, and sockets, pipes and devices are skipped: what is hashed is what
/// `find PATH -type f` finds. A file that cannot be read is named on standard error, and the rest goes on.
#[derive(Debug, Parser)]
#[command(name = "treesum", version, after_help = STATUS_HELP, verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Files, and directories to walk
    // Not as `PathBuf`, for which clap refuses an empty word: that is a path that does not exist.
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) paths: Vec<OsString>,

    /// Verify the files that FILE lists, like `sha256sum --check`; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "paths")]
    pub(crate) check: Option<PathBuf>,

    /// Threads that hash, 1 to 1024 [default: the cores this process may use]
    #[arg(long, value_name = "N", value_parser = at_most::<1024>, allow_negative_numbers = true)]
    pub(crate) workers: Option<NonZeroUsize>,

    /// Files found but not yet printed, 1 to 1048576: more evens out files of unlike sizes, and takes memory
    #[arg(long, value_name = "N", value_parser = at_most::<1_048_576>, allow_negative_numbers = true)]
    pub(crate) window: Option<NonZeroUsize>,

    /// Stop after this many seconds, more than 0; fractions are allowed
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) timeout: Option<Duration>,

    /// Record what is summed in FILE, and do not read again what is recorded there and has not changed since, by size, times and identity: a
    /// run that was killed goes on where it was
    #[cfg(feature = "journal")]
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    pub(crate) journal: Option<PathBuf>,

    /// Read files that are recorded in the journal all the same
    #[cfg(feature = "journal")]
    #[arg(long, requires = "journal")]
    pub(crate) paranoid: bool,

    /// Print each line as soon as its file is done, in no particular order
    #[arg(long)]
    pub(crate) unordered: bool,

    /// Print what each stage did, on standard error, at the end
    #[arg(long)]
    pub(crate) report: bool,

    /// Show files and bytes done, and the rate, on standard error: `auto` only where that is a terminal
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "auto")]
    #[arg(default_value = "never", hide_default_value = true)]
    pub(crate) progress: ProgressWhen,
}

/// Whether to show progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressWhen {
    Auto,
    Always,
    Never,
}

const STATUS_HELP: &str = "\
Exit status:
  0    every file was read; with --check, every file listed is as listed
  1    a file could not be read or did not match, a list was not one, or output could not be written
  2    the command line was wrong
  124  --timeout ended the run
  130  SIGINT (Ctrl-C) ended the run; a second one ends it at once
  141  standard output was closed by its reader
  143  SIGTERM ended the run";

fn at_most<const MOST: usize>(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .ok()
        .filter(|count: &NonZeroUsize| count.get() <= MOST)
        .ok_or_else(|| format!("must be a whole number from 1 to {MOST}"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "must be a number of seconds greater than 0, such as 90 or 0.5".to_owned())
}
