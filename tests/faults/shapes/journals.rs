//! Durable tasks: on a pool, in a stage, in a row.

use std::sync::Arc;

use gristmill::journal::{
    CallError, CallRefusal, DurableError, DurableErrorKind, Handler, HandlerError, Journal, RefusedCall,
    ScopedDurableHandle,
};
use gristmill::{Pipeline, PipelineErrorKind, Shutdown, TaskError};
use tempfile::TempDir;

use super::super::script::{COUNT, End, Fault, ITEMS, Script};
use super::pools::{Ends, builder, counts_close};
use super::{Shape, shape};

type Square = Handler<u64, u64>;

/// A journal in a place of its own, with a handler that is a step of work.
struct Batch {
    journal: Journal,
    square: Square,
    // Dropped after the journal in it.
    _folder: TempDir,
}

impl Batch {
    fn new(s: &Script) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(folder.path().join("batch.journal")).expect("it opens");
        let (script, held) = (s.clone(), Arc::new(s.items()));
        let square = journal.scope("batch").handler("square", 1, move |_, number: &u64| {
            let Fault(step) = match script.step() {
                Ok(()) => return Ok(number * held.len() as u64),
                Err(fault) => fault,
            };
            Err(HandlerError::terminal_with_code(u16::try_from(step).expect("few steps"), "no"))
        });
        Self { journal, square, _folder: folder }
    }

    /// What the tasks ended with, once their records are as many as those that came to an end of their own.
    fn close(self, ends: Ends, ended: u64) -> End {
        self.journal.flush().expect("no fault of the disk");
        let statistics = self.journal.statistics().expect("it can be read");
        assert_eq!(statistics.total().entries(), ended, "{statistics:?}");
        assert!(self.journal.verify().expect("it can be read").is_sound());
        drop(self.square);
        self.journal.close().expect("nothing is lost");
        ends.0
    }
}

/// Adds what a task ended with; 1 if that is recorded.
fn add(ends: &mut Ends, end: Result<u64, DurableError>) -> u64 {
    let Err(error) = end else { return 1 };
    let is_recorded = error.is_recorded();
    match error.into_kind() {
        DurableErrorKind::Failed { code, .. } => ends.add(End::Failed(Fault(usize::from(code)))),
        DurableErrorKind::Cancelled(cause) | DurableErrorKind::NotRun(TaskError::Cancelled { cause, .. }) => {
            ends.add(End::Cancelled(cause));
        }
        other => panic!("{other:?}"),
    }
    u64::from(is_recorded)
}

fn refused(ends: &mut Ends, refused: RefusedCall<u64>) {
    match refused.into_parts().1 {
        CallRefusal::Pool(refusal) => ends.refusal(&refusal),
        other => panic!("{other:?}"),
    }
}

type Handle<'env> = Result<ScopedDurableHandle<'env, u64>, RefusedCall<u64>>;

/// Waits for all of them; how many are recorded.
fn wait<'env>(ends: &mut Ends, handles: impl IntoIterator<Item = Handle<'env>>) -> u64 {
    let taken: Vec<_> =
        handles.into_iter().filter_map(|handle| handle.map_err(|error| refused(ends, error)).ok()).collect();
    taken.into_iter().map(|handle| add(ends, handle.wait())).sum()
}

pub(super) fn rows() -> Vec<Shape> {
    vec![
        shape("durable: on a pool, token of the pool", |s| {
            let (batch, mut ends) = (Batch::new(s), Ends::new());
            let pool = builder(s).token(s.token()).build().expect("settings");
            let ended = wait(&mut ends, (0..ITEMS).map(|number| batch.square.submit(&pool, number, number)));
            counts_close(&pool.shutdown(Shutdown::Drain));
            batch.close(ends, ended)
        })
        .tail(2)
        .each_alone(),
        shape("durable: on a pool, token of the tasks", |s| {
            let (batch, mut ends) = (Batch::new(s), Ends::new());
            let pool = builder(s).build().expect("settings");
            let submit = |number| batch.square.submit_with(pool.task().token(s.token()), number, number);
            let ended = wait(&mut ends, (0..ITEMS).map(submit));
            counts_close(&pool.shutdown(Shutdown::Drain));
            batch.close(ends, ended)
        })
        .tail(2)
        .each_alone(),
        shape("durable: in a stage", |s| {
            let (batch, mut ends) = (Batch::new(s), Ends::new());
            let square = batch.square.clone();
            let run = Pipeline::from_iter(0..ITEMS)
                .workers(s.workers())
                .try_map("run", move |number| square.run(number, number))
                .collect::<Vec<_>>()
                .run(s.token());
            let mut ended = 0;
            match run {
                Ok((handles, report)) => {
                    assert_eq!(report.finished(), ITEMS, "{report}");
                    ended = wait(&mut ends, handles.into_iter().map(Ok));
                }
                Err(error) => {
                    batch.journal.flush().expect("no fault of the disk");
                    let statistics = batch.journal.statistics().expect("it can be read");
                    ended += statistics.total().entries();
                    assert!(ended <= ITEMS);
                    let PipelineErrorKind::Cancelled(cause) = error.into_kind() else {
                        panic!("no call is refused")
                    };
                    ends.add(End::Cancelled(cause));
                }
            }
            batch.close(ends, ended)
        })
        .each_alone(),
        shape("durable: one after the other", |s| {
            let (batch, mut ends) = (Batch::new(s), Ends::new());
            let mut ended = 0;
            for number in 0..ITEMS {
                if let Some(cause) = s.token().cause() {
                    ends.add(End::Cancelled(cause));
                    break;
                }
                match batch.square.call_with(s.token(), number, number) {
                    Ok(square) => {
                        assert_eq!(square, number * COUNT as u64);
                        ended += 1;
                    }
                    Err(CallError::Ended(error)) => ended += add(&mut ends, Err(error)),
                    Err(other) => panic!("{other}"),
                }
            }
            batch.close(ends, ended)
        })
        .each_alone(),
    ]
}
