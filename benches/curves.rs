//! Costs as functions: time per item against work, window, stages, workers and number of items, for gristmill and its peers.
//!
//! ```text
//! cargo bench --bench curves                          # all of them, some minutes: numbers, pictures, tables, verdicts
//! cargo bench --bench curves -- window stages         # those two
//! cargo bench --bench curves -- --plot                # draws the pictures again from the numbers, measures nothing
//! cargo bench --bench curves -- scaling --workers 16  # throughput on 1 worker, 2, ... up to as many cores as there are
//! cargo bench --bench curves -- items --rounds 9      # more rounds
//! ```
//!
//! The numbers go to `docs/curves/NAME.csv`, the pictures to `docs/curves/NAME.svg`, or to another `--folder`. On standard
//! output come the medians as tables, what was left out and why, and what the numbers say about what must hold.
//!
//! At each point all cases run in interleaved rounds, as in the bench `versus`, whose peers and checksums these are. Each case
//! handles as many items in a call as take about `--milliseconds`, since one that is a hundred times slower than another
//! would otherwise run for a minute, or the other for no time at all. Where the number of items is what the curve is about,
//! it is kept, and a call is repeated until it has taken that long. A case that would need too long or too much memory at a point is
//! left out there, with the reason in the numbers.
//!
//! A wrong sum makes the exit status 1. Under `cargo test --benches` cargo does not pass `--bench`; every case then runs once on ten
//! items, nothing is written, and the pictures of the documentation are compared with what their numbers draw.
//!
//! A curve is one file in `curves/` with one constant `CURVE`, listed in [`CURVES`].

// The peers are measured as their users write them: on their own threads and channels, by the real clock.
#![allow(clippy::disallowed_methods)]

#[allow(dead_code)] // each bench uses a part
#[path = "versus"]
mod versus {
    pub(crate) mod by_hand;
    pub(crate) mod cases;
    pub(crate) mod disturbance;
    pub(crate) mod floods;
    pub(crate) mod goals;
    pub(crate) mod grind;
    pub(crate) mod maps;
    pub(crate) mod peers;
    pub(crate) mod plain;
    pub(crate) mod table;
    pub(crate) mod tally;
}

mod curves {
    pub(crate) mod axes;
    pub(crate) mod curve;
    pub(crate) mod looks;
    pub(crate) mod meter;
    pub(crate) mod numbers;
    pub(crate) mod options;
    pub(crate) mod picture;
    pub(crate) mod ways;

    pub(crate) mod items;
    pub(crate) mod scaling;
    pub(crate) mod stages;
    pub(crate) mod window;
    pub(crate) mod work;
    pub(crate) mod workers;
}

use clap::Parser;
use curves::{
    curve::Curve, items, meter::Meter, numbers::Numbers, options::Options, picture, scaling, stages, window,
    work, workers,
};
use std::{error::Error, fs, path::Path, process::ExitCode};

/// In the order in which they run and print.
const CURVES: [&Curve; 6] =
    [&work::CURVE, &window::CURVE, &stages::CURVE, &workers::CURVE, &items::CURVE, &scaling::CURVE];

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(faults) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(faults) => {
            eprintln!("\n{} WRONG:\n  {}", faults.len(), faults.join("\n  "));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Does what was asked for, and returns what went wrong with the cases.
fn run(options: &Options) -> Result<Vec<String>, Box<dyn Error>> {
    let mut faults = Vec::new();
    for curve in CURVES.iter().filter(|curve| options.wants(curve.name)) {
        let [table, picture] =
            ["csv", "svg"].map(|kind| options.folder.join(curve.name).with_extension(kind));
        let text = if options.plot {
            read(&table)?
        } else {
            let mut meter = Meter::new(options, curve.name);
            (curve.measure)(&mut meter);
            let (numbers, wrong) = meter.finish();
            faults.extend(wrong);
            numbers.to_csv()?
        };
        // Drawn from the text in any case: measured and drawn later is the same picture.
        let numbers = Numbers::from_csv(&text)?;
        let drawn = picture::draw(curve, &numbers)?;
        if options.plot || options.bench {
            fs::create_dir_all(&options.folder)?;
            fs::write(&table, text)?;
            fs::write(&picture, drawn)?;
            numbers.print(curve);
            println!();
            for verdict in (curve.verdicts)(&numbers) {
                println!("{verdict}");
            }
        } else if picture::draw(curve, &Numbers::from_csv(&read(&table)?)?)? != read(&picture)? {
            faults.push(format!(
                "{} is not what its numbers draw: run with --plot {}",
                picture.display(),
                curve.name
            ));
        }
    }
    Ok(faults)
}

fn read(path: &Path) -> Result<String, Box<dyn Error>> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}
