//! The side file as a whole: what a killed process leaves, who is refused, and what damage does.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::{Left, Side, SideError, Ticket, block, head, place::Place};
use crate::sync::{Mutex, thread};

/// Names the journal to a child process.
const CHILD: &str = "GRISTMILL_SIDE_CHILD";

fn journal() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let journal = folder.path().join("run.journal");
    (folder, journal)
}

fn lock(journal: &Path) -> (Side, Left) {
    Side::lock(journal).expect("nobody has it")
}

fn begun(journal: &Path) -> Side {
    let (side, _) = lock(journal);
    side.begin_epoch().expect("it can be written");
    side
}

/// What people see of a file.
fn text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).expect("it can be read")).into_owned()
}

fn marked(journal: &Path) -> Vec<u128> {
    lock(journal).1.marked
}

fn start(side: &Side, identity: u128, exact: bool) -> Ticket {
    let ticket = side.announce(identity, false);
    side.begin(&ticket, exact).expect("it can be written");
    ticket
}

#[test]
fn new_file_says_that_nothing_happened_and_an_orderly_end_leaves_nobody() {
    let (_folder, journal) = journal();
    let (side, left) = lock(&journal);
    assert_eq!(left, Left { clean: true, ..Left::default() });
    side.begin_epoch().unwrap();
    let ticket = start(&side, 5, false);
    side.committed(1).unwrap();
    side.committed(2).unwrap();
    side.end(ticket);
    side.close().unwrap();
    let epoch = side.epoch();
    assert!(text(&Side::path_for(&journal)).contains("\nheld by nobody\n"));
    drop(side);
    let (side, left) = lock(&journal);
    let expected = Left { last_seq: 2, clean: true, epoch, ..Left::default() };
    assert_eq!(left, expected);
    assert!(side.epoch() > epoch);
    assert!(!text(&Side::path_for(&journal)).contains("nobody"));
    drop(side);
    assert_eq!(lock(&journal).1, expected, "nothing was begun in between");
}

#[test]
fn who_was_running_is_told_until_it_has_been_counted() {
    let (_folder, journal) = journal();
    let side = begun(&journal);
    let _running = start(&side, 7, false);
    side.committed(900).unwrap();
    let epoch = side.epoch();
    drop(side);
    for _ in 0..2 {
        let left = lock(&journal).1;
        let expected =
            Left { last_seq: 900, marked: vec![7], roughly: vec![], clean: false, epoch, damaged: false };
        assert_eq!(left, expected, "an opening that went no further changes nothing");
    }
    let side = begun(&journal);
    let next = side.epoch();
    drop(side);
    let left = lock(&journal).1;
    assert_eq!(left, Left { last_seq: 900, epoch: next, ..Left::default() }, "counted once");
}

#[test]
fn number_of_a_journal_that_was_begun_anew_is_its_own() {
    let (_folder, journal) = journal();
    let side = begun(&journal);
    for seq in [10, 20, 30] {
        side.committed(seq).unwrap();
    }
    drop(side);
    let side = begun(&journal);
    side.committed(0).unwrap();
    drop(side);
    assert_eq!(lock(&journal).1.last_seq, 0);
}

#[test]
fn first_of_a_block_marks_those_next_in_line_and_one_alone_counts_by_itself() {
    let (_folder, journal) = journal();
    let side = begun(&journal);
    let tickets: Vec<Ticket> = (0..200).map(|identity| side.announce(identity, false)).collect();
    let alone = side.announce(1000, true);
    let idle = side.announce(1001, true);
    side.begin(&tickets[70], false).unwrap();
    assert_eq!(marks_now(&side), (64..128).collect::<Vec<_>>());
    side.begin(&alone, false).unwrap();
    // The open block is written as far as it goes, and takes in no more.
    side.begin(&tickets[199], false).unwrap();
    let _later = side.announce(200, false);
    let expected: Vec<u128> = (64..128).chain(192..200).chain([1000]).collect();
    assert_eq!(marks_now(&side), expected);
    let _ = idle;
}

