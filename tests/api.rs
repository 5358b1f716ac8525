//! Holds the public API to the rules that docs/design.md states for it, as far as a program can: what crosses threads, what errors are, and how
//! things are named and ordered, in the list that the gate keeps true (`docs/public-api.txt`).
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]
// All of it is looked at.
#![allow(clippy::wildcard_imports)]

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use gristmill::combine::*;
use gristmill::fan::*;
use gristmill::observe::*;
use gristmill::pipeline::*;
use gristmill::pool::adaptive::{AdaptiveSizeError, Controller, Sample};
use gristmill::pool::{AnyResult, ErrFails, Unsubmitted};
use gristmill::waitable::*;
use gristmill::*;

/// Checks that each type has the traits, and gives their names without what stands before and after.
macro_rules! have {
    ($bound:path: $($(#[$feature:meta])? $type:ty,)*) => {{
        fn has<T: $bound + ?Sized>() {}
        let mut names = BTreeSet::new();
        $($(#[$feature])? {
            has::<$type>();
            names.insert(short(stringify!($type)));
        })*
        names
    }};
}

trait Shared: Send + Sync {}
impl<T: Send + Sync + ?Sized> Shared for T {}

trait Thrown: Error + Send + Sync + 'static {}
impl<T: Error + Send + Sync + 'static> Thrown for T {}

/// The name in a path with arguments: `Journal` in `journal::Journal<'a, T>`.
fn short(path: &str) -> String {
    let path = path.split(['<', '(', ' ']).next().unwrap_or_default();
    path.rsplit("::").next().unwrap_or_default().to_owned()
}

/// What every thread may hold and look at, given that what it was made of may be.
fn shared() -> BTreeSet<String> {
    have! { Shared:
        AcquireError, AdaptiveSize, Alert<'_, u8>, Alerts<u8>, Around<u8, u8>, Attempt<'_>, AttemptBudget, Backoff, BreakerChange,
        BreakerError, BreakerOpen, BreakerPermit, BreakerReport, BreakerState, BuildError, BulkError, CancelKind, CancelOnDrop,
        CancelOutcome, CancellationToken, Cancelled, CircuitBreaker, CircuitBreakerBuilder, CountingBreaker<u8>, Degradation, Discarded,
        Distribution, Done<'_, u8, u8>, Entry<u8>, ErrorGroup<'_, u8, u8>, ErrorGroupBuilder<'_, u8, u8>, FailureKind<u8>, GaveUp<u8>,
        GaveUpReason, GroupBuildError, GroupContext<'_, '_, u8, u8>, GroupError<u8>, GroupErrorKind, GroupRefusal, GroupReport<u8, u8>,
        GroupSnapshot, GroupTaskOptions<'_, '_, u8, u8>, GuardedGroupTaskOptions<'_, '_, u8, u8, u8>, GuardedTaskOptions<'_, '_, u8, u8>,
        Health, HealthStatus, Help, Jitter, Key, KeyFailed, KeyFailure, KeyRate<u8>, KeyedRateLimiter<u8>, KeyedRateLimiterBuilder<u8>,
        KeyedRateReport, Lane<u8>, LaneRule, LimitedError<u8>, Look<'_, u8>, ManualClock, ManyHandle<'_, u8>, Measurement<'_>, ObjectPool<u8>,
        ObjectPoolBuilder<u8>, ObjectPoolError, ObjectPoolReport, OwnedPermit, OwnedPooled<u8>, Panic, PanicLocation, Permit<&Semaphore>,
        PermitMergeError<&'static Semaphore>, PipelineControl, PipelineError<u8>, PipelineErrorKind<u8>, PolicyError<u8>, Pooled<'_, u8>,
        Quantiles, RateError, RateLimited, RateLimiter, RateLimiterBuilder, RateReport, ReceiveError, Refusal, Registration, Report,
        Reservation, ResizeError, Retry, RetryBuildError, RetryBuilder, RetryReport, ReturnedTask<'_>, RouteError<u8>, Router<u8>, Runner,
        RunningTask, Saturation, ScopedPool<'_, '_>, ScopedTaskHandle<'_, u8>, Semaphore, SemaphoreSnapshot, Shutdown, ShutdownReport<'_>,
        Signal, Snapshot, SpawnError<u8>, Spawner<'_, u8, u8>, StuckCall, StuckTask, SubmitError<u8>,
        SubmitManyError<'_, std::vec::IntoIter<u8>, u8>, Submitter<'_>, SystemClock, TakeError<u8>, TaskEnd<'_, u8, u8>, TaskError,
        TaskFailure<u8>, TaskHandle<u8>, TaskOptions<'_, '_, ()>, TerminalIf<u8, u8>, ThreadPool, ThreadPoolBuilder<'_>, Threshold,
        ThresholdError, TimeLimit, Timer, Verdict, WaitCancelled<u8>, WaitError, Watch, WatchError, WorkerSnapshot,
        AllFailed<u8>, AsCompleted<TaskHandle<u8>>, AttemptError<u8>, Attempted<TaskHandle<Result<u8, u8>>, u8, u8>, First<TaskHandle<u8>>,
        FirstOk<TaskHandle<u8>, u8, u8>, Settled<u8, u8>, StillPending, TimedOut<u8>, Unsettled<u8, u8>,
        CapacityError, InputSnapshot, LaneId, LaneSnapshot, MergeHandle<u8>, MergeInput<u8>, MergeMonitor<u8>, MergeSnapshot, RouteErrorKind,
        RouterSnapshot, Metric, MetricKind, MetricValue, Unit,
        Bottleneck<'_>, DrainTimedOut, ErrorLog<u8>, FailedItem<u8, u8>, ItemError<u8>, Next<'_>, PipelineMonitor, PipelineSnapshot, QueueSample,
        RowSnapshot, Span, StageKind, StageReport, Timeline, UndoneInputs<u8>,
        AnyResult, ErrFails, Unsubmitted<std::vec::IntoIter<u8>>, AdaptiveSizeError, Controller, Sample, Mapped<u8, u8>, Nudge, Ready<u8>,
        #[cfg(feature = "progress")] Progress,
        #[cfg(feature = "metrics")] watch::LabelError,
        #[cfg(feature = "metrics")] watch::Publisher,
        #[cfg(feature = "journal")] journal::CallError<u8>,
        #[cfg(feature = "journal")] journal::CallRefusal,
        #[cfg(feature = "journal")] journal::ChangedInput,
        #[cfg(feature = "journal")] journal::Durability,
        #[cfg(feature = "journal")] journal::DurableError,
        #[cfg(feature = "journal")] journal::DurableErrorKind,
        #[cfg(feature = "journal")] journal::DurableHandle<u8>,
        #[cfg(feature = "journal")] journal::DurableTimer,
        #[cfg(feature = "journal")] journal::Entries<'_>,
        #[cfg(feature = "journal")] journal::EntryCounts,
        #[cfg(feature = "journal")] journal::EntryKind,
        #[cfg(feature = "journal")] journal::ExportError,
        #[cfg(feature = "journal")] journal::Forgotten,
        #[cfg(feature = "journal")] journal::Handler<u8, u8>,
        #[cfg(feature = "journal")] journal::HandlerError,
        #[cfg(feature = "journal")] journal::HandlerOptions<u8>,
        #[cfg(feature = "journal")] journal::JobStatistics,
        #[cfg(feature = "journal")] journal::Journal,
        #[cfg(feature = "journal")] journal::JournalBuilder,
        #[cfg(feature = "journal")] journal::JournalDamage,
        #[cfg(feature = "journal")] journal::JournalEntry,
        #[cfg(feature = "journal")] journal::JournalError,
        #[cfg(feature = "journal")] journal::JournalErrorKind,
        #[cfg(feature = "journal")] journal::Keep,
        #[cfg(feature = "journal")] journal::Opening,
        #[cfg(feature = "journal")] journal::OutputError,
        #[cfg(feature = "journal")] journal::OutputFile,
        #[cfg(feature = "journal")] journal::RefusedCall<u8>,
        #[cfg(feature = "journal")] journal::Salvaged,
        #[cfg(feature = "journal")] journal::Scope,
        #[cfg(feature = "journal")] journal::ScopeReport,
        #[cfg(feature = "journal")] journal::ScopedDurableHandle<'_, u8>,
        #[cfg(feature = "journal")] journal::Selection,
        #[cfg(feature = "journal")] journal::Statistics,
        #[cfg(feature = "journal")] journal::Verification,
        #[cfg(feature = "journal")] journal::WrittenFile,
    }
}

/// What may go to another thread, and is used by one at a time: its methods that receive take it mutably, and it holds closures that are `Send`.
fn sent() -> BTreeSet<String> {
    have! { Send: Merge<u8>, }
}

/// What stays where it is. A context lends what its worker has. The results of a running pipeline are computed on the thread that asks for them too.
/// What a pipeline is made of decides for one that does not run yet; it is made and run in one expression.
const STAYS: [&str; 7] =
    ["TaskContext", "CallContext", "PipelineIter", "Results", "Pipeline", "ReadyPipeline", "LocalPipeline"];

/// Every error, also as `Box<dyn Error + Send + Sync>`.
fn thrown() -> BTreeSet<String> {
    have! { Thrown:
        AcquireError, AdaptiveSizeError, AllFailed<String>, AttemptError<String>, BreakerError, BreakerOpen, BuildError, BulkError, Cancelled,
        CapacityError, DrainTimedOut, GaveUp<PolicyError<std::io::Error>>, GroupBuildError, GroupError<String>, GroupRefusal, ItemError<std::io::Error>, KeyFailed,
        LimitedError<std::io::Error>, ObjectPoolError, Panic, PermitMergeError<&'static Semaphore>, PipelineError, PipelineErrorKind<std::io::Error>,
        PolicyError<std::io::Error>, RateError, RateLimited, ReceiveError, Refusal, ResizeError, RetryBuildError, RouteError<Vec<u8>>,
        RouteErrorKind, SpawnError<fn()>, StillPending, SubmitError<fn()>, SubmitManyError<'static, std::vec::IntoIter<fn()>, ()>,
        TakeError<Infallible>, TaskError, TaskFailure<String>, ThresholdError, TimedOut<TaskHandle<u8>>, Unsettled<TaskHandle<u8>, String>,
        WaitCancelled<TaskHandle<u8>>, WaitError, WatchError,
        #[cfg(feature = "metrics")] watch::LabelError,
        #[cfg(feature = "journal")] journal::CallError<Vec<u8>>,
        #[cfg(feature = "journal")] journal::DurableError,
        #[cfg(feature = "journal")] journal::ExportError,
        #[cfg(feature = "journal")] journal::JournalError,
        #[cfg(feature = "journal")] journal::OutputError,
        #[cfg(feature = "journal")] journal::RefusedCall<Vec<u8>>,
    }
}

/// Named like errors, and none: parts of one, except for `HandlerError`, which is made from any `Error` by `?` and so cannot be one.
const NO_ERRORS: [&str; 4] = ["GroupErrorKind", "DurableErrorKind", "JournalErrorKind", "HandlerError"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn listed() -> String {
    fs::read_to_string(root().join("docs/public-api.txt")).expect("the list is in the repository")
}

/// A public function: its path and the types of its parameters.
struct Function {
    path: String,
    parameters: Vec<String>,
}

impl Function {
    fn name(&self) -> &str {
        self.path.rsplit("::").next().unwrap_or_default()
    }

    /// The path of another function of the same type or module.
    fn beside(&self, name: &str) -> String {
        format!("{}{name}", &self.path[..self.path.len() - self.name().len()])
    }
}

/// Where the bracket that opens the text closes, with those of generics; an arrow closes none.
fn closing(text: &str) -> usize {
    let (mut depth, mut before) = (0, ' ');
    for (at, character) in text.char_indices() {
        match character {
            '(' | '<' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
        before = character;
    }
    panic!("{text} does not close");
}

/// The parts between commas that are in no bracket.
fn parts(text: &str) -> Vec<&str> {
    let (mut found, mut start, mut at) = (Vec::new(), 0, 0);
    while let Some(character) = text[at..].chars().next() {
        if "(<[".contains(character) {
            at += closing(&text[at..]);
        } else if character == ',' {
            found.push(text[start..at].trim());
            start = at + 1;
        }
        at += text[at..].chars().next().map_or(1, char::len_utf8);
    }
    found.push(text[start..].trim());
    found.retain(|part| !part.is_empty());
    found
}

fn functions() -> Vec<Function> {
    let mut found = Vec::new();
    for line in listed().lines() {
        let Some((before, rest)) = line.split_once("fn gristmill::") else { continue };
        if !before.split(' ').all(|word| matches!(word, "" | "pub" | "const")) {
            continue;
        }
        // Generic arguments of the type and of the function go; the parameters follow in brackets.
        let (mut path, mut rest) = (String::new(), rest);
        let arguments = loop {
            let at = rest.find(['<', '(']).expect("a function has parameters");
            path.push_str(&rest[..at]);
            let end = at + closing(&rest[at..]);
            if rest.as_bytes()[at] == b'(' {
                break &rest[at + 1..end];
            }
            rest = &rest[end + 1..];
        };
        let parameters = parts(arguments).into_iter().map(str::to_owned).collect();
        found.push(Function { path, parameters });
    }
    assert!(found.len() > 900, "the list is read: {}", found.len());
    found
}

/// The sources, without the door, whose words are those of what it stands for.
fn sources() -> Vec<(PathBuf, String)> {
    let (mut folders, mut found) = (vec![root().join("src")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("it is a folder") {
            let path = entry.expect("it is readable").path();
            if path.ends_with("src/sync") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).expect("it is text");
                found.push((path, text));
            }
        }
    }
    found
}

#[test]
fn every_public_type_crosses_threads_or_is_known_not_to() {
    let mut known: BTreeSet<String> = shared();
    known.extend(sent());
    known.extend(STAYS.map(str::to_owned));
    let is_here = |path: &str| {
        (cfg!(feature = "journal") || !path.starts_with("gristmill::journal::"))
            && (cfg!(feature = "metrics") || !["LabelError", "Publisher"].contains(&&*short(path)))
            && (cfg!(feature = "progress") || short(path) != "Progress")
    };
    let list = listed();
    let paths = list.lines().filter_map(|line| {
        let line = line.strip_prefix("#[non_exhaustive] ").unwrap_or(line);
        line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub enum "))
    });
    let types: BTreeSet<String> = paths.filter(|path| is_here(path)).map(short).collect();
    assert!(types.len() > 150, "the list is read: {types:?}");
    let unknown: Vec<_> = types.difference(&known).collect();
    assert!(unknown.is_empty(), "not looked at: {unknown:?}");
}

#[test]
fn every_error_can_be_thrown_from_thread_to_thread() {
    let known = thrown();
    for name in shared() {
        let is_known = known.contains(&name) || NO_ERRORS.contains(&&*name);
        assert!(
            !name.contains("Error") || name.starts_with("ErrorGroup") || name == "ErrorLog" || is_known,
            "{name}"
        );
    }
}

#[test]
fn handles_and_tokens_cross_an_unwind() {
    fn crosses<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    crosses::<CancellationToken>();
    crosses::<CircuitBreaker>();
    crosses::<Retry>();
    crosses::<ObjectPool<Vec<u8>>>();
    crosses::<Semaphore>();
    crosses::<OwnedPermit>();
    crosses::<Panic>();
    crosses::<TaskError>();
    crosses::<Snapshot>();
    crosses::<Report>();
}

#[test]
fn errors_begin_small_and_end_without_a_stop() {
    let mut seen = 0;
    for (path, text) in sources() {
        for rest in text.split("#[error(\"").skip(1) {
            let said = rest.split("\")]").next().unwrap_or_default().split("\", ").next().unwrap_or_default();
            seen += 1;
            assert!(!said.starts_with(char::is_uppercase), "{}: {said}", path.display());
            assert!(!said.ends_with(['.', '!', ' ', '\n']), "{}: {said}", path.display());
        }
    }
    assert!(seen > 100, "the sources are read");
}

/// The words of the statements that export something from a module.
fn exports(text: &str) -> BTreeSet<&str> {
    let statements = text.split("\npub use ").skip(1).filter_map(|rest| rest.split(';').next());
    statements.flat_map(|it| it.split(|it: char| !it.is_alphanumeric() && it != '_')).collect()
}

#[test]
fn no_two_public_types_share_a_name() {
    let sources = sources();
    let faces: BTreeMap<&Path, BTreeSet<&str>> = sources
        .iter()
        .filter(|(path, _)| path.ends_with("mod.rs"))
        .filter_map(|(path, text)| Some((path.parent()?, exports(text))))
        .collect();
    let mut homes: BTreeMap<&str, Vec<&Path>> = BTreeMap::new();
    for (path, text) in &sources {
        for line in text.lines() {
            let kinds = ["pub struct ", "pub enum ", "pub trait ", "pub type "];
            let Some(rest) = kinds.iter().find_map(|kind| line.strip_prefix(kind)) else { continue };
            let name = rest.split(|it: char| !it.is_alphanumeric()).next().unwrap_or_default();
            // Some are public to the compiler only: the parts of a pipeline's type.
            let is_exported =
                path.ancestors().any(|it| faces.get(it).is_some_and(|face| face.contains(name)));
            if is_exported || path.parent().is_some_and(|it| it.ends_with("src")) {
                homes.entry(name).or_default().push(path);
            }
        }
    }
    assert!(homes.len() > 200, "the sources are read: {}", homes.len());
    let twice: Vec<_> = homes.iter().filter(|(_, homes)| homes.len() > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn no_getter_says_get() {
    let offenders: Vec<_> =
        functions().into_iter().filter(|it| it.name().starts_with("get_")).map(|it| it.path).collect();
    assert!(offenders.is_empty(), "{offenders:?}");
}

/// Calls of which there is no form that only tries, since they ask for something to be done: with no time, it is begun, or fails for certain.
const NOT_TRIED: [&str; 5] =
    ["flush_timeout", "with_timeout", "child_with_timeout", "fallback_timeout", "hedge_timeout"];

/// Calls of which there is no form with a token, and what ends them besides the time.
const WITHOUT_TOKEN: [(&str, &str); 4] = [
    ("submit_timeout", "the tokens of the task and of the pool"),
    ("spawn_timeout", "the tokens of the task and of the group"),
    ("resize_timeout", "the time only: to wait for threads is not to wait for work"),
    ("flush_timeout", "the time only: the disk looks at no token"),
];

#[test]
fn what_waits_comes_in_all_forms_with_its_limit_last() {
    let functions = functions();
    let paths: BTreeSet<&str> = functions.iter().map(|it| &*it.path).collect();
    let mut seen = 0;
    for function in &functions {
        let Some(plain) = function.name().strip_suffix("_timeout") else { continue };
        // A setting, and what makes a token.
        if ["batch_timeout", "total_timeout"].contains(&function.name()) || plain.ends_with("with") {
            continue;
        }
        seen += 1;
        let last = function.parameters.last().map(|it| &**it);
        assert_eq!(last, Some("core::time::Duration"), "{}: the time is not last", function.path);
        assert!(paths.contains(&*function.beside(plain)), "{}: no form that waits", function.path);
        if function.path.starts_with("CancellationToken::") || function.path.starts_with("cancel::") {
            // `cause` is what tries.
            continue;
        }
        // The second part of a name says what is taken, and `try` comes before all of it.
        let tries = function.beside(&format!("try_{plain}"));
        let is_tried = paths.contains(&*tries) || NOT_TRIED.contains(&function.name());
        assert!(is_tried, "{}: no {tries}", function.path);
        let with = function.beside(&format!("{plain}_with"));
        let has_token = paths.contains(&*with) || WITHOUT_TOKEN.iter().any(|it| it.0 == function.name());
        assert!(has_token, "{}: no {with}", function.path);
    }
    assert!(seen > 35, "the list is read: {seen}");
}

#[test]
fn token_comes_first_for_work_under_it_and_last_for_a_wait_that_it_ends() {
    let mut seen = 0;
    for function in functions() {
        let Some(at) = function.parameters.iter().position(|it| it == "&gristmill::CancellationToken") else {
            continue;
        };
        let ends = [usize::from(function.parameters[0].contains("self")), function.parameters.len() - 1];
        assert!(ends.contains(&at), "{}: the token is in the midst", function.path);
        seen += 1;
    }
    assert!(seen > 40, "the list is read: {seen}");
}
