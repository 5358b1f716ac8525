//! What happens at which step of a run: the user's code of a shape counts its steps here, and one of them cancels, or fails.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use gristmill::{CancellationToken, Cancelled, PolicyError};

use super::support::{Counted, Ledger};

/// No step has this number.
const NEVER: usize = usize::MAX;

/// How the token of the run comes to be cancelled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    /// By the user's code of the step itself.
    Here,
    /// By another thread, while the step waits for that.
    Elsewhere,
    /// With its parent.
    Parent,
    /// By a callback that is called when another token is cancelled.
    Callback,
    /// Not at all: a child of it is cancelled, which must not matter.
    OnlyAChild,
    /// Before the run begins.
    Before,
    /// By a deadline that is over when the run begins.
    Deadline,
}

/// What a run is asked to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) workers: usize,
    pub(crate) way: Way,
    /// The step that cancels.
    pub(crate) cancel: Option<usize>,
    /// The step that fails, if it is one that can; after it has cancelled, if it does both.
    pub(crate) fail: Option<usize>,
}

/// The error of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fault(pub(crate) usize);

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "fault at step {}", self.0)
    }
}

impl std::error::Error for Fault {}

/// How a run ended, as its shape says.
#[derive(Debug)]
pub(crate) enum End {
    Finished,
    Cancelled(Cancelled),
    Failed(Fault),
}

/// What can be the error of a run.
pub(crate) trait Reason {
    fn end(self) -> End;
}

impl Reason for Fault {
    fn end(self) -> End {
        End::Failed(self)
    }
}

impl Reason for Infallible {
    fn end(self) -> End {
        match self {}
    }
}

impl Reason for PolicyError<Fault> {
    fn end(self) -> End {
        match self.cancelled().cloned() {
            Some(cancelled) => End::Cancelled(cancelled),
            None => End::Failed(self.into_work().expect("an error of the work")),
        }
    }
}

struct Inner {
    plan: Plan,
    token: CancellationToken,
    /// What is cancelled, for the token to be.
    lever: CancellationToken,
    steps: AtomicUsize,
    /// Steps of work that began after the one that cancelled.
    late: AtomicUsize,
    work: AtomicUsize,
    cancelled: AtomicUsize,
    failed: AtomicUsize,
    ledger: Ledger,
}

/// One run's plan, and what became of it. Clones are the same.
#[derive(Clone)]
pub(crate) struct Script(Arc<Inner>);

impl Script {
    pub(crate) fn new(plan: Plan) -> Self {
        let lever = CancellationToken::new();
        let token = match plan.way {
            Way::Parent => lever.child().child(),
            Way::Deadline => lever.child_with_timeout(std::time::Duration::ZERO),
            Way::Callback => {
                let token = CancellationToken::new();
                let pulled = token.clone();
                let pull = move |cause: &Cancelled| {
                    _ = pulled.cancel_with(cause.cause().expect("given").to_string());
                };
                lever.on_cancel(pull).detach();
                token
            }
            _ => lever.clone(),
        };
        let lever = if plan.way == Way::OnlyAChild { token.child() } else { lever };
        let none = || AtomicUsize::new(NEVER);
        let zero = AtomicUsize::default;
        let script = Self(Arc::new(Inner {
            plan,
            token,
            lever,
            steps: zero(),
            late: zero(),
            work: zero(),
            cancelled: none(),
            failed: none(),
            ledger: Ledger::default(),
        }));
        if plan.way == Way::Before {
            script.0.lever.cancel_with("before");
        }
        script
    }

    pub(crate) fn token(&self) -> &CancellationToken {
        &self.0.token
    }

    pub(crate) fn workers(&self) -> usize {
        self.0.plan.workers
    }

    pub(crate) fn item(&self, number: u64) -> Counted {
        self.0.ledger.item(number)
    }

    pub(crate) fn items(&self) -> Vec<Counted> {
        (0..ITEMS).map(|number| self.item(number)).collect()
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// A step of a callback that is no work: it may come after a cancel.
    pub(crate) fn hook(&self) -> usize {
        let step = self.0.steps.fetch_add(1, SeqCst);
        if self.0.plan.cancel == Some(step) {
            self.0.cancelled.store(step, SeqCst);
            let cause = format!("step {step}");
            match self.0.plan.way {
                Way::Elsewhere => {
                    let lever = &self.0.lever;
                    thread::scope(|scope| _ = scope.spawn(move || lever.cancel_with(cause)));
                }
                _ => _ = self.0.lever.cancel_with(cause),
            }
        }
        step
    }

    /// A step of work that cannot fail.
    pub(crate) fn pass(&self) {
        self.work();
    }

    /// A step of work that can.
    pub(crate) fn step(&self) -> Result<(), Fault> {
        let step = self.work();
        if self.0.plan.fail == Some(step) {
            self.0.failed.store(step, SeqCst);
            return Err(Fault(step));
        }
        Ok(())
    }

    fn work(&self) -> usize {
        self.0.work.fetch_add(1, SeqCst);
        if self.0.token.is_cancelled() {
            self.0.late.fetch_add(1, SeqCst);
        }
        self.hook()
    }

    pub(crate) fn steps(&self) -> usize {
        self.0.steps.load(SeqCst)
    }

    pub(crate) fn late(&self) -> usize {
        self.0.late.load(SeqCst)
    }

    pub(crate) fn work_done(&self) -> usize {
        self.0.work.load(SeqCst)
    }

    /// Whether the step that was to cancel came.
    pub(crate) fn has_cancelled(&self) -> bool {
        self.0.cancelled.load(SeqCst) != NEVER
    }

    /// The step that failed.
    pub(crate) fn failed(&self) -> Option<usize> {
        Some(self.0.failed.load(SeqCst)).filter(|step| *step != NEVER)
    }
}

/// How many items a run has.
pub(crate) const ITEMS: u64 = 5;
pub(crate) const COUNT: usize = 5;