#[test]
fn one_that_is_left_of_its_block_has_a_mark_of_its_own_and_rests() {
    let (_folder, journal) = journal();
    let side = begun(&journal);
    let given_up = side.announce(1, false);
    let last = side.announce(2, false);
    side.withdraw(given_up).unwrap();
    side.begin(&last, false).unwrap();
    assert_eq!(marks_now(&side), [2]);
    side.rest(&last).unwrap();
    assert_eq!(marks_now(&side), []);
    side.end(last);
}

/// What would be read if the process were killed now.
fn marks_now(side: &Side) -> Vec<u128> {
    let mut left = Left { epoch: side.epoch(), ..Left::default() };
    super::read_marks(&side.file, &mut left).expect("it can be read");
    assert!(!left.damaged);
    left.marked
}

#[test]
fn exact_marks_name_those_that_have_begun_and_no_others() {
    let (_folder, journal) = journal();
    let side = begun(&journal);
    let mut tickets: Vec<Ticket> = (0..64).map(|identity| side.announce(identity, false)).collect();
    side.begin(&tickets[3], true).unwrap();
    assert_eq!(marks_now(&side), [3]);
    side.begin(&tickets[60], false).unwrap();
    side.begin(&tickets[61], true).unwrap();
    side.begin(&tickets[61], true).unwrap();
    assert_eq!(marks_now(&side), [3, 60, 61]);
    side.withdraw(tickets.remove(60)).unwrap();
    side.withdraw(tickets.remove(3)).unwrap();
    side.withdraw(tickets.remove(0)).unwrap();
    assert_eq!(marks_now(&side), [61]);
}

#[test]
fn task_that_was_given_up_is_not_named() {
    let (_folder, journal) = journal();
    let side = begun(&journal);
    let mut tickets: Vec<Ticket> = (0..3).map(|identity| side.announce(identity, false)).collect();
    side.withdraw(tickets.remove(0)).unwrap();
    side.begin(&tickets[0], false).unwrap();
    assert_eq!(marks_now(&side), [1, 2], "before its block was written");
    side.withdraw(tickets.remove(1)).unwrap();
    assert_eq!(marks_now(&side), [1], "after");
    side.withdraw(tickets.remove(0)).unwrap();
    assert!(marks_now(&side).is_empty());
    for identity in 10..300 {
        let ticket = side.announce(identity, false);
        side.withdraw(ticket).unwrap();
    }
    assert_eq!(side.marks.slots(), 1, "what never begins takes no place");
}

#[test]
fn places_are_used_again_and_what_lay_there_is_not_named() {
    let (_folder, journal) = journal();
    let side = begun(&journal);
    for round in 0..1000 {
        let exact = round % 3 == 0;
        let tickets: Vec<Ticket> =
            (0..100).map(|number| side.announce(round * 100 + number, false)).collect();
        for ticket in &tickets {
            side.begin(ticket, exact).unwrap();
        }
        let named = marks_now(&side);
        for number in 0..100 {
            assert!(named.binary_search(&(round * 100 + number)).is_ok());
        }
        for ticket in tickets {
            side.end(ticket);
        }
    }
    assert!(side.marks.slots() <= 3, "{}", side.marks.slots());
    assert!(side.file.metadata().unwrap().len() <= (head::PAGE + 3 * block::STRIDE) as u64);
    // One that lasts keeps its block's place, and only that.
    let lasting: Vec<Ticket> = (0..5)
        .map(|number| {
            let first = start(&side, number, false);
            (0..200).for_each(|other| side.end(start(&side, 1000 + other, false)));
            first
        })
        .collect();
    assert!(side.marks.slots() <= 7, "{}", side.marks.slots());
    drop(side);
    let named = marked(&journal);
    assert!((0..5).all(|number| named.contains(&number)));
    drop(lasting);
}

