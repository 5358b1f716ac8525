//! How a pool or a pipeline is: healthy, degraded, or stuck.
//!
//! What counts as what is for those to say who have the figures; here are the words in which they say it.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use crate::sync::time::{Duration, Instant};

/// How something is, in one word. Ordered: the worst of several is their maximum.
///
/// ```
/// use gristmill::HealthStatus;
///
/// let parts = [HealthStatus::Healthy, HealthStatus::Stuck, HealthStatus::Degraded];
/// assert_eq!(parts.into_iter().max(), Some(HealthStatus::Stuck)); // the worst
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HealthStatus {
    /// It does what it should, or has nothing to do.
    Healthy,
    /// It works, but not as it was asked to: [`Health::degradations`] says why.
    Degraded,
    /// A call does not return: [`Health::stuck`] says which.
    Stuck,
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Stuck => "stuck",
        })
    }
}

/// How a pool or a pipeline is at one moment: by [`Submitter::health`](crate::Submitter::health) and
/// [`PipelineMonitor::health`](crate::pipeline::PipelineMonitor::health), which say what counts as what.
///
/// Its text says all of it, in one line, for a log or whoever is on call.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use gristmill::{HealthStatus, ThreadPool};
///
/// let pool = ThreadPool::builder().workers(2).build()?;
/// let health = pool.health(Duration::from_secs(30));
/// assert!(health.is_healthy());
/// assert_eq!((health.status(), health.to_string().as_str()), (HealthStatus::Healthy, "healthy"));
/// # Ok::<(), gristmill::BuildError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "it only says how things are"]
pub struct Health {
    stuck: Vec<StuckCall>,
    degradations: Vec<Degradation>,
}

impl Health {
    /// The longest call first.
    pub(crate) fn new(mut stuck: Vec<StuckCall>, degradations: Vec<Degradation>) -> Self {
        stuck.sort_by_key(|call| call.since); // stable: equal ones stay in the order of the workers
        Self { stuck, degradations }
    }

    /// In one word: stuck before degraded before healthy.
    pub fn status(&self) -> HealthStatus {
        if !self.stuck.is_empty() {
            HealthStatus::Stuck
        } else if !self.degradations.is_empty() {
            HealthStatus::Degraded
        } else {
            HealthStatus::Healthy
        }
    }

    /// Whether there is nothing to say.
    pub fn is_healthy(&self) -> bool {
        self.status() == HealthStatus::Healthy
    }

    /// Whether a call does not return.
    pub fn is_stuck(&self) -> bool {
        self.status() == HealthStatus::Stuck
    }

    /// The calls that have been running for as long as the threshold, or longer; the longest first.
    pub fn stuck(&self) -> &[StuckCall] {
        &self.stuck
    }

    /// What is not as it was asked to be; also of something that is stuck.
    pub fn degradations(&self) -> &[Degradation] {
        &self.degradations
    }
}

impl fmt::Display for Health {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |formatter: &mut fmt::Formatter<'_>, what: &str, parts: &[&dyn fmt::Display]| {
            for (number, part) in parts.iter().enumerate() {
                write!(formatter, "{}{part}", if number == 0 { what } else { ", " })?;
            }
            Ok(())
        };
        if self.is_healthy() {
            return formatter.write_str("healthy");
        }
        let stuck: Vec<_> = self.stuck.iter().map(|call| call as &dyn fmt::Display).collect();
        let degradations: Vec<_> = self.degradations.iter().map(|why| why as &dyn fmt::Display).collect();
        list(formatter, "stuck: ", &stuck)?;
        if !stuck.is_empty() && !degradations.is_empty() {
            formatter.write_str("; ")?;
        }
        list(formatter, "degraded: ", &degradations)
    }
}

