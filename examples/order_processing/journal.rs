//! Which call began and ended when.

use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::shop::CallError;

/// The width of the chart, in characters.
const WIDTH: u128 = 50;

/// Notes every call of one order.
#[derive(Debug)]
pub(crate) struct Journal {
    start: Instant,
    calls: Mutex<Vec<Call>>,
}

#[derive(Debug)]
struct Call {
    name: &'static str,
    began: Duration,
    /// `None` while it runs.
    ended: Option<(Duration, Ending)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Answered,
    Failed,
    Stopped,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), calls: Mutex::default() }
    }

    /// Runs a call, and notes its beginning and its end.
    pub(crate) fn record<T>(
        &self,
        name: &'static str,
        call: impl FnOnce() -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let place = {
            let mut calls = self.calls();
            calls.push(Call { name, began: self.start.elapsed(), ended: None });
            calls.len() - 1
        };
        let outcome = call();
        let ending = match &outcome {
            Ok(_) => Ending::Answered,
            Err(CallError::Stopped { .. }) => Ending::Stopped,
            Err(_) => Ending::Failed,
        };
        self.calls()[place].ended = Some((self.start.elapsed(), ending));
        outcome
    }

    /// Who answered, who failed, who did neither, and how many calls still run: the same in every run.
    pub(crate) fn summary(&self, names: impl Iterator<Item = &'static str>) -> String {
        let calls = self.calls();
        let (mut answered, mut failed, mut neither) = (Vec::new(), Vec::new(), Vec::new());
        for name in names {
            let call = calls.iter().find(|call| call.name == name);
            match call.and_then(|call| call.ended) {
                Some((_, Ending::Answered)) => answered.push(name),
                Some((_, Ending::Failed)) => failed.push(name),
                Some((_, Ending::Stopped)) | None => neither.push(name),
            }
        }
        let running = calls.iter().filter(|call| call.ended.is_none()).count();
        let list = |names: Vec<_>| if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
        format!(
            "  answered: {}; failed: {}; stopped or not asked: {}; still running: {running}",
            list(answered),
            list(failed),
            list(neither),
        )
    }

    /// A line for each service: from when to when it was asked, and what came of it.
    pub(crate) fn chart(&self, names: impl Iterator<Item = &'static str>) -> String {
        let calls = self.calls();
        let now = self.start.elapsed();
        let end = calls.iter().map(|call| call.ended.map_or(now, |(at, _)| at)).max().unwrap_or(now);
        let column = |at: Duration| {
            let column = at.as_micros() * WIDTH / end.as_micros().max(1);
            usize::try_from(column).unwrap_or(usize::MAX)
        };
        let mut chart = String::new();
        for name in names {
            let Some(call) = calls.iter().find(|call| call.name == name) else {
                writeln!(chart, "  {name:>8} |{:1$}| not asked", "", column(end)).ok();
                continue;
            };
            let (at, what) = match call.ended {
                Some((at, Ending::Answered)) => (at, "answered"),
                Some((at, Ending::Failed)) => (at, "failed"),
                Some((at, Ending::Stopped)) => (at, "stopped"),
                None => (now, "still running"),
            };
            let (from, to) = (column(call.began), column(at));
            let (bar, rest) = ("=".repeat((to - from).max(1)), column(end) - to);
            let (began, ended) = (call.began.as_millis(), at.as_millis());
            writeln!(chart, "  {name:>8} |{:from$}{bar}{:rest$}| {began} to {ended} ms, {what}", "", "").ok();
        }
        chart
    }

    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
