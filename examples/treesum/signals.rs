//! Ctrl-C and SIGTERM cancel the run; a second one ends the process at once.

use std::io;
use std::thread::{self, JoinHandle};

use gristmill::CancellationToken;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::ending::Status;

/// The cause that the token carries when a signal cancelled it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("interrupted")]
pub(crate) struct Interrupted {
    pub(crate) signal: i32,
}

/// Dropping it ends the watch and joins its thread.
#[derive(Debug)]
pub(crate) struct Watch {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

pub(crate) fn cancel_on_signal(token: &CancellationToken) -> io::Result<Watch> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let handle = signals.handle();
    let token = token.clone();
    let watch = move || {
        for signal in signals.forever() {
            // A run that is already stopping and is asked again may be stuck in a read that nothing can end.
            if !token.cancel_with(Interrupted { signal }) {
                std::process::exit(Status::of_signal(signal).code());
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
