//! The batch in the terminal: a bar for its items, a line for each part, a line for each alert.

use std::time::Duration;

use gristmill::watch::{Alerts, Progress, Threshold, Watch, WatchError};
use gristmill::{BreakerReport, BreakerState};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::orders::Batch;

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(100);
/// A call that takes so long is told as stuck.
const STUCK: Duration = Duration::from_secs(2);

/// Drawn for as long as it lives; nothing is drawn where standard error is no terminal.
pub(crate) struct Screen {
    /// In this order: what draws into the lines ends first.
    watch: Option<Watch>,
    progress: Option<Progress>,
    lines: Lines,
}

/// The lines below each other.
#[derive(Clone)]
struct Lines {
    all: MultiProgress,
    items: ProgressBar,
    limiter: ProgressBar,
    breaker: ProgressBar,
    retry: ProgressBar,
    health: ProgressBar,
}

impl Lines {
    fn new() -> Self {
        let all = MultiProgress::new();
        let styled = |template: &str| {
            let bar = all.add(ProgressBar::no_length());
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        };
        let line = |name: &str| styled(&format!("{name:<8} {{wide_msg}}"));
        Self {
            items: styled("orders   {bar:30} {pos}/{len}, {per_sec}, {eta} left"),
            limiter: line("limiter"),
            breaker: line("breaker"),
            retry: line("retry"),
            health: line("health"),
            all,
        }
    }

    fn draw(&self, batch: &Batch) {
        let (rate, breaker, retry) = (batch.limiter.report(), batch.breaker.report(), batch.retry.report());
        let (permits, per) = batch.limiter.rate();
        self.limiter
            .set_message(format!("{} starts at {permits} in {per:?}, {} wait", rate.acquired, rate.waiting));
        self.breaker.set_message(format!(
            "{:?}: {} calls, {} failed, {} slow, {} refused, {} openings",
            breaker.state, breaker.calls, breaker.failures, breaker.slow, breaker.refused, breaker.openings
        ));
        self.retry.set_message(format!(
            "{} attempts for {} calls, {} of which needed more than one, {} pause",
            retry.attempts, retry.calls, retry.succeeded_after_retry, retry.sleeping
        ));
        self.health.set_message(batch.monitor.health(STUCK).to_string());
    }
}

impl Screen {
    /// Draws what the batch does until it is dropped, and says above when the breaker opens and when it is closed again.
    pub(crate) fn show(batch: &Batch) -> Result<Self, WatchError> {
        let lines = Lines::new();
        let alerts = Alerts::<BreakerReport>::new();
        let above = lines.all.clone();
        // The state as a figure: open or not.
        let is_open = |report: &BreakerReport| f64::from(report.state != BreakerState::Closed);
        let opened = Threshold::above(0.5).both_ways();
        let rule = alerts.rule(
            "breaker",
            move |look| is_open(look.now()),
            opened,
            move |alert| {
                let text = if alert.is_raised {
                    "the bureau fails: its breaker is open"
                } else {
                    "the bureau answers again"
                };
                // Where nothing is drawn, this is nothing as well.
                let _ = above.println(format!("alert    {text}"));
            },
        );
        rule.expect("the threshold is a number, and clears at itself");
        let progress = Progress::of_pipeline(&batch.monitor, &lines.items)?;
        let watch = {
            let (batch, lines) = (batch.clone(), lines.clone());
            Watch::every(INTERVAL, move || {
                alerts.check(&batch.breaker.report());
                lines.draw(&batch);
            })?
        };
        Ok(Self { watch: Some(watch), progress: Some(progress), lines })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Each looks a last time.
        drop(self.watch.take());
        drop(self.progress.take());
        let Lines { all: _, items: _, limiter, breaker, retry, health } = &self.lines;
        for line in [limiter, breaker, retry, health] {
            line.abandon();
        }
    }
}
