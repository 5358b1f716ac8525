//! `wordcount`: the most frequent words of all files below a directory, or of a field of log lines.
//!
//! Shows a parallel map-reduce, [`map_reduce_iter_with`](gristmill::Submitter::map_reduce_iter_with): pieces of files come from
//! a directory walk, each worker counts pieces by itself, and the counts of neighbours are merged as they come, so that there are
//! never many more of them than workers. And the same job for a stream, as a [`Pipeline`](gristmill::Pipeline): logs come through
//! standard input as well, of any length, in bounded memory.
//!
//! ```sh
//! cargo run --release --example wordcount -- --top 20 DIRECTORY
//! cargo run --release --example wordcount -- --log status access.log
//! cargo run --release --example wordcount -- --help
//! ```

#[cfg(not(unix))]
fn main() -> std::process::ExitCode {
    eprintln!("wordcount: needs a Unix system");
    std::process::ExitCode::from(2)
}

#[cfg(unix)]
mod arguments;
#[cfg(unix)]
mod counts;
#[cfg(unix)]
mod ending;
#[cfg(unix)]
mod field;
#[cfg(unix)]
#[path = "../common/input.rs"]
mod input;
#[cfg(unix)]
mod log;
#[cfg(unix)]
mod pieces;
#[cfg(unix)]
#[path = "../common/reason.rs"]
mod reason;
#[cfg(unix)]
#[path = "../common/signals.rs"]
mod signals;
#[cfg(unix)]
#[path = "../common/walk.rs"]
mod walk;
#[cfg(unix)]
mod words;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use clap::Parser;
    use gristmill::CancellationToken;

    let arguments = arguments::Arguments::parse();
    let token = CancellationToken::new();
    let _watch = match signals::cancel_on_signal(&token, || {}) {
        Ok(watch) => watch,
        Err(error) => {
            eprintln!("wordcount: cannot watch for signals: {error}");
            return ending::FAILED.into();
        }
    };
    let counted = match arguments.log {
        Some(field) => log::count(field, &arguments, &token),
        None => words::count(&arguments, &token),
    };
    ending::conclude(counted, &arguments).into()
}
