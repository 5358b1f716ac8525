//! Every refusal of an opening: its kind, the path, what helps; and nothing changed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use gristmill::journal::{Journal, JournalError, JournalErrorKind};

use crate::support::{fresh, open, place, record, run};

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

#[test]
fn link_to_a_journal_is_the_same_journal_under_the_same_lock() {
    let (folder, path) = place();
    let link = folder.path().join("link.journal");
    let journal = open(&path);
    symlink(&path, &link).expect("a link");
    let error = Journal::open(&link).expect_err("held");
    assert_eq!((error.kind(), error.path()), (JournalErrorKind::Held, &*link));
    assert!(error.to_string().contains(&std::process::id().to_string()), "names the holder: {error}");
    record(&run(&journal), ["a"]);
    drop(journal);
    let journal = open(&link);
    assert_eq!((journal.opening().records, journal.path()), (1, &*link));
    Journal::verify_file(&path).expect_err("it is open by the other name");
    drop(journal);
    assert!(Journal::verify_file(&link).expect("it is free").is_sound());
    assert!(!folder.path().join("link.journal.lock").exists());
}

#[test]
fn link_to_nothing_is_refused() {
    let (folder, path) = place();
    symlink(folder.path().join("nothing"), &path).expect("a link");
    assert!(refusal(&path, JournalErrorKind::Place).to_string().contains("link"));
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
}

#[test]
fn file_with_two_names_is_refused_under_both() {
    let (folder, path) = place();
    record(&run(&open(&path)), ["a"]);
    let other = folder.path().join("other.journal");
    fs::hard_link(&path, &other).expect("a second name");
    for name in [&path, &other] {
        assert!(refusal(name, JournalErrorKind::Place).to_string().contains("hard link"));
    }
    fs::remove_file(&other).expect("removable");
    assert_eq!(open(&path).opening().records, 1);
}

#[test]
fn journal_that_was_removed_or_replaced_while_it_was_open_says_so() {
    for (is_replaced, is_compacted) in [(false, false), (false, true), (true, false), (true, true)] {
        let (folder, path) = place();
        let (journal, other) = (open(&path), folder.path().join("other.journal"));
        record(&run(&journal), ["a"]);
        if is_replaced {
            record(&run(&open(&other)), ["b", "c"]);
            fs::rename(&other, &path).expect("it is put in its place");
        } else {
            fs::remove_file(&path).expect("removable");
        }
        if is_compacted {
            let error = journal.compact().expect_err("it is gone");
            assert!(error.to_string().contains("removed or replaced"), "{error}");
        }
        let error = journal.close().expect_err("what it recorded is lost");
        assert_eq!(error.kind(), JournalErrorKind::Io);
        assert!(error.to_string().contains("removed or replaced"), "{error}");
        let found = open(&path).opening().records;
        assert_eq!(found, if is_replaced { 2 } else { 0 }, "what is in its place is what it was");
    }
}

#[test]
fn journal_that_was_renamed_while_it_was_open_is_whole_under_its_new_name() {
    let (folder, path) = place();
    let (journal, moved) = (open(&path), folder.path().join("moved.journal"));
    record(&run(&journal), ["a"]);
    fs::rename(&path, &moved).expect("renamed");
    record(&run(&journal), ["b", "c"]);
    assert!(journal.close().expect_err("it is elsewhere").to_string().contains("removed or replaced"));
    assert_eq!(open(&moved).opening().records, 3);
}

/// What a child does in a directory of its own. Does nothing unless it is started by a test.
#[test]
fn child_in_a_directory() {
    if std::env::var_os("GRISTMILL_DIRECTORY").is_none() {
        return;
    }
    for name in [":memory:", "file:batch.journal?mode=memory", "-wal", " ", "a?b#c%20"] {
        for records in 0..2 {
            let journal = open(Path::new(name));
            assert_eq!(journal.opening().records, records, "{name}");
            let probe = run(&journal);
            if records == 0 {
                record(&probe, ["a"]);
            }
        }
        assert!(fs::metadata(name).expect("a file").len() > 0, "{name}");
    }
    for name in ["", "none/", "none/..", ".."] {
        refusal(Path::new(name), JournalErrorKind::Place);
    }
    let journal = open(Path::new("batch.journal"));
    fs::create_dir("elsewhere").expect("writable");
    std::env::set_current_dir("elsewhere").expect("it is there");
    let probe = run(&journal);
    for key in 0..600 {
        let work = fresh(probe.claim(&key.to_string(), b""));
        probe.record(work, vec![7; 100_000]);
    }
    journal.flush().expect("all is recorded");
    let log = fs::metadata("../batch.journal-wal").expect("there").len();
    // At most four megabytes and one commit more, of what waits in the queue.
    assert!(log < 25_000_000, "the log is moved into the file now and then: {log}");
    assert!(journal.statistics().expect("readable").file_bytes > 60_000_000);
    assert!(Journal::verify_file("../batch.journal").is_err(), "it is held");
    journal.close().expect("it closes");
    assert!(Journal::verify_file("../batch.journal").expect("free").is_sound());
    assert_eq!(fs::read_dir(".").expect("readable").count(), 0);
    println!("all of it");
}

#[test]
fn path_is_that_of_a_file_whatever_its_name_and_wherever_the_process_goes() {
    let (folder, _) = place();
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["opening::child_in_a_directory", "--exact", "--nocapture"]);
    let ended = child.env("GRISTMILL_DIRECTORY", "1").current_dir(folder.path()).output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success() && said.contains("all of it"),
        "{said}{}",
        String::from_utf8_lossy(&ended.stderr)
    );
}
