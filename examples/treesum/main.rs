//! `treesum`: the SHA-256 of every regular file below the given paths, on all cores.
//!
//! Shows a whole batch job on a [`Pipeline`](gristmill::Pipeline): a directory walk as the source, hashing on
//! every core with one buffer per worker, lines in walk order at the sink, bounded memory, and a token that
//! Ctrl-C and `--timeout` cancel. Its output is that of `sha256sum`, byte for byte.
//!
//! ```sh
//! cargo run --release --example treesum -- PATH... > SHA256SUMS
//! cargo run --release --example treesum -- --check SHA256SUMS
//! cargo run --release --example treesum -- --help
//! cargo run --release --features journal --example treesum -- --journal FILE PATH...   # goes on where it was killed
//! ```

#[cfg(not(unix))]
fn main() -> std::process::ExitCode {
    eprintln!("treesum: needs a Unix system: it prints file names as the bytes they are");
    std::process::ExitCode::from(2)
}

#[cfg(unix)]
mod arguments;
#[cfg(unix)]
mod check;
#[cfg(unix)]
mod ending;
#[cfg(unix)]
mod hash;
#[cfg(unix)]
#[path = "../common/input.rs"]
mod input;
#[cfg(all(unix, feature = "journal"))]
mod journalled;
#[cfg(unix)]
mod list;
#[cfg(unix)]
mod name;
#[cfg(unix)]
mod output;
#[cfg(unix)]
mod progress;
#[cfg(unix)]
#[path = "../common/reason.rs"]
mod reason;
#[cfg(unix)]
#[path = "../common/signals.rs"]
mod signals;
#[cfg(unix)]
mod sum;
#[cfg(unix)]
#[path = "../common/walk.rs"]
mod walk;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use clap::Parser;
    use gristmill::CancellationToken;

    let arguments = arguments::Arguments::parse();
    let token = match arguments.timeout {
        Some(limit) => CancellationToken::with_timeout(limit),
        None => CancellationToken::new(),
    };
    let _watch = match signals::cancel_on_signal(&token, || {}) {
        Ok(watch) => watch,
        Err(error) => {
            eprintln!("treesum: cannot watch for signals: {error}");
            return ending::FAILED.into();
        }
    };
    match &arguments.check {
        Some(list) => check::check(list, &arguments, &token),
        None => sum::sum(&arguments, &token),
    }
    .into()
}
