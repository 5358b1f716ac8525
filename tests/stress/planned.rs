//! Panics that belong to a scenario: they say nothing, and everything else that panics says it at once.

use std::io::{Write, stderr};
use std::panic;

/// The payload of a panic that was planned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Planned(pub(crate) u64);

pub(crate) fn planned_panic(number: u64) -> ! {
    panic::panic_any(Planned(number))
}

/// From now on.
pub(crate) fn hush() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<Planned>() {
            // Not only to where the harness keeps it: it is lost if the others then wait for ever, and the watchdog ends the process.
            let _ = writeln!(stderr(), "{info}");
            before(info);
        }
    }));
}
