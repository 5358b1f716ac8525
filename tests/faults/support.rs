//! What the tests of faults share: a test that is alone in its process, a watchdog, a count of threads, a count of what is alive.
#![allow(dead_code)] // each file uses a part

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// So long that only a hang reaches it.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// Tells a process that it was started by [`alone`].
const ALONE: &str = "GRISTMILL_FAULTS_ALONE";

/// Runs `body` in a process in which no other test runs, so that it can count threads; `name` is the test that calls, with its module.
///
/// The test fails if `body` panics, and when it has not said anything by [`step`] for [`LONG`]: then it hangs, and what it said last is told.
#[track_caller]
pub(crate) fn alone(name: &str, body: impl FnOnce()) {
    alone_with(&[], name, body);
}

/// [`alone`], in a process with these variables of the environment.
#[track_caller]
pub(crate) fn alone_with(variables: &[(&str, &str)], name: &str, body: impl FnOnce()) {
    if env::var_os(ALONE).is_some() {
        return body();
    }
    let mut child = Command::new(env::current_exe().expect("a running test has a path"))
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(ALONE, "1")
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this program starts again");
    let (said, says) = mpsc::channel();
    let stdout = child.stdout.take().expect("it is piped");
    let stderr = child.stderr.take().expect("it is piped");
    let tell = |stream: Box<dyn BufRead + Send>, said: mpsc::Sender<String>| {
        let run = move || stream.lines().map_while(Result::ok).try_for_each(|line| said.send(line));
        thread::Builder::new().spawn(run).expect("one thread more");
    };
    tell(Box::new(BufReader::new(stdout)), said.clone());
    tell(Box::new(BufReader::new(stderr)), said);
    let mut lines = Vec::new();
    let last = |lines: &[String]| lines[lines.len().saturating_sub(40)..].join("\n");
    loop {
        match says.recv_timeout(LONG) {
            Ok(line) => lines.push(line),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{name} hangs; it said last:\n{}", last(&lines));
            }
        }
    }
    let status = child.wait().expect("it was started");
    assert!(status.success(), "{name}: {status}; it said last:\n{}", last(&lines));
    assert!(lines.iter().any(|line| line.contains("1 passed")), "no test is called {name}");
}

/// Says what is tried now: the name in the message of a hang, and a sign of life.
pub(crate) fn step(what: &str) {
    eprintln!("step: {what}");
}

/// The threads of this process; 0 where that is not told.
pub(crate) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// Waits until `condition` holds: the system shows a joined thread for a moment longer, and other ends take a moment too.
#[track_caller]
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG / 2, "not for a minute: {what}");
        thread::yield_now();
    }
}

/// Counts the [`Counted`] that are alive.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    live: Arc<AtomicUsize>,
    made: Arc<AtomicUsize>,
}

impl Ledger {
    pub(crate) fn item(&self, number: u64) -> Counted {
        self.made.fetch_add(1, Ordering::Relaxed);
        self.live.fetch_add(1, Ordering::Relaxed);
        Counted { number, ledger: self.clone() }
    }

    /// How many are not dropped yet. None is dropped twice: that would take the count below zero, which panics.
    pub(crate) fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// How many there have ever been.
    pub(crate) fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }
}

/// An item, a result or part of a closure of which the [`Ledger`] knows whether it was dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) number: u64,
    ledger: Ledger,
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.ledger.item(self.number)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let before = self.ledger.live.fetch_sub(1, Ordering::Relaxed);
        assert!(before > 0, "dropped more often than made");
    }
}
