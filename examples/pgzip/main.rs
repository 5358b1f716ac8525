//! `pgzip`: compresses and decompresses files in the format of `gzip`, on all cores.
//!
//! Shows a [`Pipeline`](gristmill::Pipeline) whose items are heavy: blocks of a file are compressed on every core and written in
//! order. No more of the file is in memory than the window has blocks.
//!
//! What is written is one gzip member, as `pigz` does it: each block is compressed with the last 32 KiB before it as its
//! dictionary and ends on a byte boundary, so the blocks can simply be put behind each other. A member for each block would do
//! without dictionaries and without combining checksums. But it would compress worse, by 3 % on source text in blocks of this
//! size; some readers stop after the first member; and `gzip -l` shows the size of the last one only. What it would bring,
//! decompression in parallel, no other program would make use of.
//!
//! Decompression cannot be split, since each byte may refer to those before it: one worker at a time inflates, while another writes
//! what is done.
//!
//! ```sh
//! cargo run --release --example pgzip -- FILE          # writes FILE.gz, removes FILE
//! cargo run --release --example pgzip -- -d FILE.gz
//! cargo run --release --example pgzip -- --help
//! ```

#[cfg(not(unix))]
fn main() -> std::process::ExitCode {
    eprintln!("pgzip: needs a Unix system");
    std::process::ExitCode::from(2)
}

#[cfg(unix)]
mod arguments;
#[cfg(unix)]
mod compress;
#[cfg(unix)]
mod decompress;
#[cfg(unix)]
mod ending;
#[cfg(unix)]
mod file;
#[cfg(unix)]
#[path = "../common/input.rs"]
mod input;
#[cfg(unix)]
mod level;
#[cfg(unix)]
#[path = "../common/reason.rs"]
mod reason;
#[cfg(unix)]
#[path = "../common/signals.rs"]
mod signals;
#[cfg(unix)]
mod target;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use clap::Parser;
    use gristmill::CancellationToken;

    let arguments = arguments::Arguments::parse();
    let token = CancellationToken::new();
    let scratch = target::Scratch::default();
    let left_behind = scratch.clone();
    let _watch = match signals::cancel_on_signal(&token, move || left_behind.remove()) {
        Ok(watch) => watch,
        Err(error) => {
            eprintln!("pgzip: cannot watch for signals: {error}");
            return ending::FAILED.into();
        }
    };
    let mut status = ending::SUCCESS;
    for name in &arguments.files {
        match file::process(name, &arguments, &scratch, &token) {
            Ok(()) => {}
            Err(failure) => {
                failure.say(name);
                status = status.and(failure.status());
                if failure.ends_all() {
                    break;
                }
            }
        }
    }
    status.into()
}
