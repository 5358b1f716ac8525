//! Input that is cut off, damaged, or something else.

use std::fs;

use crate::example::{Tree, outcome};
use crate::support::{BLOCK, member, noise, pgzip, prose, with_input};

const CUT_OFF: &str = "unexpected end of file: the compressed data is cut off";

#[test]
fn input_that_is_cut_off_anywhere_is_an_error() {
    let whole = member(b"grist for the mill");
    for length in 1..whole.len() {
        let (_, stderr, status) = with_input(pgzip(["-d"]), &whole[..length]);
        let expected = format!("pgzip: standard input: {CUT_OFF}\n");
        assert_eq!((stderr, status), (expected, Some(1)), "the first {length} of {} bytes", whole.len());
    }
    let (_, stderr, status) = with_input(pgzip(["-d"]), b"");
    assert_eq!((stderr.as_str(), status), ("pgzip: standard input: is empty: not in gzip format\n", Some(1)));
}

#[test]
fn what_was_whole_before_the_damage_is_written_to_stdout() {
    let bytes = prose(20 * BLOCK);
    let mut compressed = member(&bytes);
    compressed.truncate(compressed.len() / 2);
    let (stdout, _, status) = with_input(pgzip(["-d"]), &compressed);
    assert_eq!(status, Some(1));
    assert!(stdout.len() > 5 * BLOCK && bytes.starts_with(&stdout), "{} bytes", stdout.len());
}

#[test]
fn each_damaged_byte_of_the_content_or_trailer_is_noticed() {
    let whole = member(b"grist for the mill");
    for index in 10..whole.len() {
        let mut damaged = whole.clone();
        // All of it: the last byte of the content has bits that mean nothing.
        damaged[index] ^= 0xff;
        let (_, stderr, status) = with_input(pgzip(["-t"]), &damaged);
        assert_eq!(status, Some(1), "byte {index}: {stderr}");
        let said = stderr.strip_prefix("pgzip: standard input: ").expect("it names the file");
        assert!(
            said.starts_with("the compressed data is damaged: ") || said.starts_with(CUT_OFF),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn damaged_file_is_kept_and_nothing_is_left_beside_it() {
    let tree = Tree::new();
    let mut damaged = member(&noise(3 * BLOCK));
    let end = damaged.len() - 5;
    damaged[end] ^= 1;
    let path = tree.file("text.gz", &damaged);
    let cut_off = tree.file("half.gz", &damaged[..damaged.len() / 2]);
    let mut command = pgzip(["-d", "text.gz", "half.gz"]);
    command.current_dir(tree.root());
    let (stdout, stderr, status) = outcome(command);
    assert_eq!((stdout.as_str(), status), ("", Some(1)));
    let mut lines = stderr.lines();
    assert!(
        lines.next().is_some_and(|line| line.starts_with("pgzip: text.gz: the compressed data is damaged: "))
    );
    assert_eq!(lines.next(), Some(format!("pgzip: half.gz: {CUT_OFF}").as_str()));
    assert!(path.is_file() && cut_off.is_file());
    assert_eq!(fs::read_dir(tree.root()).expect("readable").count(), 2);
}

#[test]
fn something_else_is_not_in_gzip_format() {
    for input in ["plain text", "\0\0\0", "\x1e\u{b}"] {
        let (stdout, stderr, status) = with_input(pgzip(["-d"]), input.as_bytes());
        assert_eq!((stdout.as_slice(), status), (&b""[..], Some(1)));
        assert_eq!(stderr, "pgzip: standard input: not in gzip format\n");
    }
}

#[test]
fn zeroes_behind_are_passed_over_in_silence_and_garbage_with_a_warning() {
    let mut input = member(b"grist");
    input.extend_from_slice(&vec![0; 3 * BLOCK]);
    assert_eq!(with_input(pgzip(["-d"]), &input), (b"grist".to_vec(), String::new(), Some(0)));
    let tree = Tree::new();
    input.extend_from_slice(b"garbage");
    tree.file("text.gz", &input);
    let mut command = pgzip(["-d", "text.gz"]);
    command.current_dir(tree.root());
    let (_, stderr, status) = outcome(command);
    let expected = "pgzip: text.gz: garbage behind the compressed data was passed over\n";
    assert_eq!((stderr.as_str(), status), (expected, Some(2)));
    assert_eq!(fs::read(tree.path("text")).expect("it was decompressed all the same"), b"grist");
}

#[test]
fn test_writes_and_removes_nothing() {
    let tree = Tree::new();
    tree.file("good.gz", member(b"grist"));
    tree.file("bad.gz", &member(b"grist")[..12]);
    let mut command = pgzip(["-t", "good.gz", "bad.gz"]);
    command.current_dir(tree.root());
    let (stdout, stderr, status) = outcome(command);
    let expected = format!("pgzip: bad.gz: {CUT_OFF}\n");
    assert_eq!((stdout.as_str(), stderr, status), ("", expected, Some(1)));
    assert_eq!(fs::read_dir(tree.root()).expect("readable").count(), 2);
}
