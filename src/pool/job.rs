//! Work that is a value, for the floors above: refused it comes back as it was, and it hears when it is handed back unstarted.

use std::sync::Arc;
use std::time::Duration;

use super::control::Control;
use super::error::Refusal;
use super::gate::{Gate, deadline};
use super::handle::ScopedTaskHandle;
use super::options::TaskOptions;
use super::seat::Seat;
use super::submitter::Patience;
use super::task::{Work, name_of};
use crate::cancel::CancellationToken;

/// How a job ended, as the pool counts it.
pub(crate) type JobEnd = Result<(), JobFailed>;

/// The job counts as failed; who submitted it knows why.
#[derive(Debug)]
pub(crate) struct JobFailed;

pub(crate) trait Job: Send {
    fn run(self, context: &JobContext<'_>) -> JobEnd;

    /// It has not started, and the pool will not start it: somebody may still run it, or drop it. Called under the task's lock: it may tell who
    /// waits, and nothing else.
    fn handed_back(&mut self, name: Arc<str>);
}

/// What a running job can ask for.
pub(crate) struct JobContext<'task> {
    gate: Option<&'task Gate>,
    control: Option<&'task Control>,
}

impl JobContext<'_> {
    /// As [`TaskContext::token`](super::TaskContext::token).
    pub(crate) fn token(&self) -> CancellationToken {
        match (self.gate, self.control) {
            (Some(gate), Some(control)) => control.token(gate),
            (_, control) => {
                control.and_then(Control::given).map_or_else(CancellationToken::new, CancellationToken::child)
            }
        }
    }
}

/// How long a submission may wait for space.
#[derive(Clone, Copy)]
pub(crate) enum JobPatience {
    /// What the pool's [`Saturation`](super::Saturation) says.
    AsChosen,
    None,
    For(Duration),
}

struct JobWork<J>(J);

impl<J: Job> Work for JobWork<J> {
    type Output = JobEnd;

    fn is_failure(result: &JobEnd) -> bool {
        result.is_err()
    }

    fn handed_back(&mut self, control: Option<&Control>) {
        self.0.handed_back(name_of(control));
    }

    fn work(self, gate: Option<&Gate>, _seat: Option<&Seat>, control: Option<&Control>) -> JobEnd {
        self.0.run(&JobContext { gate, control })
    }
}

impl<'env, S: 'static, R: 'static> TaskOptions<'_, 'env, S, R> {
    /// Submits a job with these options.
    pub(crate) fn submit_job<J: Job + 'env>(
        self,
        job: J,
        patience: JobPatience,
    ) -> Result<ScopedTaskHandle<'env, JobEnd>, (J, Refusal)> {
        let patience = match patience {
            JobPatience::AsChosen => Patience::AsChosen,
            JobPatience::None => Patience::None,
            JobPatience::For(timeout) => Patience::Until(deadline(timeout)),
        };
        self.enter(JobWork(job), patience).map_err(|error| {
            let (JobWork(job), refusal) = error.into_parts();
            (job, refusal)
        })
    }
}
