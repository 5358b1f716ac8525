//! `thumbnails`: a small image for every PNG and JPEG file below a directory, on all cores.
//!
//! Shows a [`Pipeline`](gristmill::Pipeline) of several stages, and what its [`Report`](gristmill::Report) says about them: which
//! one took the time, and what another core would bring. A broken image is a result like any other: it goes through the stages
//! as what was wrong with it, is named at the end, and holds up nothing.
//!
//! ```sh
//! cargo run --release --example thumbnails -- PICTURES SMALL
//! cargo run --release --example thumbnails -- --help
//! ```

#[cfg(not(unix))]
fn main() -> std::process::ExitCode {
    eprintln!("thumbnails: needs a Unix system");
    std::process::ExitCode::from(2)
}

#[cfg(unix)]
mod arguments;
#[cfg(unix)]
mod folders;
#[cfg(unix)]
#[path = "../common/input.rs"]
mod input;
#[cfg(unix)]
mod picture;
#[cfg(unix)]
#[path = "../common/reason.rs"]
mod reason;
#[cfg(unix)]
mod run;
#[cfg(unix)]
#[path = "../common/signals.rs"]
mod signals;
#[cfg(unix)]
#[path = "../common/walk.rs"]
mod walk;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use clap::Parser;
    use gristmill::CancellationToken;

    let arguments = arguments::Arguments::parse();
    let token = CancellationToken::new();
    // A second Ctrl-C may leave a file whose name begins with `.thumbnail-`; a thumbnail is always whole.
    let _watch = match signals::cancel_on_signal(&token, || {}) {
        Ok(watch) => watch,
        Err(error) => {
            eprintln!("thumbnails: cannot watch for signals: {error}");
            return run::FAILED.into();
        }
    };
    run::run(&arguments, &token).into()
}
