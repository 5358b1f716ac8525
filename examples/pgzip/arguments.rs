//! The command line.

use std::ffi::OsString;
use std::num::NonZeroUsize;

use clap::Parser;

use crate::level::Level;

/// Compresses files like `gzip`, on all cores.
///
/// Each FILE is replaced by FILE.gz, which every program for gzip files reads; with --decompress, FILE.gz by FILE. The new
/// file keeps owner, mode and times. It appears under its name only when it is complete, and only then is the old one removed.
///
/// The compressed file holds neither name nor time: the same content always gives the same bytes.
#[allow(clippy::struct_excessive_bools)] // each is a flag of gzip
#[derive(Debug, Parser)]
#[command(name = "pgzip", version, after_help = STATUS_HELP, verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Files to compress; `-`, and no FILE at all, is standard input, whose result goes to standard output
    // Not as `PathBuf`, for which clap refuses an empty word: that is a file that does not exist.
    #[arg(value_name = "FILE", default_value = "-", hide_default_value = true)]
    pub(crate) files: Vec<OsString>,

    /// Decompress: what `gzip`, `pigz` and others wrote, members put behind each other included
    #[arg(short, long)]
    pub(crate) decompress: bool,

    /// Only check that the compressed files are whole; nothing is written or removed
    #[arg(short, long, conflicts_with_all = ["stdout", "keep", "force"])]
    pub(crate) test: bool,

    /// Write to standard output and keep the files
    #[arg(short = 'c', long)]
    pub(crate) stdout: bool,

    /// Keep the files
    #[arg(short, long)]
    pub(crate) keep: bool,

    /// Replace an output file that exists, and write compressed data to a terminal
    #[arg(short, long)]
    pub(crate) force: bool,

    /// Threads that work, 1 to 1024 [default: the cores this process may use]
    #[arg(short, long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub(crate) processes: Option<NonZeroUsize>,

    /// Print what each stage did, on standard error, after each file
    #[arg(long)]
    pub(crate) report: bool,

    #[command(flatten)]
    pub(crate) level: Level,
}

const STATUS_HELP: &str = "\
Exit status:
  0    all is done
  1    a file could not be read or written, or is not what gzip writes; it is left as it was
  2    a file was passed over, or has garbage behind its compressed data; or the command line was wrong
  130  SIGINT (Ctrl-C) ended the run; a second one ends it at once
  141  standard output was closed by its reader
  143  SIGTERM ended the run";

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .ok()
        .filter(|count: &NonZeroUsize| count.get() <= 1024)
        .ok_or_else(|| "must be a whole number from 1 to 1024".to_owned())
}
