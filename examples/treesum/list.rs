//! Lists of checksums, read as `sha256sum --check` reads them.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::hash::Digest;
use crate::input::Input;
use crate::name;

/// What one line that is neither empty nor a comment says.
#[derive(Debug)]
pub(crate) enum Line {
    Listed(Listed),
    Malformed,
}

/// A file, and what its content should come to.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) path: PathBuf,
    pub(crate) digest: Digest,
}

/// The lines of a list, one at a time.
#[derive(Debug)]
pub(crate) struct List<'token> {
    input: BufReader<Input<'token>>,
    format: Format,
    from_standard_input: bool,
    buffer: Vec<u8>,
    /// The end has been reached, or an error that would only come again.
    finished: bool,
}

impl<'token> List<'token> {
    pub(crate) fn new(input: Input<'token>, from_standard_input: bool) -> Self {
        let input = BufReader::with_capacity(64 * 1024, input);
        Self { input, format: Format::default(), from_standard_input, buffer: Vec::new(), finished: false }
    }

    fn parse(&mut self) -> Option<Line> {
        let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line.starts_with(b"#") {
            return None;
        }
        Some(match self.format.parse(line) {
            // Standard input cannot be both the list and a file on it.
            Some(listed) if self.from_standard_input && listed.path == Path::new("-") => Line::Malformed,
            Some(listed) => Line::Listed(listed),
            None => Line::Malformed,
        })
    }
}

impl Iterator for List<'_> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.finished {
            self.buffer.clear();
            match self.input.read_until(b'\n', &mut self.buffer) {
                Ok(length) => {
                    self.finished = length == 0;
                    if let Some(line) = self.parse() {
                        return Some(Ok(line));
                    }
                }
                Err(error) => {
                    self.finished = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// Which of the line formats the list is in, as far as its lines so far have told.
#[derive(Debug, Default)]
struct Format {
    /// Whether a single blank stands before names, as `md5 -r` of the BSDs writes it; the first untagged line decides.
    single_blank: Option<bool>,
}

impl Format {
    fn parse(&mut self, line: &[u8]) -> Option<Listed> {
        let line = trim_blanks(line);
        let (line, escaped) = line.strip_prefix(b"\\").map_or((line, false), |rest| (rest, true));
        let (name, digits) = match line.strip_prefix(b"SHA256") {
            Some(tagged) => split_tagged(tagged)?,
            None => self.split_untagged(line)?,
        };
        let path = if escaped {
            name::unescape(name)?
        } else {
            // No file name holds a zero byte; `sha256sum` takes what stands before it.
            PathBuf::from(OsStr::from_bytes(name.split(|&byte| byte == 0).next()?))
        };
        Some(Listed { path, digest: parse_digest(digits)? })
    }

    /// `DIGITS  NAME`, `DIGITS *NAME` or, if the list is so, `DIGITS NAME`.
    fn split_untagged<'line>(&mut self, line: &'line [u8]) -> Option<(&'line [u8], &'line [u8])> {
        let (digits, rest) = line.split_at_checked(2 * size_of::<Digest>())?;
        parse_digest(digits)?;
        let rest = rest.strip_prefix(b" ").or_else(|| rest.strip_prefix(b"\t"))?;
        let marked = rest.len() > 1 && matches!(rest[0], b' ' | b'*');
        match self.single_blank {
            _ if rest.is_empty() => None,
            Some(false) if !marked => None,
            Some(true) => Some((rest, digits)),
            _ => {
                self.single_blank = Some(!marked);
                Some((if marked { &rest[1..] } else { rest }, digits))
            }
        }
    }
}

/// `(NAME) = DIGITS`, after the tag; a name may hold parentheses.
fn split_tagged(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.strip_prefix(b" ").unwrap_or(line).strip_prefix(b"(")?;
    let end = line.iter().rposition(|&byte| byte == b')')?;
    let digits = trim_blanks(&line[end + 1..]).strip_prefix(b"=")?;
    Some((&line[..end], trim_blanks(digits)))
}

fn trim_blanks(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    &line[start..]
}

fn parse_digest(digits: &[u8]) -> Option<Digest> {
    let mut digest = Digest::default();
    hex::decode_to_slice(digits, &mut digest).ok()?;
    Some(digest)
}
