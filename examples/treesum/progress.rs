//! Files and bytes done, and the rate, on standard error while the run goes on.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::arguments::ProgressWhen;

/// Shared by the workers, which add bytes as they hash them, and the sink, which adds files.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    /// Keeps the time and the bytes whether or not it is drawn.
    bar: ProgressBar,
    files: Arc<AtomicU64>,
    /// Where a terminal's moving line would be noise: a line for each second, and the last second that had one.
    lines: Option<Arc<AtomicU64>>,
}

impl Progress {
    pub(crate) fn new(when: ProgressWhen) -> Self {
        let on_terminal = io::stderr().is_terminal();
        let target = match when {
            ProgressWhen::Never => ProgressDrawTarget::hidden(),
            _ => ProgressDrawTarget::stderr(),
        };
        let lines = when == ProgressWhen::Always && !on_terminal;
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg} files, {bytes}, {bytes_per_sec}") {
            bar.set_style(style);
        }
        Self { bar, files: Arc::default(), lines: lines.then(Arc::default) }
    }

    pub(crate) fn add_bytes(&self, bytes: u64) {
        self.bar.inc(bytes);
        if let Some(last) = &self.lines {
            let second = self.bar.elapsed().as_secs();
            // Only counts: whoever moves the second on writes its line.
            if last.fetch_max(second, Ordering::Relaxed) < second {
                self.write_line();
            }
        }
    }

    pub(crate) fn add_file(&self) {
        let files = self.files.fetch_add(1, Ordering::Relaxed) + 1;
        if !self.bar.is_hidden() {
            self.bar.set_message(files.to_string());
        }
    }

    /// Runs what writes to the terminal with the moving line out of the way.
    pub(crate) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        if self.bar.is_hidden() { write() } else { self.bar.suspend(write) }
    }

    /// Leaves the last figures standing.
    pub(crate) fn finish(&self) {
        self.bar.abandon();
        if self.lines.is_some() {
            self.write_line();
        }
    }

    pub(crate) fn elapsed(&self) -> std::time::Duration {
        self.bar.elapsed()
    }

    fn write_line(&self) {
        let (files, bytes) = (self.files.load(Ordering::Relaxed), self.bar.position());
        let milliseconds = self.bar.elapsed().as_millis().max(1);
        let rate = u64::try_from(u128::from(bytes) * 1000 / milliseconds).unwrap_or(u64::MAX);
        let line = format!("treesum: {files} files, {}, {}/s\n", HumanBytes(bytes), HumanBytes(rate));
        // Progress is worth nothing to a reader that has gone.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}
