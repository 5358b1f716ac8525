//! Calls of a handler through a pool, and what all calls begin with.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::block::block;
use super::cell::Cell;
use super::claimed::ClaimOfRecorded;
use super::durable_handle::ScopedDurableHandle;
use super::error::DurableErrorKind;
use super::handler::Handler;
use super::options::ChangedInput;
use super::refusal::{CallRefusal, RefusedCall};
use super::replay;
use super::shared::Shared;
use super::text::text;
use super::work::Work;
use crate::journal::core::{Claim, ClaimRefusal, Order, Recorded};
use crate::journal::record::{InputHash, input_hash};
use crate::pool::{JobPatience, Submitter, TaskOptions, drop_quietly};

/// What a call has to do.
pub(super) enum Begun<'env, I, T> {
    /// Nothing: it is recorded.
    Replay(ScopedDurableHandle<'env, T>),
    /// Its work, and the handle.
    Run(Work<I, T>, ScopedDurableHandle<'env, T>),
}

impl<I, T> Handler<I, T>
where
    I: Serialize + Send + 'static,
    T: Serialize + DeserializeOwned + Send + 'static,
{
    /// Has the pool run the handler with `input`, unless the task `key` is recorded: then its recorded result is read, and nothing is run. Waits
    /// while the pool's queue is full, as [`Submitter::submit`] does.
    ///
    /// The task's identity is the scope, the handler's name and version, and the key; if the input is not the one recorded, the task runs again, or
    /// the call is refused, as the handler [says](super::HandlerOptions::changed_input).
    ///
    /// # Errors
    /// The key was used before in this run, the pool took no task, or the journal has failed: [`CallRefusal`]. The input is in the error, nothing
    /// was run, and the key is free again.
    ///
    /// # Panics
    /// If `Display` of the key, the encoding of the input, or [`accept_if`](super::HandlerOptions::accept_if) does; nothing has happened then.
    ///
    /// # Cancellation
    /// As for [`Submitter::submit`]. A call that is cancelled leaves nothing in the journal.
    pub fn submit<'env, S: 'static>(
        &self,
        pool: &Submitter<'env, S>,
        key: impl Display,
        input: I,
    ) -> Result<ScopedDurableHandle<'env, T>, RefusedCall<I>> {
        self.hand_in(pool.task().name(Arc::clone(&self.shared.name)), key, input, JobPatience::AsChosen)
    }

    /// As [`submit`](Self::submit), if there is space in the pool's queue now.
    ///
    /// # Errors
    /// As for [`submit`](Self::submit), and if the queue is full.
    pub fn try_submit<'env, S: 'static>(
        &self,
        pool: &Submitter<'env, S>,
        key: impl Display,
        input: I,
    ) -> Result<ScopedDurableHandle<'env, T>, RefusedCall<I>> {
        self.hand_in(pool.task().name(Arc::clone(&self.shared.name)), key, input, JobPatience::None)
    }

    /// As [`submit`](Self::submit); waits at most `timeout` while the queue is full. `Duration::MAX` waits without limit.
    ///
    /// # Errors
    /// As for [`submit`](Self::submit), and if the queue was full all the time.
    pub fn submit_timeout<'env, S: 'static>(
        &self,
        pool: &Submitter<'env, S>,
        key: impl Display,
        input: I,
        timeout: Duration,
    ) -> Result<ScopedDurableHandle<'env, T>, RefusedCall<I>> {
        self.hand_in(pool.task().name(Arc::clone(&self.shared.name)), key, input, JobPatience::For(timeout))
    }

    /// As [`submit`](Self::submit), with a priority, a token, a key of the pool or a rate: `pool.task().priority(3)`. Without a name there, errors of
    /// the pool call the task `task`.
    ///
    /// # Errors
    /// As for [`submit`](Self::submit) and [`TaskOptions::submit`].
    pub fn submit_with<'env, S: 'static, J: 'static>(
        &self,
        options: TaskOptions<'_, 'env, S, J>,
        key: impl Display,
        input: I,
    ) -> Result<ScopedDurableHandle<'env, T>, RefusedCall<I>> {
        self.hand_in(options, key, input, JobPatience::AsChosen)
    }

    fn hand_in<'env, S: 'static, J: 'static>(
        &self,
        options: TaskOptions<'_, 'env, S, J>,
        key: impl Display,
        input: I,
        patience: JobPatience,
    ) -> Result<ScopedDurableHandle<'env, T>, RefusedCall<I>> {
        let (work, handle) = match self.begin(text(key), input)? {
            Begun::Replay(handle) => return Ok(handle),
            Begun::Run(work, handle) => (work, handle),
        };
        match options.submit_job(work, patience) {
            Ok(task) => Ok(handle.of_task(task)),
            Err((work, refusal)) => {
                let input = work.into_input().unwrap_or_else(|| unreachable!("it has not run"));
                let key = handle.into_key();
                Err(RefusedCall::new(&self.shared.name, key, input, CallRefusal::Pool(refusal)))
            }
        }
    }

    /// Claims the key, and says what is to be done.
    pub(super) fn begin<'env>(&self, key: Arc<str>, input: I) -> Result<Begun<'env, I, T>, RefusedCall<I>> {
        let shared = &self.shared;
        match claim(shared, &key, &input) {
            Ok(Claimed::Before(recorded)) => {
                // The key is taken: a panic of the user's code would lose the handle.
                drop_quietly(input);
                Ok(Begun::Replay(self.replay(&recorded, &key)))
            }
            Ok(Claimed::Looked(cell)) => {
                drop_quietly(input);
                Ok(Begun::Replay(self.handle(cell, &key).replayed()))
            }
            Ok(Claimed::New(order)) => {
                let cell = Cell::counted(&shared.scope.counts);
                let work = Work::new(Arc::clone(shared), order, input, Arc::clone(&cell));
                Ok(Begun::Run(work, self.handle(cell, &key)))
            }
            Err(refusal) => Err(RefusedCall::new(&shared.name, key, input, refusal)),
        }
    }

    fn replay<'env>(&self, recorded: &Recorded, key: &Arc<str>) -> ScopedDurableHandle<'env, T> {
        let cell = Cell::replayed(&self.shared.scope.counts, recorded.seq());
        self.shared.scope.core.read(recorded, cell.clone());
        self.handle(cell, key).replayed()
    }

    fn handle<'env>(&self, cell: Arc<Cell<T>>, key: &Arc<str>) -> ScopedDurableHandle<'env, T> {
        ScopedDurableHandle::new(&self.shared.scope.core, cell, &self.shared.name, key)
    }
}

