//! What the sink writes: whole lines on standard output, messages on standard error.

use std::io::{self, Stdout, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::name;
use crate::progress::Progress;

/// Both streams, and the counts of what was done.
#[derive(Debug)]
pub(crate) struct Output {
    /// Buffers by the line, as `sha256sum` does: a line is out at once and in one piece, and nothing is left to flush.
    stdout: Stdout,
    progress: Progress,
    line: Vec<u8>,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

impl Output {
    pub(crate) fn new(progress: Progress) -> Self {
        Self { stdout: io::stdout(), progress, line: Vec::new(), files: 0, bytes: 0 }
    }

    /// Counts a file that was read to its end.
    pub(crate) fn count(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
        self.progress.add_file();
    }

    /// Writes the line that `fill` puts together.
    pub(crate) fn print(&mut self, fill: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.line.clear();
        fill(&mut self.line);
        self.line.push(b'\n');
        let Self { stdout, line, .. } = self;
        self.progress.suspend(|| stdout.write_all(line))
    }

    /// Names what could not be read, and why.
    pub(crate) fn complain(&self, path: &Path, reason: &str) {
        let mut message = name::quote(path.as_os_str().as_bytes());
        message.extend_from_slice(b": ");
        message.extend_from_slice(reason.as_bytes());
        self.say(&message);
    }

    /// Ends the progress line.
    pub(crate) fn finish(&self) {
        self.progress.finish();
    }

    /// What was done, for a person.
    pub(crate) fn done(&self) -> String {
        let seconds = self.progress.elapsed().as_secs_f64();
        format!("{} files, {} bytes done in {seconds:.2} s", self.files, self.bytes)
    }

    pub(crate) fn say(&self, message: &[u8]) {
        self.write_error(&[b"treesum: ", message, b"\n"].concat());
    }

    pub(crate) fn print_report(&self, report: &str) {
        self.write_error(format!("{}\n", report.trim_end()).as_bytes());
    }

    fn write_error(&self, text: &[u8]) {
        // There is nowhere left to say that standard error cannot be written.
        self.progress.suspend(|| drop(io::stderr().write_all(text)));
    }
}
