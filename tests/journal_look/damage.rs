//! Damaged files: verify tells and changes nothing; salvage never gives a wrong value, and what it makes opens.

use std::fs;
use std::path::{Path, PathBuf};

use gristmill::journal::{Journal, JournalErrorKind, Selection};
use tempfile::TempDir;

use crate::support::{Dice, Task, contents, open, place, record, setting, task};

const PARTS: [&str; 3] = ["", "-wal", ".lock"];

fn part(path: &Path, part: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(part);
    name.into()
}

/// The files of a journal; one that is absent is `None`.
type Image = [Option<Vec<u8>>; 3];

fn image(path: &Path) -> Image {
    PARTS.map(|name| fs::read(part(path, name)).ok())
}

fn restore(image: &Image, path: &Path) {
    for (name, bytes) in PARTS.iter().zip(image) {
        let path = part(path, name);
        match bytes {
            Some(bytes) => fs::write(path, bytes).expect("writable"),
            None => drop(fs::remove_file(path)),
        }
    }
}

/// All records that there ever were, those that are there at the end, and the files, closed and as a kill leaves them.
struct Sample {
    ever: Vec<Task>,
    last: Vec<Task>,
    closed: Image,
    killed: Image,
}

fn sample() -> Sample {
    let (_folder, path) = place();
    let journal = open(&path);
    let mut tasks: Vec<Task> =
        (0..60).map(|number| task("render", "thumbnail", 1, &format!("key {number}"), 0)).collect();
    // Some that need pages of their own.
    tasks[20].payload = vec![5; 10_000];
    record(&journal, &mut tasks);
    let mut ever = tasks.clone();
    // Replaced: what was there must never come back while its successor can be read.
    let mut replaced: Vec<Task> = tasks.drain(..5).collect();
    for task in &mut replaced {
        task.payload = format!("anew {}", task.key).into_bytes();
        let run = crate::support::run(&journal, task);
        match run.claim(&task.key, b"another input") {
            gristmill::journal::probe::Claimed::Changed(work, _) => {
                run.record_as(work, task.kind, task.attempts, task.took, task.payload.clone());
            }
            other => panic!("{other:?}"),
        }
        task.seq = run.told().outcome.expect("it is recorded").0;
    }
    ever.extend(replaced.clone());
    tasks.extend(replaced);
    journal.flush().expect("it is well");
    let killed = image(&path);
    journal.close().expect("it closes");
    Sample { ever, last: tasks, closed: image(&path), killed }
}

/// A damaged journal's path and a new one's.
fn paths() -> (TempDir, PathBuf, PathBuf) {
    let (folder, path) = place();
    let new = folder.path().join("new.journal");
    (folder, path, new)
}

/// Verifies and salvages a damaged journal, and holds both to what may be.
fn examine(sample: &Sample, damaged: &Image, is_killed: bool, what: &str) -> usize {
    let (_folder, path, new) = paths();
    restore(damaged, &path);
    let verified = Journal::verify_file(&path);
    let after = image(&path);
    assert_eq!(after[0], damaged[0], "{what}: the file was changed");
    assert_eq!(after[1], damaged[1], "{what}: the log was changed");
    let salvaged = Journal::salvage(&path, &new);
    assert_eq!(image(&path)[..2], damaged[..2], "{what}: the file was changed");
    let count = match &salvaged {
        Err(error) => {
            assert!(!new.exists(), "{what}: {error}");
            assert!(verified.is_err(), "{what}: it can be verified and not be salvaged: {error}");
            0
        }
        Ok(salvaged) => {
            let journal = Journal::open(&new).unwrap_or_else(|error| panic!("{what}: {error}"));
            let found = contents(&journal);
            assert_eq!(found.len() as u64, salvaged.entries, "{what}");
            assert_eq!(salvaged.found.entries, salvaged.entries, "{what}");
            for task in &found {
                assert!(sample.ever.contains(task), "{what}: never recorded: {task:?}");
                // The log of a killed process may have lost its end, and with it what replaced a record.
                assert!(is_killed || sample.last.contains(task), "{what}: replaced: {task:?}");
            }
            assert!(found.is_sorted_by_key(|task| task.seq), "{what}");
            assert!(journal.verify().expect("open").is_sound(), "{what}");
            found.len()
        }
    };
    // What is called sound is all there, and opens.
    if verified.as_ref().is_ok_and(gristmill::journal::Verification::is_sound) {
        let journal = Journal::open(&path).unwrap_or_else(|error| panic!("{what}: sound, but: {error}"));
        assert_eq!(contents(&journal), sample.last, "{what}: sound, but not all there");
    }
    count
}

