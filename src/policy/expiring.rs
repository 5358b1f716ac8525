//! Tokens with a deadline on any clock.

use std::panic::Location;
use std::sync::{Arc, Weak};

use crate::cancel::CancellationToken;
use crate::clock::Clock;
use crate::sync::time::Instant;

/// What is called when a clock was moved by hand.
pub(super) type Moved = dyn Fn() + Send + Sync;

/// A token, a child of `outer` if there is one, that is cancelled when `clock` reads `until`, as by a deadline that was set at `location`; and what has to be kept to keep that so on a
/// clock that is moved by hand.
pub(super) fn deadline_token(
    outer: Option<&CancellationToken>,
    clock: &Arc<dyn Clock>,
    until: Instant,
    location: &'static Location<'static>,
) -> (CancellationToken, Option<Arc<Moved>>) {
    let timeout = clock.timeout_until(until);
    let token = CancellationToken::limited(outer, timeout, location);
    let moved = timeout.is_none().then(|| {
        let (token, watched) = (token.clone(), Arc::clone(clock));
        let look = move || {
            if watched.now() >= until {
                token.exceed(location);
            }
        };
        let moved: Arc<Moved> = Arc::new(look);
        let heard: Weak<Moved> = Arc::downgrade(&moved);
        clock.on_advance(Some(until), heard);
        moved(); // a move before it was heard
        moved
    });
    (token, moved)
}
