//! The example, and the plain loops that it has to agree with.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::process::Command;

use crate::example::command;

/// As the example has it: what lies at its edges is tested.
pub(crate) const PIECE: usize = 1024 * 1024;

pub(crate) fn wordcount<I: IntoIterator<Item: AsRef<OsStr>>>(arguments: I) -> Command {
    command("wordcount", arguments)
}

/// Lines as the program prints them: the most frequent first, then in the order of the bytes.
pub(crate) fn table(keys: impl IntoIterator<Item = String>) -> String {
    let mut counts: HashMap<String, u64> = HashMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(left, more), (right, less)| less.cmp(more).then(left.cmp(right)));
    counts.into_iter().fold(String::new(), |mut table, (key, count)| {
        writeln!(table, "{count:>7} {key}").expect("it goes to memory");
        table
    })
}

/// The words of a text, in one loop over all of it.
pub(crate) fn words(text: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for character in String::from_utf8_lossy(text).chars().chain([' ']) {
        if character.is_alphanumeric() || character == '\'' {
            word.push(character);
        } else {
            let bare = std::mem::take(&mut word).trim_matches('\'').to_lowercase();
            words.extend(Some(bare).filter(|bare| !bare.is_empty()));
        }
    }
    words
}

/// Words of all lengths, so many bytes of them.
pub(crate) fn prose(length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 16);
    let mut state = 1_u32;
    while bytes.len() < length {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.extend_from_slice(
            "grist-mill.wheel's".as_bytes().get(..(state >> 28) as usize).unwrap_or(b"sack"),
        );
        bytes.extend_from_slice(format!("{:x} ", state >> 24).as_bytes());
    }
    bytes.truncate(length);
    bytes
}
