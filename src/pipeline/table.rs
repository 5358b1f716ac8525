//! A report as a table that a person reads at a glance.

use std::fmt;

use crate::sync::time::Duration;

use super::report::{Report, StageReport};
use super::short::Short;

const HEADINGS: [&str; 12] =
    ["stage", "kind", "in", "out", "failed", "busy", "used %", "starved %", "blocked %", "p50", "p99", "max"];

fn short(duration: Duration) -> String {
    Short(duration).to_string()
}

impl Report {
    /// How much of all workers' time `time` is, in percent.
    fn share(&self, time: Duration) -> f64 {
        let there =
            self.elapsed.as_secs_f64() * f64::from(u32::try_from(self.workers.max(1)).unwrap_or(u32::MAX));
        if there > 0.0 { 100.0 * time.as_secs_f64() / there } else { 0.0 }
    }

    fn row(&self, stage: &StageReport) -> [String; 12] {
        let latency = stage.latency;
        let times = [latency.p50(), latency.p99(), latency.max()];
        let [p50, p99, max] =
            times.map(|time| if latency.count() > 0 { short(time) } else { "-".to_owned() });
        [
            stage.name.replace(char::is_control, " "),
            stage.kind.to_string(),
            stage.items_in.to_string(),
            stage.items_out.to_string(),
            stage.failed.to_string(),
            short(stage.busy),
            format!("{:.0}", self.utilisation(stage) * 100.0),
            format!("{:.0}", self.share(stage.starved)),
            format!("{:.0}", self.share(stage.blocked)),
            p50,
            p99,
            max,
        ]
    }
}

/// What else became of items, where the row does not say it: so that it adds up.
fn others(stage: &StageReport) -> String {
    let others = [(stage.filtered, "filtered"), (stage.panicked, "panicked"), (stage.undone, "undone")];
    let others = others.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    others.collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{} items read, {} finished, {} unfinished in {:.3} s on {} workers (idle {:.3} s)",
            self.read,
            self.finished,
            self.unfinished(),
            self.elapsed.as_secs_f64(),
            self.workers,
            self.idle.as_secs_f64()
        )?;
        if self.missing_workers > 0 {
            writeln!(formatter, "{} further workers could not be started", self.missing_workers)?;
        }
        for stage in &self.stages {
            if stage.threads > 0 {
                writeln!(formatter, "{} threads for {}", stage.threads, stage.name)?;
            }
            if stage.missing_threads > 0 {
                writeln!(
                    formatter,
                    "{} threads for {} could not be started",
                    stage.missing_threads, stage.name
                )?;
            }
        }
        let whole = self.latency;
        if whole.count() > 0 {
            let [p50, p90, p99, max] = [whole.p50(), whole.p90(), whole.p99(), whole.max()].map(Short);
            writeln!(formatter, "from source to sink: p50 {p50}, p90 {p90}, p99 {p99}, max {max}")?;
        }
        let rows: Vec<_> = std::iter::once(HEADINGS.map(str::to_owned))
            .chain(self.stages.iter().map(|stage| self.row(stage)))
            .collect();
        // No wider than what is in it.
        let widths: Vec<usize> = (0..HEADINGS.len())
            .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        for (number, row) in rows.iter().enumerate() {
            if number > 0 {
                writeln!(formatter)?;
            }
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(formatter, "{cell:width$}")?,
                    1 => write!(formatter, "  {cell:width$}")?,
                    _ => write!(formatter, "  {cell:>width$}")?,
                }
            }
            let others = number.checked_sub(1).map(|stage| others(&self.stages[stage])).unwrap_or_default();
            if !others.is_empty() {
                write!(formatter, "  {others}")?;
            }
        }
        match self.bottleneck() {
            Some(bottleneck) => write!(formatter, "\n{bottleneck}"),
            None => Ok(()),
        }
    }
}
