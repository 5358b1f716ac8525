//! The command line.

use std::ffi::OsString;
use std::num::NonZeroUsize;

use clap::Parser;

use crate::field::Field;

/// Counts the words of all files below the given paths, and prints the most frequent ones.
///
/// A word is letters and digits, in any script, with apostrophes inside; upper and lower case are the same. Symbolic links
/// are not followed. A file that cannot be read is named on standard error, and the rest goes on.
///
/// With --log, the lines of log files are counted instead, by what they say in one field.
#[derive(Debug, Parser)]
#[command(name = "wordcount", version, after_help = STATUS_HELP, verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Files, and directories to walk [default: .]; with --log, log files, `-` being standard input [default: -]
    // Not as `PathBuf`, for which clap refuses an empty word: that is a path that does not exist.
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<OsString>,

    /// Count log lines by this field
    #[arg(long, value_name = "FIELD")]
    pub(crate) log: Option<Field>,

    /// Print so many, the most frequent first; 0 prints all
    #[arg(short = 'n', long, value_name = "N", default_value = "10")]
    pub(crate) top: usize,

    /// Threads that count, 1 to 1024 [default: the cores this process may use]
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub(crate) workers: Option<NonZeroUsize>,

    /// With --log: print what each stage did, on standard error, at the end
    #[arg(long, requires = "log")]
    pub(crate) report: bool,
}

const STATUS_HELP: &str = "\
Exit status:
  0    everything was counted
  1    a file could not be read; the rest was counted
  2    the command line was wrong
  130  SIGINT (Ctrl-C) ended the run; a second one ends it at once
  141  standard output was closed by its reader
  143  SIGTERM ended the run";

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .ok()
        .filter(|count: &NonZeroUsize| count.get() <= 1024)
        .ok_or_else(|| "must be a whole number from 1 to 1024".to_owned())
}