#[test]
fn second_is_refused_at_once_and_told_by_whom() {
    let (_folder, journal) = journal();
    let (side, _) = lock(&journal);
    let Err(SideError::Held { holder }) = Side::lock(&journal) else { panic!("it is held") };
    assert!(holder.starts_with(&format!("process {} (", std::process::id())), "{holder}");
    assert!(holder.contains(") since 2"), "{holder}");
    let text = Side::lock(&journal).unwrap_err().to_string();
    assert_eq!(text, format!("it is in use by {holder}"));
    // On another thread of this process too.
    let path = journal.clone();
    let other = thread::Builder::new().spawn(move || Side::lock(&path).is_err()).unwrap();
    assert!(other.join().unwrap());
    // A name that cannot be read makes nobody up.
    side.file.write_all_at(&[0xff; 100], 0).unwrap();
    let text = Side::lock(&journal).unwrap_err().to_string();
    assert_eq!(text, "it is in use by another process");
    drop(side);
    lock(&journal);
}

#[test]
fn file_that_cannot_be_read_or_written_is_an_error_and_not_tried_for_ever() {
    let (folder, _) = journal();
    let path = folder.path().join("bytes");
    fs::write(&path, "abc").unwrap();
    let readable = fs::File::open(&path).unwrap();
    let mut buffer = [0; 4];
    assert_eq!(super::place::read_up_to(&readable, &mut buffer, 1).unwrap(), 2);
    assert_eq!(&buffer, b"bc\0\0", "as far as the file goes");
    readable.write_all_at(b"x", 0).unwrap_err();
    let writable = fs::OpenOptions::new().write(true).open(&path).unwrap();
    super::place::read_up_to(&writable, &mut buffer, 0).unwrap_err();
    writable.write_all_at(b"x", 0).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"xbc");
}

