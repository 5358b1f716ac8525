//! Reads that a token can end.
#![allow(dead_code)] // each example uses a part

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::Path;

use gristmill::{CancellationToken, Cancelled};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};

/// How long a pipe or terminal with nothing to read is waited for between two looks at the token: a person does not
/// notice 20 ms, and 50 looks a second cost nothing.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// An open file whose every read looks at the token first.
#[derive(Debug)]
pub(crate) struct Input<'token> {
    file: File,
    may_block: bool,
    token: &'token CancellationToken,
}

impl<'token> Input<'token> {
    /// Opens a file; `-` is not special here.
    pub(crate) fn open(path: &Path, token: &'token CancellationToken) -> io::Result<Self> {
        // Without NONBLOCK a named pipe that nobody writes to holds up open() itself. Regular files ignore the flag.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        Self::new(File::from(rustix::fs::open(path, flags, Mode::empty())?), token)
    }

    pub(crate) fn standard_input(token: &'token CancellationToken) -> io::Result<Self> {
        Self::new(File::from(io::stdin().as_fd().try_clone_to_owned()?), token)
    }

    fn new(file: File, token: &'token CancellationToken) -> io::Result<Self> {
        let kind = file.metadata()?.file_type();
        Ok(Self { may_block: !kind.is_file() && !kind.is_dir(), file, token })
    }

    fn wait_until_readable(&self) -> io::Result<()> {
        loop {
            match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&PATIENCE)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => self.token.check().map_err(io::Error::other)?,
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.token.check().map_err(io::Error::other)?;
        if self.may_block {
            self.wait_until_readable()?;
        }
        self.file.read(buffer)
    }
}

impl Seek for Input<'_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

/// The cancellation, if a read failed because the token ended it.
pub(crate) fn cancellation(error: &io::Error) -> Option<&Cancelled> {
    error.get_ref()?.downcast_ref()
}
