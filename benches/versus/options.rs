//! The command line of the comparison.

use clap::Parser;
use std::num::{NonZeroU32, NonZeroUsize};

/// Measure gristmill and its peers on the same work in the same run.
#[derive(Parser, Debug)]
#[command(name = "versus")]
pub(crate) struct Options {
    /// Run only the groups whose title contains this text.
    pub(crate) filter: Option<String>,

    /// Measured rounds per group; one more goes before them and is dropped.
    #[arg(long, default_value = "5")]
    pub(crate) rounds: NonZeroU32,

    /// Workers of every case that does not fix their number itself.
    #[arg(long, default_value = "2")]
    pub(crate) workers: NonZeroUsize,

    /// Passed by `cargo bench`; without it every case runs on a thousandth of the items.
    #[arg(long, hide = true)]
    pub(crate) bench: bool,

    /// Run this case of the memory group alone and print what it took.
    #[arg(long, hide = true, requires = "memory_items")]
    pub(crate) memory_case: Option<String>,

    /// The number of items for `--memory-case`.
    #[arg(long, hide = true)]
    pub(crate) memory_items: Option<u32>,
}
