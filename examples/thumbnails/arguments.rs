//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Parser;

/// Writes a small image for every PNG and JPEG file below a directory.
///
/// OUTPUT gets the folders of SOURCE, with the files under their own names; what is there already is replaced. Images are turned the
/// way they were taken, and none is made larger. An image that cannot be read is named on standard error, and the rest goes on.
///
/// At the end comes a table of what each stage did, and which one was the limit.
#[derive(Debug, Parser)]
#[command(name = "thumbnails", version, after_help = STATUS_HELP, verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// The directory with the images; symbolic links in it are not followed
    pub(crate) source: PathBuf,

    /// The directory for the small ones; it is created if need be
    pub(crate) output: PathBuf,

    /// Pixels of the longer side, 1 to 4096
    #[arg(long, value_name = "N", default_value = "160", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) size: u32,

    /// Threads that work, 1 to 1024 [default: the cores this process may use]
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub(crate) workers: Option<NonZeroUsize>,
}

const STATUS_HELP: &str = "\
Exit status:
  0    every image has its thumbnail
  1    an image could not be read, and the others have theirs; or a thumbnail could not be written, which ends the run
  2    the command line was wrong
  130  SIGINT (Ctrl-C) ended the run; a second one ends it at once
  143  SIGTERM ended the run";

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .ok()
        .filter(|count: &NonZeroUsize| count.get() <= 1024)
        .ok_or_else(|| "must be a whole number from 1 to 1024".to_owned())
}