#[test]
fn journal_that_is_whole_is_sound_and_salvaged_whole() {
    let sample = sample();
    for (image, is_killed) in [(&sample.closed, false), (&sample.killed, true)] {
        assert_eq!(examine(&sample, image, is_killed, "undamaged"), sample.last.len());
        let (_folder, path, _) = paths();
        restore(image, &path);
        let verification = Journal::verify_file(&path).unwrap();
        assert!(verification.is_sound(), "{verification}");
        let bytes: u64 = sample.last.iter().map(|task| task.payload.len() as u64).sum();
        assert_eq!((verification.entries, verification.payload_bytes), (60, bytes));
    }
}

#[test]
fn no_flipped_bit_gives_a_wrong_value() {
    let sample = sample();
    let seed = setting("GRISTMILL_SEED", 11);
    for (name, image, is_killed) in [("closed", &sample.closed, false), ("killed", &sample.killed, true)] {
        let mut dice = Dice(seed);
        let mut salvaged = 0;
        let flips = setting("GRISTMILL_FLIPS", 200) / 2;
        for _ in 0..flips {
            let mut damaged = image.clone();
            let parts: Vec<usize> =
                (0..2).filter(|&part| damaged[part].as_ref().is_some_and(|it| !it.is_empty())).collect();
            let number = parts[usize::try_from(dice.below(parts.len() as u64)).expect("small")];
            let bytes = damaged[number].as_mut().expect("it is there");
            // Most of a page may be empty: a byte that says something.
            let at = loop {
                let at = usize::try_from(dice.below(bytes.len() as u64)).expect("small");
                if bytes[at] != 0 || dice.below(20) == 0 {
                    break at;
                }
            };
            let bit = dice.below(8);
            bytes[at] ^= 1 << bit;
            let what = format!("seed {seed}, {name}, file {number}, byte {at}, bit {bit}");
            salvaged += examine(&sample, &damaged, is_killed, &what);
        }
        // Most flips cost a record or a page of them.
        println!("{name}: {salvaged} of {} records salvaged in {flips} flips", flips * 60);
        assert!(is_killed || salvaged as u64 > flips * 60 / 2, "{name}: {salvaged} in {flips} flips");
    }
}

/// Flips a bit at the beginning of each place where these bytes are, but for those within a text. Pages keep copies of what was moved
/// within them: it is all of them, so that the one that counts is among them.
fn flip(bytes: &mut [u8], what: &[u8]) {
    let is_there = |at: &usize| bytes[*at..].starts_with(what) && bytes[at - 1] != b' ';
    let places: Vec<usize> = (1..bytes.len()).filter(is_there).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] ^= 1;
    }
}

/// A closed journal in which the payload of one record is not what was written.
fn with_damaged_payload(sample: &Sample, path: &Path) -> Task {
    let task = sample.last[7].clone();
    let mut image = sample.closed.clone();
    flip(image[0].as_mut().expect("it is there"), &task.payload);
    restore(&image, path);
    task
}

