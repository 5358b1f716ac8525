//! One name of the command line from beginning to end.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::thread;

use gristmill::CancellationToken;

use crate::arguments::Arguments;
use crate::compress::compress;
use crate::decompress::{Decompressed, decompress};
use crate::ending::Failure;
use crate::input::Input;
use crate::reason::reason;
use crate::target::{NewFile, Scratch};

pub(crate) fn process(
    name: &OsStr,
    arguments: &Arguments,
    scratch: &Scratch,
    token: &CancellationToken,
) -> Result<(), Failure> {
    let job = Job { arguments, token };
    if name == "-" || arguments.stdout || arguments.test {
        return job.to_stream(name);
    }
    let path = Path::new(name);
    let metadata = regular_file(path)?;
    let new_path = if arguments.decompress { without_suffix(name)? } else { with_suffix(name)? };
    if !arguments.force && fs::symlink_metadata(&new_path).is_ok() {
        return Err(Failure::PassedOver(format!("{} already exists; not overwritten", new_path.display())));
    }
    let input = Input::open(path, token).map_err(|error| Failure::of(&error))?;
    let of_file = |error: &io::Error| Failure::Failed(format!("{}: {}", new_path.display(), reason(error)));
    let mut new = NewFile::new(new_path.clone(), scratch).map_err(|error| of_file(&error))?;
    let warning = match job.run(input, &mut new, false) {
        Ok(()) => None,
        // What was compressed has been read, and is worth keeping.
        Err(warning @ Failure::PassedOver(_)) => Some(warning),
        Err(failure) => return Err(failure),
    };
    new.finish(&metadata, arguments.force).map_err(|error| of_file(&error))?;
    if !arguments.keep {
        let gone = fs::remove_file(path);
        gone.map_err(|error| Failure::Failed(format!("cannot be removed: {}", reason(&error))))?;
    }
    warning.map_or(Ok(()), Err)
}

struct Job<'run> {
    arguments: &'run Arguments,
    token: &'run CancellationToken,
}

impl Job<'_> {
    fn to_stream(&self, name: &OsStr) -> Result<(), Failure> {
        let Self { arguments, token } = self;
        let is_compressing = !arguments.decompress && !arguments.test;
        if is_compressing && !arguments.force && io::stdout().is_terminal() {
            let text = "compressed data is not written to a terminal: use -f to do so all the same";
            return Err(Failure::Failed(text.to_owned()));
        }
        let input =
            if name == "-" { Input::standard_input(token) } else { Input::open(name.as_ref(), token) };
        let input = input.map_err(|error| Failure::of(&error))?;
        if arguments.test {
            return self.run(input, &mut io::sink(), false);
        }
        // Not `Stdout`, which looks for the last newline in everything that is written.
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        let mut stdout = fs::File::from(stdout.map_err(|error| Failure::of_write(&error, true))?);
        self.run(input, &mut stdout, true)
    }

    fn run(&self, input: Input<'_>, output: &mut (dyn Write + Send), to_stdout: bool) -> Result<(), Failure> {
        let Self { arguments, token } = self;
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let workers = arguments.processes.map_or_else(cores, usize::from);
        let (run, has_garbage) = if arguments.decompress || arguments.test {
            let Decompressed { run, has_garbage } = decompress(input, workers, output, token);
            (run, has_garbage)
        } else {
            (compress(input, arguments.level, workers, output, token), false)
        };
        if arguments.report {
            eprintln!("{}", run.as_ref().unwrap_or_else(|error| error.report()));
        }
        run.map_err(|error| Failure::of_run(error, to_stdout))?;
        if has_garbage {
            let text = "garbage behind the compressed data was passed over";
            return Err(Failure::PassedOver(text.to_owned()));
        }
        Ok(())
    }
}

fn regular_file(path: &Path) -> Result<Metadata, Failure> {
    let metadata = fs::symlink_metadata(path).map_err(|error| Failure::of(&error))?;
    let what = match metadata.file_type() {
        kind if kind.is_file() => return Ok(metadata),
        kind if kind.is_dir() => "is a directory",
        kind if kind.is_symlink() => "is a symbolic link",
        _ => "is not a regular file",
    };
    Err(Failure::PassedOver(format!("{what}; left as it is")))
}

fn with_suffix(name: &OsStr) -> Result<PathBuf, Failure> {
    if name.as_bytes().ends_with(b".gz") || name.as_bytes().ends_with(b".tgz") {
        return Err(Failure::PassedOver(
            "already has a suffix of compressed files; left as it is".to_owned(),
        ));
    }
    let mut name = name.to_owned();
    name.push(".gz");
    Ok(name.into())
}

fn without_suffix(name: &OsStr) -> Result<PathBuf, Failure> {
    let name = name.as_bytes();
    let bare = match (name.strip_suffix(b".gz"), name.strip_suffix(b".tgz")) {
        (Some(bare), _) => bare.to_owned(),
        (_, Some(bare)) => [bare, b".tar"].concat(),
        _ => Vec::new(),
    };
    // `folder/.gz` is a hidden file, not a compressed one without a name.
    if bare.is_empty() || bare.ends_with(b"/") || bare == b".tar" || bare.ends_with(b"/.tar") {
        return Err(Failure::PassedOver("has no suffix of compressed files; left as it is".to_owned()));
    }
    Ok(OsString::from_vec(bare).into())
}
