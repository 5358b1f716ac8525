//! What all calls of a handler have in common, and one call of it on this thread.

use std::sync::Arc;

use serde::Serialize;

use super::context::{CallContext, LazyToken};
use super::error::DurableErrorKind;
use super::failure::{HandlerError, Said};
use super::options::HandlerOptions;
use crate::cancel::Cancelled;
use crate::journal::core::Job;
use crate::journal::error::JournalError;
use crate::journal::record::Kind;
use crate::journal::scope_run::ScopeRun;
use crate::panics::{self, Panic};
use crate::policy::{Attempt, Policy, PolicyError};
use crate::pool::drop_quietly;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::time::Duration;

pub(super) type Function<I, T> = Box<dyn Fn(&CallContext<'_>, &I) -> Result<T, HandlerError> + Send + Sync>;

pub(super) struct Shared<I, T> {
    pub(super) scope: Arc<ScopeRun>,
    pub(super) name: Arc<str>,
    pub(super) version: u32,
    /// In the journal; why not, if it has failed.
    pub(super) job: Result<Job, JournalError>,
    pub(super) function: Function<I, T>,
    pub(super) options: HandlerOptions<T>,
    pub(super) pace: Pace,
}

/// How long the handler takes, as a rough mean in nanoseconds; 0: it has not been run.
#[derive(Default)]
pub(super) struct Pace(AtomicU64);

/// From here on a task marks itself alone when it begins, and takes that back at its end: two writes, together under two microseconds.
const LONG: u64 = 500_000;

impl Pace {
    // Two threads may lose one of their figures: it is a mean.
    pub(super) fn note(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        let mean = self.0.load(Ordering::Relaxed);
        let next = if mean == 0 { took } else { mean - mean / 8 + took / 8 };
        self.0.store(next, Ordering::Relaxed);
    }

    pub(super) fn is_long(&self) -> bool {
        let mean = self.0.load(Ordering::Relaxed);
        mean == 0 || mean >= LONG
    }
}

/// How much of a message is recorded, in bytes. The limit for values may be lower than a message is long, and there is none in what a panic says.
const LONGEST_MESSAGE: usize = 64 << 10;

/// A message as it is recorded, and told the first time as well: it is to be the same after a restart.
fn cut(mut message: String) -> String {
    if message.len() > LONGEST_MESSAGE {
        let end = (0..=LONGEST_MESSAGE).rev().find(|end| message.is_char_boundary(*end));
        message.truncate(end.unwrap_or(0));
    }
    message
}

/// What a task came to.
pub(super) enum Ran<T> {
    /// To be recorded.
    Whole { kind: Kind, payload: Vec<u8>, outcome: Result<T, DurableErrorKind> },
    /// Not to be recorded.
    Loose(DurableErrorKind),
}

/// Why an attempt gave nothing.
enum Failure {
    Said(HandlerError),
    Panicked(Panic),
    Unencodable(String),
}

impl Failure {
    fn is_retryable(&self) -> bool {
        matches!(self, Self::Said(error) if !error.is_terminal())
    }
}

impl<I, T: Serialize> Shared<I, T> {
    /// Runs the handler, as often as its rule for retries says; how often that was, and what came out.
    pub(super) fn run(&self, key: &str, input: &I, crashes: u32, token: &LazyToken<'_>) -> (u32, Ran<T>) {
        let mut attempts = 0;
        let mut attempt = || {
            attempts += 1;
            let context = CallContext::new(key, attempts, crashes, token);
            // The result is encoded in here: the encoding is code of the user, too.
            let body = || -> Result<(T, Vec<u8>), Failure> {
                let value = (self.function)(&context, input).map_err(Failure::Said)?;
                let payload =
                    postcard::to_allocvec(&value).map_err(|error| Failure::Unencodable(error.to_string()))?;
                Ok((value, payload))
            };
            panics::catch(|| &*self.name, body).unwrap_or_else(|panic| Err(Failure::Panicked(panic)))
        };
        let ran = match &self.options.retry {
            None => attempt().map_err(PolicyError::Work),
            Some(retry) => retry.apply(Attempt::first().with_token(token.get()), |_| {
                attempt().map_err(|failure| {
                    if failure.is_retryable() {
                        PolicyError::Work(failure)
                    } else {
                        PolicyError::Terminal(failure)
                    }
                })
            }),
        };
        let ran = match ran {
            Ok((value, payload)) => self.whole(value, payload),
            Err(error) => failed(error, attempts, token),
        };
        (attempts, ran)
    }

    fn whole(&self, value: T, payload: Vec<u8>) -> Ran<T> {
        let limit = self.scope.core.longest_payload();
        if payload.len() > limit {
            let message = format!("it has {} bytes, and the limit is {limit}", payload.len());
            // Code of the user, whose panic would leave the handle without an end.
            drop_quietly(value);
            return Ran::Loose(DurableErrorKind::Unrecordable { message });
        }
        Ran::Whole { kind: Kind::Value, payload, outcome: Ok(value) }
    }
}

fn failed<T>(error: PolicyError<Failure>, attempts: u32, token: &LazyToken<'_>) -> Ran<T> {
    let failure = match error.into_work() {
        Ok(failure) => failure,
        // Without an attempt that failed, a rule for retries ends by its token alone.
        Err(PolicyError::Cancelled(cause)) => return Ran::Loose(DurableErrorKind::Cancelled(cause)),
        Err(_) => unreachable!("no other policy is applied"),
    };
    match failure {
        Failure::Said(error) if error.is_terminal() => {
            let Said { code, message } = error.into_said();
            let said = Said { code, message: cut(message) };
            let payload = postcard::to_allocvec(&said).unwrap_or_default();
            let outcome = Err(DurableErrorKind::Failed { code: said.code, message: said.message });
            Ran::Whole { kind: Kind::Failed, payload, outcome }
        }
        Failure::Said(error) => Ran::Loose(not_this_time(token.cause(), &error, attempts)),
        Failure::Panicked(panic) => {
            let message = cut(panic.message().to_owned());
            let payload = message.clone().into_bytes();
            Ran::Whole { kind: Kind::Panicked, payload, outcome: Err(DurableErrorKind::Panicked { message }) }
        }
        Failure::Unencodable(message) => Ran::Loose(DurableErrorKind::Unrecordable { message }),
    }
}

fn not_this_time(cause: Option<Cancelled>, error: &HandlerError, attempts: u32) -> DurableErrorKind {
    match cause {
        Some(cause) => DurableErrorKind::Cancelled(cause),
        None => DurableErrorKind::Retryable { message: error.message().to_owned(), attempts },
    }
}