/// A thread that may be stuck.
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
/// use gristmill::{Runner, ThreadPool};
///
/// let pool = ThreadPool::builder().workers(1).build()?;
/// let (started, starts) = mpsc::channel();
/// let (release, released) = mpsc::channel::<()>();
/// let task = pool.submit(move || (started.send(()), released.recv()))?;
/// starts.recv()?;
/// let health = pool.health(Duration::ZERO);
/// assert_eq!(health.stuck()[0].runner(), Runner::Worker(0));
/// drop(release);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Runner {
    /// The worker of that index. In a pipeline number 0 is the thread that called `run`, or that takes the results from an iterator.
    Worker(usize),
    /// The thread that submitted the task, which runs it since the queue was full.
    Submitter,
    /// The thread of that number, from 1, of the [blocking](crate::Pipeline::blocking) stage that the call is of.
    StageThread(usize),
}

impl fmt::Display for Runner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(worker) => write!(formatter, "worker {worker}"),
            Self::Submitter => formatter.write_str("its submitter"),
            Self::StageThread(thread) => write!(formatter, "thread {thread}"),
        }
    }
}

/// A call of the user's code that does not return: who is in it, what it is, since when.
///
/// The same call seen twice has the same runner and start, and the next one of that runner has another start.
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
/// use gristmill::{Runner, ThreadPool};
///
/// let pool = ThreadPool::builder().workers(1).build()?;
/// let (started, starts) = mpsc::channel();
/// let (release, released) = mpsc::channel::<()>();
/// let task = pool.task().name("fetch").submit(move |_| (started.send(()), released.recv()))?;
/// starts.recv()?;
/// let health = pool.health(Duration::ZERO);
/// let call = &health.stuck()[0];
/// assert_eq!((call.name(), call.runner()), ("fetch", Runner::Worker(0)));
/// drop(release);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StuckCall {
    pub(crate) runner: Runner,
    pub(crate) name: Arc<str>,
    pub(crate) since: Instant,
    pub(crate) elapsed: Duration,
}

impl StuckCall {
    /// The thread that is in it.
    pub fn runner(&self) -> Runner {
        self.runner
    }

    /// Of a pool, the name of the task, `task` if it was given none. Of a pipeline, the name of the stage; of a row of several, which run as one,
    /// their names with ` + ` between them.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it began, as far as is known.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// For how long it has been running, as far as is known.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

impl fmt::Display for StuckCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runner, name, elapsed, .. } = self;
        write!(formatter, "{runner} runs {name:?} for {}", Rough(*elapsed))
    }
}

/// Why something is degraded.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{Degradation, ThreadPool};
///
/// let pool = ThreadPool::new()?;
/// pool.pause();
/// let task = pool.submit(|| 42)?;
/// let health = pool.health(Duration::from_secs(30));
/// assert!(matches!(health.degradations(), [Degradation::Paused { queued: 1 }]));
/// pool.resume();
/// # task.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Degradation {
    /// There are fewer workers than were asked for: threads could not be created, or their states not be made.
    MissingWorkers {
        /// How many there are.
        present: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// A blocking stage has fewer threads than it was to have.
    MissingThreads {
        /// The stage.
        stage: Arc<str>,
        /// How many it has; if it is none, the workers do its work.
        present: usize,
        /// How many it should have.
        wanted: usize,
    },
    /// Hooks have panicked, such as those of slow tasks, panics and the ends of workers; or conditions and callbacks of a monitor, which
    /// are not asked any more.
    HookPanicked {
        /// How often.
        panics: u64,
        /// The first of the panics, in words.
        first: String,
    },
    /// The pool is paused, and tasks wait.
    Paused {
        /// How many.
        queued: u64,
    },
    /// Keys are held since a task of theirs failed, for somebody to look at them.
    HeldKeys {
        /// How many.
        keys: usize,
    },
}

impl fmt::Display for Degradation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        match self {
            Self::MissingWorkers { present, wanted } => write!(formatter, "{present} of {wanted} workers"),
            Self::MissingThreads { stage, present, wanted } => {
                write!(formatter, "{present} of {wanted} threads of {stage:?}")
            }
            Self::HookPanicked { panics, first } => {
                write!(formatter, "{panics} panic{} of hooks: ", plural(*panics))?;
                // One line for a log, whatever a message is like.
                first.chars().try_for_each(|letter| match letter {
                    '\n' | '\r' => formatter.write_char(' '),
                    _ => formatter.write_char(letter),
                })
            }
            Self::Paused { queued } => {
                write!(formatter, "paused with {queued} task{} queued", plural(*queued))
            }
            Self::HeldKeys { keys } => write!(formatter, "{keys} key{} held", plural(*keys as u64)),
        }
    }
}

