//! The wait for a cell without a handle around it.

use std::sync::Arc;

use super::cell::{Cell, Ended, Outcome};
use super::error::DurableErrorKind;
use crate::combine;
use crate::journal::core::Core;
use crate::journal::record::Row;
use crate::waitable::{Signal, Waitable};

/// A cell as something to wait for.
struct Wait<'a, T>(&'a Arc<Cell<T>>);

impl<T> Waitable for Wait<'_, T> {
    type Output = Ended<T>;

    fn is_finished(&self) -> bool {
        self.0.is_over()
    }

    fn watch(&self, signal: Signal) {
        self.0.watch(signal);
    }

    fn unwatch(&self) {
        self.0.unwatch();
    }

    fn take(&mut self) -> Option<Ended<T>> {
        self.0.take()
    }
}

/// Waits until the cell has ended.
pub(super) fn block<T>(
    core: &Core,
    cell: &Arc<Cell<T>>,
    decode: impl FnOnce(Row) -> Outcome<T>,
) -> Outcome<T> {
    core.may_wait();
    match combine::wait_all([Wait(cell)]).pop() {
        Some(Ended::Here(outcome)) => outcome,
        Some(Ended::Before(row)) => decode(*row),
        Some(Ended::NotRun) | None => Err(DurableErrorKind::Unrecordable {
            message: "it was dropped before it was recorded".to_owned(),
        }),
    }
}
