//! The example, and what its output is held against.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output};

pub(crate) use crate::example::{Running, Tree, text, tool};
use crate::example::{command, readable as as_it_is};

pub(crate) fn treesum<I: IntoIterator<Item: AsRef<OsStr>>>(arguments: I) -> Command {
    command("treesum", arguments)
}

/// Stdout, stderr and status, with the program's own name in messages made the same for all.
pub(crate) fn outcome(mut command: Command) -> (String, String, Option<i32>) {
    readable(&command.output().expect("the command starts"))
}

pub(crate) fn readable(output: &Output) -> (String, String, Option<i32>) {
    let (stdout, stderr, status) = as_it_is(output);
    (stdout, stderr.replace("sha256sum: ", "treesum: "), status)
}

/// More files than lines fit into a pipe that nobody reads, which stops a program that prints a line for each.
pub(crate) fn many_files(tree: &Tree) -> Vec<PathBuf> {
    (0..3000).map(|index| tree.file(format!("{index:04}"), index.to_string())).collect()
}

pub(crate) fn assert_whole_lines(stdout: &str) {
    for line in stdout.split_inclusive('\n') {
        assert!(line.ends_with('\n') && line.len() > 66, "half a line: {line:?}");
    }
}
