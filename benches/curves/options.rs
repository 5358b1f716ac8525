//! The command line of the curves.

use clap::{Parser, builder::PossibleValuesParser};
use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

/// Measure costs as functions, write their numbers and draw them.
#[derive(Parser, Debug)]
#[command(name = "curves")]
pub(crate) struct Options {
    /// The curves, all of them if none is named.
    #[arg(value_parser = PossibleValuesParser::new(crate::CURVES.map(|curve| curve.name)))]
    names: Vec<String>,

    /// Draw the pictures from the numbers that there are, without measuring.
    #[arg(long)]
    pub(crate) plot: bool,

    /// Measured rounds at each point; one more goes before them and is dropped.
    #[arg(long, default_value = "5")]
    pub(crate) rounds: NonZeroU32,

    /// How long about one case runs in one round.
    #[arg(long, default_value = "80")]
    pub(crate) milliseconds: NonZeroU32,

    /// Workers where their number is not what the curve is about, and the largest number for `scaling`; by default the cores.
    #[arg(long)]
    pub(crate) workers: Option<NonZeroUsize>,

    /// Where the numbers and the pictures go.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/curves"))]
    pub(crate) folder: PathBuf,

    /// Passed by `cargo bench`; without it every case runs on ten items, and nothing is written.
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}

impl Options {
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }
}