#[test]
fn damaged_payload_is_named_and_costs_one_record() {
    let (sample, (_folder, path, new)) = (sample(), paths());
    let task = with_damaged_payload(&sample, &path);
    let verification = Journal::verify_file(&path).unwrap();
    assert_eq!(verification.entries, 59);
    let [damage] = verification.damages.as_slice() else { panic!("{verification}") };
    assert_eq!((damage.sequence, damage.key.as_deref()), (Some(task.seq), Some(task.key.as_str())));
    let salvaged = Journal::salvage(&path, &new).unwrap();
    assert_eq!((salvaged.entries, &salvaged.found), (59, &verification));
    let rest: Vec<Task> = sample.last.iter().filter(|other| **other != task).cloned().collect();
    assert_eq!(contents(&open(&new)), rest);
    // The next one has a number of its own.
    let mut again = [task.clone()];
    record(&open(&new), &mut again);
    assert!(again[0].seq > sample.last.last().unwrap().seq);
}

#[test]
fn damaged_payload_is_an_error_in_its_place_and_can_be_forgotten() {
    let (sample, (_folder, path, _)) = (sample(), paths());
    let task = with_damaged_payload(&sample, &path);
    let journal = open(&path);
    let entries: Vec<_> = journal.entries_with_payload(&Selection::all()).collect();
    assert_eq!(entries.len(), 60);
    for (entry, expected) in entries.iter().zip(&sample.last) {
        match entry {
            Ok(entry) => assert_eq!(entry.payload(), Some(&*expected.payload)),
            Err(error) => {
                assert_eq!(*expected, task);
                assert_eq!((error.kind(), error.sequence()), (JournalErrorKind::Damaged, Some(task.seq)));
                assert_eq!(error.key(), Some(task.key.as_str()));
            }
        }
    }
    assert_eq!(entries.iter().filter(|entry| entry.is_err()).count(), 1);
    let mut verification = journal.verify().unwrap();
    assert_eq!(verification.damages.len(), 1);
    assert!(verification.to_string().ends_with("; 1 damage"), "{verification}");
    verification.further_damages = 2;
    let text = verification.to_string();
    assert!(text.contains("\nand 2 damages more\n") && text.ends_with("; 3 damages"), "{text}");
    assert_eq!(journal.entries(&Selection::all()).flatten().count(), 60, "heads are whole");
    let forgotten = journal.forget(&Selection::all().key(task.key.as_str())).unwrap();
    assert_eq!(forgotten.entries, 1);
    assert!(journal.verify().unwrap().is_sound());
}

#[test]
fn damaged_head_is_refused_at_the_opening_and_salvaged() {
    let (sample, (_folder, path, new)) = (sample(), paths());
    let task = &sample.last[9];
    let mut image = sample.closed.clone();
    flip(image[0].as_mut().unwrap(), task.key.as_bytes());
    restore(&image, &path);
    assert_eq!(Journal::open(&path).unwrap_err().kind(), JournalErrorKind::Damaged);
    let salvaged = Journal::salvage(&path, &new).unwrap();
    assert_eq!((salvaged.entries, salvaged.found.is_sound()), (59, false));
    assert_eq!(salvaged.found.damages[0].sequence, Some(task.seq));
}

#[test]
fn page_that_is_overwritten_costs_its_own_records() {
    let sample = sample();
    let pages = sample.closed[0].as_ref().unwrap().len() / 4096;
    let mut whole = 0;
    for page in 0..pages {
        let mut image = sample.closed.clone();
        image[0].as_mut().unwrap()[page * 4096..][..4096].fill(0xa5);
        whole += usize::from(examine(&sample, &image, false, &format!("page {page}")) > 0);
    }
    // All but the roots of the two tables that the records hang on.
    assert!(whole + 2 >= pages, "{whole} of {pages}");
}

