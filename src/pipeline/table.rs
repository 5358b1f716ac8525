//! A report as a table that a person reads at a glance.

use std::fmt;

use super::report::Report;

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
        let width = self.stages.iter().map(|stage| stage.name.chars().count()).max().unwrap_or(0).max(5);
        write!(
            formatter,
            "{:width$}  {:8}  {:>12}  {:>12}  {:>8}  {:>10}  {:>6}  {:>10}",
            "stage", "kind", "in", "out", "failed", "busy s", "used %", "waiting s"
        )?;
        for stage in &self.stages {
            write!(
                formatter,
                "\n{:width$}  {:8}  {:>12}  {:>12}  {:>8}  {:>10.3}  {:>6.0}  {:>10.3}",
                stage.name,
                stage.kind,
                stage.items_in,
                stage.items_out,
                stage.failed + stage.panicked,
                stage.busy.as_secs_f64(),
                self.utilisation(stage) * 100.0,
                stage.waiting.as_secs_f64()
            )?;
        }
        match self.bottleneck() {
            Some(bottleneck) => write!(formatter, "\n{bottleneck}"),
            None => Ok(()),
        }
    }
}
