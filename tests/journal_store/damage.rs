//! Damaged files: truncated anywhere, any bit flipped, after a clean end and after a kill. Never a wrong value, never a panic, never a silent loss.

use std::fs;
use std::path::Path;

use gristmill::journal::probe::Claimed;
use gristmill::journal::{Journal, JournalErrorKind};
use tempfile::TempDir;

use crate::support::{Dice, open, read, record, result_of, run};

const RECORDS: usize = 10;
/// The journal's files, by what comes after its name.
const PARTS: [&str; 3] = ["", "-wal", ".lock"];

/// The files of a journal; one that is absent is `None`.
type Image = [Option<Vec<u8>>; 3];

fn keys() -> Vec<String> {
    (0..RECORDS).map(|number| format!("key {number}")).collect()
}

/// In memory where that can be had: thousands of files are opened and closed.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory")
}

fn part(folder: &Path, part: &str) -> std::path::PathBuf {
    folder.join(format!("batch.journal{part}"))
}

fn image_of(folder: &Path) -> Image {
    PARTS.map(|name| fs::read(part(folder, name)).ok())
}

/// A journal that was closed, and one whose process was killed: what is on the disk while it is open is what a kill leaves.
fn images() -> (Image, Image) {
    let folder = folder();
    let journal = open(&part(folder.path(), ""));
    let keys = keys();
    let probe = run(&journal);
    let (first, second) = keys.split_at(RECORDS / 2);
    record(&probe, first.iter().map(String::as_str));
    for key in second {
        // One commit for each.
        record(&probe, [key.as_str()]);
    }
    journal.flush().expect("it is well");
    let killed = image_of(folder.path());
    drop(probe);
    journal.close().expect("it closes");
    (image_of(folder.path()), killed)
}

fn restore(image: &Image, folder: &Path) {
    for (name, bytes) in PARTS.iter().zip(image) {
        let path = part(folder, name);
        let _ = fs::remove_file(&path);
        if let Some(bytes) = bytes {
            fs::write(path, bytes).expect("writable");
        }
    }
}

/// What became of a damaged journal.
#[derive(Debug, Default)]
struct Fates {
    refused: usize,
    whole: usize,
    told_rows: usize,
    told_losses: usize,
}

/// Opens what is there and reads all: each record is right, or refused, or said to be lost from the end.
fn look(folder: &Path, what: &str, fates: &mut Fates) {
    use JournalErrorKind::{Damaged, Io, NewerFormat, NotAJournal};

    let journal = match Journal::open(part(folder, "")) {
        Ok(journal) => journal,
        Err(error) => {
            assert!(matches!(error.kind(), Damaged | Io | NewerFormat | NotAJournal), "{what}: {error}");
            // What can be forgotten is a record, and is named.
            assert_eq!(error.cure().contains("forget"), error.sequence().is_some(), "{what}: {error}");
            fates.refused += 1;
            return;
        }
    };
    let probe = run(&journal);
    let (mut missing, mut damaged) = (0, 0);
    for (index, key) in keys().iter().enumerate() {
        match read(&probe, key) {
            Some(Ok((seq, payload))) => {
                assert_eq!((seq, payload), (index as u64 + 1, result_of(key)), "{what}: a wrong value");
                assert_eq!(missing, 0, "{what}: {key} is there, and one before it is not");
            }
            Some(Err(_)) => damaged += 1,
            // After damage that is found by reading the journal may have failed as a whole.
            None if matches!(probe.claim("another", b""), Claimed::Failed(_)) => damaged += 1,
            None => missing += 1,
        }
    }
    if missing > 0 {
        assert_eq!(journal.opening().lost, missing, "{what}: a loss that is not told");
        fates.told_losses += 1;
    } else if damaged > 0 {
        fates.told_rows += 1;
    } else {
        fates.whole += 1;
    }
}

#[test]
fn image_of_an_open_journal_is_that_of_a_killed_one() {
    let (clean, killed) = images();
    let folder = folder();
    for (image, was_killed) in [(&clean, false), (&killed, true)] {
        restore(image, folder.path());
        let journal = open(&part(folder.path(), ""));
        assert_eq!((journal.opening().records, journal.opening().was_killed), (RECORDS as u64, was_killed));
    }
    assert!(killed[1].as_ref().is_some_and(|log| log.len() > 4096), "a log is there");
}

/// Whether to try everything, and not a sample.
fn is_thorough() -> bool {
    std::env::var_os("GRISTMILL_EVERY_BIT").is_some()
}

/// Damages one of the files in each of these ways, each by itself, on two threads; what is found then is told and held against what was there.
fn damage_in_all_ways(
    image: &Image,
    index: usize,
    what: &str,
    ways: &[usize],
    damage: fn(&mut Vec<u8>, usize),
) {
    let halves = ways.split_at(ways.len() / 2);
    std::thread::scope(|scope| {
        for half in [halves.0, halves.1] {
            scope.spawn(move || {
                let (folder, mut fates) = (folder(), Fates::default());
                for way in half {
                    let mut damaged = image.clone();
                    damage(damaged[index].as_mut().expect("it is there"), *way);
                    restore(&damaged, folder.path());
                    look(folder.path(), &format!("{:?} {what} {way}", PARTS[index]), &mut fates);
                }
                println!("{:?} {what}, {} times: {fates:?}", PARTS[index], half.len());
            });
        }
    });
}