/// A time as one says it: `41 s`, not `41.000213706s`.
struct Rough(Duration);

impl fmt::Display for Rough {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (time, seconds) = (self.0, self.0.as_secs());
        match seconds {
            0 if time < Duration::from_millis(1) => write!(formatter, "{} µs", time.as_micros()),
            0 => write!(formatter, "{} ms", time.as_millis()),
            1..10 => write!(formatter, "{seconds}.{} s", time.subsec_millis() / 100),
            10..120 => write!(formatter, "{seconds} s"),
            120..7200 => write!(formatter, "{} min {} s", seconds / 60, seconds % 60),
            _ => write!(formatter, "{} h {} min", seconds / 3600, seconds / 60 % 60),
        }
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;
    use crate::sync::time;

    fn call(runner: Runner, name: &str, age: u64) -> StuckCall {
        let (elapsed, now) = (Duration::from_secs(age), time::now() + Duration::from_secs(100_000));
        StuckCall { runner, name: name.into(), since: now.checked_sub(elapsed).expect("in range"), elapsed }
    }

    #[test]
    fn times_are_said_as_one_says_them() {
        let said = |millis| Rough(Duration::from_millis(millis)).to_string();
        assert_eq!(Rough(Duration::from_nanos(41_900)).to_string(), "41 µs");
        let times = [0, 1, 999, 1000, 9999, 10_000, 41_999, 119_999, 120_000, 7_199_000, 7_200_000];
        let words = times.map(said);
        let expected = [
            "0 µs",
            "1 ms",
            "999 ms",
            "1.0 s",
            "9.9 s",
            "10 s",
            "41 s",
            "119 s",
            "2 min 0 s",
            "119 min 59 s",
            "2 h 0 min",
        ];
        assert_eq!(words, expected);
        assert_eq!(Rough(Duration::MAX).to_string(), "5124095576030431 h 0 min");
    }

    #[test]
    fn text_is_one_line_with_the_longest_call_first() {
        let stuck = vec![
            call(Runner::Worker(1), "a", 30),
            call(Runner::Worker(3), "resize 17.png", 41),
            call(Runner::Submitter, "b", 31),
            call(Runner::StageThread(2), "fetch", 1),
        ];
        let degradations = vec![
            Degradation::MissingWorkers { present: 3, wanted: 4 },
            Degradation::MissingThreads { stage: "fetch".into(), present: 0, wanted: 8 },
            Degradation::HookPanicked { panics: 2, first: "first\nline".into() },
            Degradation::Paused { queued: 1 },
            Degradation::HeldKeys { keys: 2 },
        ];
        let why = "degraded: 3 of 4 workers, 0 of 8 threads of \"fetch\", 2 panics of hooks: first line, paused with 1 task \
                   queued, 2 keys held";
        let health = Health::new(stuck, degradations.clone());
        let calls = "stuck: worker 3 runs \"resize 17.png\" for 41 s, its submitter runs \"b\" for 31 s, worker 1 runs \"a\" \
                     for 30 s, thread 2 runs \"fetch\" for 1.0 s";
        assert_eq!(health.to_string(), format!("{calls}; {why}"));
        assert_eq!(health.status(), HealthStatus::Stuck);
        let health = Health::new(Vec::new(), degradations);
        assert_eq!((health.status(), health.to_string().as_str()), (HealthStatus::Degraded, why));
        assert_eq!(Health::default().to_string(), "healthy");
        assert!(
            HealthStatus::Stuck > HealthStatus::Degraded && HealthStatus::Degraded > HealthStatus::Healthy
        );
    }
}
