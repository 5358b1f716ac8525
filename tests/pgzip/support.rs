//! The example, and data for it.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

use crate::example::{command, text};

/// As the example has it: what lies at its edges is tested.
pub(crate) const BLOCK: usize = 128 * 1024;

pub(crate) fn pgzip<I: IntoIterator<Item: AsRef<OsStr>>>(arguments: I) -> Command {
    command("pgzip", arguments)
}

/// So many bytes that compress about as text does: words of a small vocabulary, in an order that does not repeat.
pub(crate) fn prose(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut bytes = Vec::with_capacity(length + 16);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        // The smaller a number, the more often it comes.
        let word = (state % 4099) * (state >> 16) / 0x1_0000;
        bytes.extend_from_slice(format!("w{word:x} ").as_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// So many bytes that do not compress.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// One member, as another program writes it.
pub(crate) fn member(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("it goes to memory")
}

/// What another program reads from it.
pub(crate) fn decompressed(bytes: &[u8]) -> Vec<u8> {
    let mut decompressed = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut decompressed).expect("it is a gzip file");
    decompressed
}

/// Runs a command that reads `input`: stdout as bytes, stderr, and the status.
pub(crate) fn with_input(mut command: Command, input: &[u8]) -> (Vec<u8>, String, Option<i32>) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let output = std::thread::scope(|scope| {
        // A program that fails need not read to the end.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("it ends")
    });
    (output.stdout, text(&output.stderr), output.status.code())
}
