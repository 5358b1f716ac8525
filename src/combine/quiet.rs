//! Dropping what belongs to the user.

use std::mem;

use crate::panics;

/// Drops a value; a panic goes to the panic hook and no further.
pub(super) fn drop_quietly<T>(value: T) {
    if let Err(panic) = panics::catch(|| "drop", || drop(value)) {
        // The payload may panic in its own drop; whatever comes out of that is not given another chance.
        if let Err(again) = panics::catch(|| "drop", || drop(panic)) {
            mem::forget(again);
        }
    }
}