#[test]
fn damaged_first_page_costs_nothing() {
    let (folder, path) = place();
    let (journal, mut tasks) = crate::support::filled(&path);
    // Its pages are no longer where they were made.
    journal.forget(&Selection::all().scope("render")).unwrap();
    journal.compact().unwrap();
    journal.close().unwrap();
    tasks.retain(|task| task.scope != "render");
    let bytes = fs::read(&path).unwrap();
    // The name of the format, the size of a page, the number of pages, the application, the tables.
    for (number, at) in [3, 16, 17, 29, 70, 101, 3000, 3600, 4000].into_iter().enumerate() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x41;
        fs::write(&path, &damaged).unwrap();
        let new = folder.path().join(format!("new {number}"));
        let salvaged = Journal::salvage(&path, &new).unwrap_or_else(|error| panic!("byte {at}: {error}"));
        assert_eq!(contents(&open(&new)), tasks, "byte {at}: {salvaged}");
        let names = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(names.filter(|name| name.contains("mended") || name.contains("salvaging")).count(), 0);
        assert_eq!(fs::read(&path).unwrap(), damaged);
    }
}

#[test]
fn records_that_the_lock_file_knows_of_are_missed() {
    let sample = sample();
    let (_folder, path, _) = paths();
    let mut image = sample.killed.clone();
    image[1].as_mut().unwrap().truncate(40_000);
    restore(&image, &path);
    let verification = Journal::verify_file(&path).unwrap();
    assert!(!verification.is_sound());
    let last = &verification.damages.last().unwrap().what;
    assert!(last.ends_with(" to 65 were committed and are not there"), "{last}");
}

#[test]
fn salvage_overwrites_nothing() {
    let (sample, (folder, path, new)) = (sample(), paths());
    restore(&sample.closed, &path);
    fs::write(&new, "mine").unwrap();
    let error = Journal::salvage(&path, &new).unwrap_err();
    assert_eq!(error.kind(), JournalErrorKind::Place);
    assert_eq!(error.path(), new);
    assert_eq!(fs::read(&new).unwrap(), b"mine");
    assert_eq!(Journal::salvage(&path, &path).unwrap_err().kind(), JournalErrorKind::Place);
    assert_eq!(Journal::salvage(&path, folder.path()).unwrap_err().kind(), JournalErrorKind::Place);
    // Where nothing can be made, nothing is left.
    let nowhere = folder.path().join("nowhere").join("new.journal");
    assert!(Journal::salvage(&path, &nowhere).is_err());
    assert_eq!(image(&path)[..2], sample.closed[..2]);
    assert!(!part(&path, "-wal").exists());
}

#[test]
fn journal_that_is_open_is_not_verified_from_outside() {
    let (folder, path, new) = paths();
    let journal = open(&path);
    assert_eq!(Journal::verify_file(&path).unwrap_err().kind(), JournalErrorKind::Held);
    assert_eq!(Journal::salvage(&path, &new).unwrap_err().kind(), JournalErrorKind::Held);
    journal.close().unwrap();
    assert!(Journal::verify_file(&path).unwrap().is_sound());
    drop(folder);
}

#[test]
fn what_is_no_journal_is_told_so_and_left_alone() {
    let (folder, path, new) = paths();
    let missing = Journal::verify_file(&path).unwrap_err();
    assert_eq!(missing.kind(), JournalErrorKind::Place);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "not even a lock file");
    assert_eq!(Journal::verify_file(folder.path()).unwrap_err().kind(), JournalErrorKind::Place);
    fs::write(&path, "a text that is long enough to be something else".repeat(20)).unwrap();
    for error in [Journal::verify_file(&path).unwrap_err(), Journal::salvage(&path, &new).unwrap_err()] {
        assert_eq!(error.kind(), JournalErrorKind::NotAJournal, "{error}");
    }
    assert!(!new.exists());
}

#[test]
fn truncated_journal_that_cannot_be_verified_is_not_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("batch.journal");
    let journal = Journal::open(&path).unwrap();
    let handler = journal.scope("s").handler("bytes", 1, |_, (): &()| Ok(vec![7_u8; 10_000]));
    (0..20).for_each(|key| drop(handler.call(key, ()).unwrap()));
    journal.close().unwrap();
    let length = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length * 9 / 10).unwrap();
    let error = Journal::verify_file(&path).unwrap_err();
    assert!(error.cure().contains("salvage"), "{error}");
    assert!(Journal::salvage(&path, folder.path().join("new.journal")).unwrap().entries > 10);
}