enum Claimed<T> {
    New(Order),
    /// Recorded, and to be read.
    Before(Recorded),
    /// Recorded, read and accepted.
    Looked(Arc<Cell<T>>),
}

fn claim<I, T>(shared: &Shared<I, T>, key: &Arc<str>, input: &I) -> Result<Claimed<T>, CallRefusal>
where
    I: Serialize,
    T: DeserializeOwned + Send + 'static,
{
    // `postcard` keeps nothing of what the type's own `Serialize` said.
    let unencodable = |error| CallRefusal::Unencodable(format!("{}: {error}", std::any::type_name::<I>()));
    let hash = hash(input).map_err(unencodable)?;
    let job = shared.job.as_ref().map_err(|error| CallRefusal::Journal(error.clone()))?;
    let core = &shared.scope.core;
    match core.claim(shared.scope.run, job, key, hash).map_err(refusal)? {
        Claim::Fresh(order) => Ok(Claimed::New(order)),
        Claim::Changed(order, _) => match shared.options.changed_input {
            ChangedInput::Rerun => Ok(Claimed::New(order)),
            ChangedInput::Refuse => Err(CallRefusal::InputChanged),
        },
        Claim::Recorded(recorded) => match &shared.options.accept_if {
            None => Ok(Claimed::Before(recorded)),
            Some(accept) => look(shared, recorded, accept),
        },
    }
}

/// The hash of the encoded input. Most inputs are short: those are encoded on the stack.
fn hash(input: &impl Serialize) -> postcard::Result<InputHash> {
    match postcard::to_slice(input, &mut [0; 256]) {
        Ok(encoded) => Ok(input_hash(encoded)),
        // Too long, which has more than one error: what `collect_str` writes has another. The second time tells.
        Err(_) => Ok(input_hash(&postcard::to_allocvec(input)?)),
    }
}

/// Reads a record, and takes it if it is accepted.
fn look<I, T>(
    shared: &Shared<I, T>,
    recorded: Recorded,
    accept: &dyn Fn(&T) -> bool,
) -> Result<Claimed<T>, CallRefusal>
where
    T: DeserializeOwned + Send + 'static,
{
    let core = &shared.scope.core;
    // A refusal, and a panic of what accepts, leave the key to the next call.
    let claim = ClaimOfRecorded::new(&shared.scope, recorded.clone());
    let cell = Cell::<T>::new(Some(recorded.seq()));
    core.read(&recorded, cell.clone());
    let outcome = block(core, &cell, |row| replay::outcome(core, row));
    let is_accepted = match &outcome {
        Err(DurableErrorKind::Journal(error)) => return Err(CallRefusal::Journal(error.clone())),
        Err(_) => true,
        Ok(value) => accept(value),
    };
    if !is_accepted {
        // Code of the user, whose panic would be the call's, though nothing is wrong with that.
        drop_quietly(outcome);
        let order = core.again(recorded).map_err(refusal)?;
        claim.keep();
        return Ok(Claimed::New(order));
    }
    claim.keep();
    shared.scope.counts.count_replay();
    Ok(Claimed::Looked(Cell::ended(outcome, recorded.seq())))
}

pub(super) fn refusal(refused: ClaimRefusal) -> CallRefusal {
    match refused {
        ClaimRefusal::Duplicate => CallRefusal::Duplicate,
        ClaimRefusal::InUse => CallRefusal::InUse,
        ClaimRefusal::KeyTooLong => CallRefusal::KeyTooLong,
        ClaimRefusal::Failed(error) => CallRefusal::Journal(error),
    }
}