#[test]
fn what_is_not_a_side_file_is_refused_and_left_as_it_is() {
    let (folder, journal) = journal();
    let path = Side::path_for(&journal);
    fs::write(&path, "[package]\n").unwrap();
    let error = Side::lock(&journal).unwrap_err();
    assert!(matches!(&error, SideError::Foreign { path: named } if *named == path));
    assert!(
        error.to_string().contains("run.journal.lock is not the lock file of a journal: move it"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "[package]\n");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(Side::lock(&journal), Err(SideError::Foreign { .. })));
    let error = Side::lock(&folder.path().join("no/such")).unwrap_err();
    assert!(
        matches!(&error, SideError::Io { doing: "opened", source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    );
}

#[test]
fn later_format_is_refused_and_left_as_it_is() {
    let (_folder, journal) = journal();
    drop(begun(&journal));
    let path = Side::path_for(&journal);
    let mut bytes = fs::read(&path).unwrap();
    bytes[520] = 9;
    let checksum = crc32fast::hash(&bytes[512..536]);
    bytes[536..540].copy_from_slice(&checksum.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let error = Side::lock(&journal).unwrap_err();
    assert!(matches!(error, SideError::Newer { format: 9, known: 1, .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn every_flipped_bit_and_every_cut_leaves_a_file_that_locks_and_names_nobody_new() {
    let (_folder, journal) = journal();
    let side = begun(&journal);
    let announced: BTreeSet<u128> = (1..=8).map(|number| (number << 64) | (77 * number)).collect();
    let tickets: Vec<Ticket> = announced.iter().map(|one| side.announce(*one, *one >> 64 > 5)).collect();
    side.begin(&tickets[0], true).unwrap();
    side.begin(&tickets[2], true).unwrap();
    side.begin(&tickets[6], false).unwrap();
    side.committed(40).unwrap();
    side.committed(41).unwrap();
    drop(side);
    let path = Side::path_for(&journal);
    let bytes = fs::read(&path).unwrap();
    let whole = lock(&journal).1;
    assert_eq!((whole.marked.len(), whole.last_seq, whole.damaged), (3, 41, false));
    let check = |bytes: &[u8], what: &str| {
        // Not emptied first: a file system may bring to the disk at once what replaces an emptied file.
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file.set_len(bytes.len() as u64).unwrap();
        let (side, left) = Side::lock(&journal).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(left.marked.iter().all(|one| announced.contains(one)), "{what}");
        assert!([0, 40, 41].contains(&left.last_seq), "{what}");
        assert!(left == whole || left.damaged || left.marked.len() < 3 || bytes.is_empty(), "{what}");
        assert!(side.epoch() > whole.epoch, "{what}");
        side.begin_epoch().unwrap();
        drop(side);
        let left = lock(&journal).1;
        assert!(!left.damaged && left.marked.is_empty() && !left.clean, "{what}: it is whole again");
    };
    for length in 0..bytes.len() {
        check(&bytes[..length], &format!("cut at {length}"));
    }
    for bit in 0..8 * bytes.len() {
        // What lies between is never looked at: one bit of each byte will do there.
        if bytes[bit / 8] == 0 && bit % 8 != bit / 8 % 8 {
            continue;
        }
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        check(&flipped, &format!("bit {bit}"));
    }
}

#[test]
fn threads_that_announce_begin_and_end_at_once_are_told_apart() {
    const THREADS: u128 = 4;
    const ROUNDS: u128 = 3000;
    let (_folder, journal) = journal();
    let side = begun(&journal);
    let lasting = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (side, lasting) = (&side, &lasting);
            let work = move || {
                for round in 0..ROUNDS {
                    let identity = (number << 64) | round;
                    let ticket = side.announce(identity, round % 17 == 0);
                    if round % 5 == 0 {
                        side.withdraw(ticket).unwrap();
                        continue;
                    }
                    side.begin(&ticket, round % 3 == 0).unwrap();
                    match round % 500 {
                        1 => lasting.lock().push((identity, ticket)),
                        2 => side.withdraw(ticket).unwrap(),
                        _ => side.end(ticket),
                    }
                }
            };
            thread::Builder::new().spawn_scoped(scope, work).unwrap();
        }
    });
    let named = marks_now(&side);
    let lasting = lasting.into_inner();
    for (identity, _) in &lasting {
        assert!(named.binary_search(identity).is_ok(), "{identity:x} was running");
    }
    for identity in &named {
        assert!(*identity >> 64 < THREADS && (*identity & 0xffff_ffff) < ROUNDS);
        let round = *identity & 0xffff_ffff;
        assert!(round % 5 != 0 && round % 500 != 2, "{identity:x} was given up");
    }
    // Of each thread one at a time, its block with others of it, and those that last.
    assert!(u128::from(side.marks.slots()) <= 2 * THREADS + lasting.len() as u128, "{}", side.marks.slots());
}

/// Starts `child` in a process of its own.
fn child(journal: &Path) -> (Child, BufReader<ChildStdout>) {
    let program = std::env::current_exe().expect("the test's own program");
    let name = "journal::side::tests::work_of_a_child_process";
    let mut child = Command::new(program)
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, journal)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be started");
    let lines = BufReader::new(child.stdout.take().expect("it is piped"));
    (child, lines)
}

/// Not a test by itself: works without end, and tells of each task when it has begun and when it is about to end.
#[test]
fn work_of_a_child_process() {
    let Some(journal) = std::env::var_os(CHILD) else { return };
    let side = begun(Path::new(&journal));
    let mut running = Vec::new();
    let say = |line: String| {
        // One write a line; ends with the parent.
        if std::io::stdout().write_all(line.as_bytes()).is_err() {
            std::process::exit(0);
        }
    };
    say("\nlocked\n".to_owned());
    for number in 0_u128.. {
        let identity = ((number * number) << 40) | number;
        let ticket = side.announce(identity, number % 7 == 0);
        side.begin(&ticket, number % 2 == 0).unwrap();
        say(format!("begun {identity}\n"));
        running.push((identity, ticket));
        if running.len() > 20 {
            let (identity, ticket) = running.remove(usize::try_from(number % 20).unwrap());
            say(format!("ending {identity}\n"));
            if number % 3 == 0 {
                side.withdraw(ticket).unwrap();
            } else {
                side.end(ticket);
            }
        }
        side.committed(u64::try_from(number).unwrap() + 1).unwrap();
        say(format!("committed {}\n", number + 1));
    }
}

#[test]
fn killed_process_leaves_no_lock_and_everybody_that_was_running() {
    let (_folder, journal) = journal();
    // What is left over from the run before counts until this one has committed something.
    let mut seq = 0;
    for lines_seen in [1, 2, 3, 10, 50, 100, 333, 1000, 2000, 3001] {
        let (mut child, lines) = child(&journal);
        let mut lines = lines.lines().map_while(Result::ok).skip_while(|line| line != "locked");
        let (mut running, mut begun) = (BTreeSet::new(), BTreeSet::new());
        let mut note = |line: String| match line.split_once(' ') {
            Some(("begun", identity)) => {
                running.insert(identity.parse::<u128>().unwrap());
                begun.insert(identity.parse::<u128>().unwrap());
            }
            Some(("ending", identity)) => {
                running.remove(&identity.parse::<u128>().unwrap());
            }
            Some(("committed", number)) => seq = number.parse::<u64>().unwrap(),
            _ => {}
        };
        lines.by_ref().take(lines_seen).for_each(&mut note);
        let Err(SideError::Held { holder }) = Side::lock(&journal) else { panic!("the child has it") };
        assert!(holder.starts_with(&format!("process {} (", child.id())), "{holder}");
        child.kill().unwrap();
        // What it said before it died; a last line may be cut off.
        lines.filter(|line| line.split(' ').count() == 2).for_each(note);
        child.wait().unwrap();
        let left = lock(&journal).1;
        assert!(!left.clean && !left.damaged);
        assert!(running.iter().all(|one| left.marked.binary_search(one).is_ok()), "after {lines_seen} lines");
        // It may have died between the number and the word.
        assert!([seq, seq + 1, 1].contains(&left.last_seq), "{} after {seq}", left.last_seq);
        seq = left.last_seq;
        // It may have died between the mark and the word.
        let unknown = left.marked.iter().filter(|one| !begun.contains(one)).count();
        assert!(unknown <= 1, "{unknown} that had not begun");
    }
}

#[test]
fn task_with_a_mark_of_its_own_is_not_suspected_only_though_it_was_marked_with_others_before() {
    let (_folder, journal) = journal();
    let side = begun(&journal);
    let (first, second) = (side.announce(5, false), side.announce(6, false));
    side.begin(&first, false).unwrap();
    side.end(first);
    let again = side.announce(5, true);
    side.begin(&again, true).unwrap();
    drop(side);
    let left = lock(&journal).1;
    assert_eq!((left.marked, left.roughly), (vec![5, 6], vec![6]));
    drop((second, again));
}

#[test]
fn task_that_begins_or_is_given_up_after_the_end_leaves_the_next_holders_marks_alone() {
    let (_folder, journal) = journal();
    let first = begun(&journal);
    let [begins, rests, given_up] = [1, 2, 3].map(|identity| first.announce(identity, true));
    first.begin(&rests, true).unwrap();
    first.begin(&given_up, true).unwrap();
    first.close().unwrap();
    let second = begun(&journal);
    let running: Vec<_> = (10..20).map(|identity| start(&second, identity, true)).collect();
    first.begin(&begins, true).unwrap();
    first.rest(&rests).unwrap();
    first.withdraw(given_up).unwrap();
    drop((second, running));
    assert_eq!(marked(&journal), (10..20).collect::<Vec<_>>());
}
