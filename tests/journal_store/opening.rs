//! Every refusal of an opening: its kind, the path, what helps; and nothing changed.

use std::fs;
use std::path::Path;

use gristmill::journal::{Journal, JournalError, JournalErrorKind};

use crate::support::{open, place, record, run};

/// Puts a number of four bytes at an offset of the file's header.
fn patch(path: &Path, offset: usize, number: u32) {
    let mut bytes = fs::read(path).expect("readable");
    bytes[offset..offset + 4].copy_from_slice(&number.to_be_bytes());
    fs::write(path, bytes).expect("writable");
}

#[track_caller]
fn refusal(path: &Path, kind: JournalErrorKind) -> JournalError {
    let before = fs::read(path).ok();
    let error = Journal::open(path).expect_err("it is refused");
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(error.path(), path);
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    assert!(!error.cure().is_empty() && !error.to_string().contains('\n'), "{error}");
    assert_eq!(fs::read(path).ok(), before, "nothing was changed");
    error
}

#[test]
fn directory_is_refused() {
    let (folder, _) = place();
    refusal(folder.path(), JournalErrorKind::Place);
}

#[test]
fn missing_directory_is_refused() {
    let (folder, _) = place();
    let error = refusal(&folder.path().join("none/batch.journal"), JournalErrorKind::Place);
    assert!(error.to_string().contains("directory"), "{error}");
}

#[test]
fn text_is_refused_and_no_lock_is_left_beside_it() {
    let (folder, path) = place();
    fs::write(&path, "dear diary, this is not a database at all\n".repeat(200)).expect("writable");
    refusal(&path, JournalErrorKind::NotAJournal);
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
}

#[test]
fn other_programs_database_is_refused() {
    let (_folder, path) = place();
    record(&run(&open(&path)), ["a"]);
    patch(&path, 68, 0x1234_5678);
    refusal(&path, JournalErrorKind::NotAJournal);
}

#[test]
fn newer_format_is_refused_by_its_number() {
    let (_folder, path) = place();
    record(&run(&open(&path)), ["a"]);
    patch(&path, 60, 7);
    assert!(refusal(&path, JournalErrorKind::NewerFormat).to_string().contains("format 7"));
}

#[test]
fn second_opening_in_the_same_process_is_refused_at_once() {
    let (_folder, path) = place();
    let journal = open(&path);
    let error = Journal::open(&path).expect_err("held");
    assert_eq!(error.kind(), JournalErrorKind::Held);
    assert!(error.to_string().contains(&std::process::id().to_string()), "names the holder: {error}");
    record(&run(&journal), ["the first goes on"]);
    drop(journal);
    open(&path);
}

#[test]
fn empty_file_becomes_a_journal() {
    let (_folder, path) = place();
    fs::write(&path, "").expect("writable");
    record(&run(&open(&path)), ["a"]);
    assert_eq!(open(&path).opening().records, 1);
}

#[test]
fn journal_that_was_removed_begins_anew() {
    let (_folder, path) = place();
    record(&run(&open(&path)), ["a", "b"]);
    fs::remove_file(&path).expect("removable");
    let journal = open(&path);
    assert_eq!((journal.opening().records, journal.opening().lost), (0, 0));
    assert_eq!(record(&run(&journal), ["a"])[0].outcome.as_ref().expect("recorded").0, 1);
}

#[test]
fn emptied_journal_says_what_is_lost() {
    let (_folder, path) = place();
    record(&run(&open(&path)), ["a", "b"]);
    fs::write(&path, "").expect("writable");
    let journal = open(&path);
    assert_eq!((journal.opening().records, journal.opening().lost), (0, 2));
    let told = record(&run(&journal), ["a"]);
    assert_eq!(told[0].outcome.as_ref().expect("recorded").0, 3, "told numbers are not used again");
}