#[test]
fn truncated_file_is_refused_or_says_what_is_lost() {
    let (clean, killed) = images();
    let mut dice = Dice(1);
    for (image, name) in [(&clean, "of a closed journal cut to"), (&killed, "of a killed one cut to")] {
        for index in 0..2 {
            let Some(bytes) = &image[index] else { continue };
            let sampled = (0..200).map(|_| usize::try_from(dice.below(bytes.len() as u64)).expect("small"));
            let edges = (0..bytes.len()).step_by(512).chain([1, 15, 16, 31, 32, 100]);
            let sample = sampled.chain(edges).map(|length| length.min(bytes.len()));
            let lengths = if is_thorough() { (0..bytes.len()).collect() } else { sample.collect::<Vec<_>>() };
            damage_in_all_ways(image, index, name, &lengths, Vec::truncate);
        }
    }
}

/// The bits of what is written: of every byte that is not zero, of those around it, and one of each stretch of zeros now and then.
fn written_bits(bytes: &[u8]) -> Vec<usize> {
    let is_near =
        |at: usize| bytes[at.saturating_sub(4)..bytes.len().min(at + 5)].iter().any(|byte| *byte != 0);
    let bits = (0..bytes.len()).filter(|at| is_near(*at)).flat_map(|at| at * 8..at * 8 + 8);
    bits.chain((0..bytes.len()).filter(|at| !is_near(*at)).step_by(61).map(|at| at * 8 + at % 8)).collect()
}

#[test]
fn flipped_bit_never_gives_a_wrong_value() {
    let (clean, killed) = images();
    let mut dice = Dice(2);
    for (image, name) in [(&clean, "of a closed journal, bit"), (&killed, "of a killed one, bit")] {
        for index in 0..2 {
            let Some(bytes) = &image[index] else { continue };
            let bits = bytes.len() * 8;
            let sample = (0..1000).map(|_| usize::try_from(dice.below(bits as u64)).expect("small"));
            // A small file is mostly empty pages: where nothing is written, little can be damaged.
            let sample: Vec<usize> = sample.chain((0..800).step_by(7)).filter(|bit| *bit < bits).collect();
            let chosen = if is_thorough() { written_bits(bytes) } else { sample };
            damage_in_all_ways(image, index, name, &chosen, |bytes, bit| bytes[bit / 8] ^= 1 << (bit % 8));
        }
    }
}

#[test]
fn record_of_another_task_is_told_to_nobody_though_it_is_whole() {
    // So many that the first are read from the file, and not from what is left of the opening.
    const MANY: usize = 3000;
    let folder = folder();
    let keys = |name: &str| (0..MANY).map(|number| format!("{name} {number:04}")).collect::<Vec<_>>();
    let path = |name: &str| folder.path().join(format!("{name}.journal"));
    for name in ["one", "two"] {
        let journal = open(&path(name));
        let run = run(&journal);
        for key in keys(name) {
            let Claimed::Fresh(work) = run.claim(&key, b"") else { panic!("it is new") };
            run.record(work, [key.as_bytes(), &[7; 1500]].concat());
        }
        (0..MANY).for_each(|_| assert!(run.told().outcome.is_ok()));
        drop(run);
        journal.close().expect("it closes");
    }
    let journal = open(&path("one"));
    // A file of the same shape under the feet of who has it open.
    let other = fs::read(path("two")).expect("readable");
    assert_eq!(fs::metadata(path("one")).expect("it is there").len(), other.len() as u64);
    fs::write(path("one"), other).expect("writable");
    let run = run(&journal);
    let mut refused = 0;
    for key in keys("one") {
        let Claimed::Recorded(again) = run.claim(&key, b"") else { panic!("it is recorded") };
        run.read(&again);
        match run.told().outcome {
            Ok((_, payload)) => assert!(payload.is_some_and(|payload| payload.starts_with(key.as_bytes()))),
            Err(error) => {
                assert_eq!(error.kind(), JournalErrorKind::Damaged, "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "none was read from the file");
}

#[test]
fn log_of_an_open_journal_does_not_grow_with_what_is_recorded() {
    const LONGEST: u64 = 8 << 20;
    let folder = folder();
    let journal = open(&part(folder.path(), ""));
    let run = run(&journal);
    for number in 0..400 {
        let Claimed::Fresh(work) = run.claim(&number.to_string(), b"") else { panic!("it is new") };
        run.record(work, vec![7; 100_000]);
        assert!(run.told().outcome.is_ok());
        let log = fs::metadata(part(folder.path(), "-wal")).expect("it is open").len();
        assert!(log < LONGEST, "{log} bytes after {number} records");
    }
    assert!(
        fs::metadata(part(folder.path(), "")).expect("it is there").len() > 4 * LONGEST,
        "they are in the file"
    );
}
