//! Ctrl-C and SIGTERM cancel the run; a second one ends the process at once.

use std::io;
use std::thread::{self, JoinHandle};

use gristmill::CancellationToken;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

/// The cause that the token carries when a signal cancelled it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("interrupted")]
pub(crate) struct Interrupted {
    signal: i32,
}

impl Interrupted {
    /// What a shell makes of a program that the signal killed.
    pub(crate) fn status(self) -> u8 {
        u8::try_from(128 + self.signal).unwrap_or(u8::MAX)
    }
}

/// Dropping it ends the watch and joins its thread.
#[derive(Debug)]
pub(crate) struct Watch {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

/// The second signal calls `clean_up`, which has to be quick: nothing is dropped after it.
pub(crate) fn cancel_on_signal(
    token: &CancellationToken,
    clean_up: impl Fn() + Send + 'static,
) -> io::Result<Watch> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let handle = signals.handle();
    let token = token.clone();
    let watch = move || {
        for signal in signals.forever() {
            // A run that is already stopping and is asked again may be stuck in a read that nothing can end.
            let interrupted = Interrupted { signal };
            if !token.cancel_with(interrupted) {
                clean_up();
                std::process::exit(interrupted.status().into());
            }
        }
    };
    let thread = thread::Builder::new().name("signals".to_owned()).spawn(watch)?;
    Ok(Watch { handle, thread: Some(thread) })
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // It only passes signals on; had it panicked, the run would be over all the same.
            let _ = thread.join();
        }
    }
}
