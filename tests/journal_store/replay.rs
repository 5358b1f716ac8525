//! Write, close, open: the same results in the same order, and claims that mean what they say.

use gristmill::journal::probe::{Claimed, Probe};
use gristmill::journal::{Durability, Journal, JournalErrorKind};

use crate::support::{fresh, open, place, read, record, result_of, run};

#[test]
fn what_is_recorded_is_there_after_in_the_same_order() {
    for durability in [Durability::ProcessCrash, Durability::PowerLoss] {
        let (_folder, path) = place();
        let keys: Vec<String> = (0..300).map(|number| format!("file {number}")).collect();
        let told = {
            let journal = Journal::builder().durability(durability).open(&path).expect("it opens");
            let told = record(&run(&journal), keys.iter().map(String::as_str));
            journal.close().expect("it closes");
            told
        };
        let seqs: Vec<u64> = told.iter().map(|told| told.outcome.as_ref().expect("recorded").0).collect();
        assert_eq!(seqs, (1..=300).collect::<Vec<u64>>(), "told in the order of the numbers");
        let journal = open(&path);
        assert_eq!(journal.opening().records, 300);
        assert!(!journal.opening().was_killed);
        assert_eq!((journal.opening().lost, journal.opening().crashed), (0, 0));
        let probe = run(&journal);
        for told in &told {
            let (seq, payload) = read(&probe, &told.key).expect("recorded").expect("whole");
            assert_eq!((seq, payload), (told.outcome.as_ref().expect("recorded").0, result_of(&told.key)));
        }
    }
}

#[test]
fn numbers_go_on_after_the_next_opening() {
    let (_folder, path) = place();
    assert_eq!(record(&run(&open(&path)), ["a", "b"]).len(), 2);
    let told = record(&run(&open(&path)), ["c"]);
    assert_eq!(told[0].outcome.as_ref().expect("recorded").0, 3);
}

#[test]
fn key_is_claimed_once_in_a_run_and_by_one_run_at_a_time() {
    let (_folder, path) = place();
    let journal = open(&path);
    let (first, second) = (run(&journal), run(&journal));
    let work = fresh(first.claim("a", b"1"));
    assert!(matches!(first.claim("a", b"1"), Claimed::Refused(false)));
    assert!(matches!(second.claim("a", b"1"), Claimed::Refused(true)));
    drop(work);
    let work = fresh(second.claim("a", b"1"));
    second.record(work, Vec::new());
    assert!(second.told().outcome.is_ok());
    assert!(matches!(second.claim("a", b"1"), Claimed::Refused(false)));
    assert!(matches!(first.claim("a", b"1"), Claimed::Recorded(_)), "another run replays it");
    assert!(matches!(first.claim("a", b"1"), Claimed::Refused(false)));
}

#[test]
fn other_handlers_and_versions_have_keys_of_their_own() {
    let (_folder, path) = place();
    let journal = open(&path);
    record(&run(&journal), ["a"]);
    let other = Probe::new(&journal, "treble", 1, 9).expect("the journal is well");
    let newer = Probe::new(&journal, "double", 2, 9).expect("the journal is well");
    assert!(matches!(other.claim("a", b"a"), Claimed::Fresh(_)));
    assert!(matches!(newer.claim("a", b"a"), Claimed::Fresh(_)));
    assert!(matches!(run(&journal).claim("a", b"a"), Claimed::Recorded(_)));
}

#[test]
fn changed_input_replaces_the_record_under_a_new_number() {
    let (_folder, path) = place();
    {
        let journal = open(&path);
        record(&run(&journal), ["a", "b"]);
        let probe = run(&journal);
        let Claimed::Changed(work, 1) = probe.claim("a", b"another input") else { panic!("it changed") };
        probe.record(work, b"new".to_vec());
        assert_eq!(probe.told().outcome.expect("recorded").0, 3);
    }
    let journal = open(&path);
    assert_eq!(journal.opening().records, 2, "one record for a task");
    let probe = run(&journal);
    let Claimed::Recorded(again) = probe.claim("a", b"another input") else { panic!("it is recorded") };
    probe.read(&again);
    assert_eq!(probe.told().outcome.expect("whole"), (3, Some(b"new".to_vec())));
}

#[test]
fn recorded_task_can_be_worked_on_again() {
    let (_folder, path) = place();
    let journal = open(&path);
    record(&run(&journal), ["a"]);
    let probe = run(&journal);
    let Claimed::Recorded(again) = probe.claim("a", b"a") else { panic!("it is recorded") };
    let work = probe.again(again).expect("nobody works on it");
    probe.record(work, b"second".to_vec());
    assert_eq!(probe.told().outcome.expect("recorded").0, 2);
}

#[test]
fn longest_key_is_taken_and_a_longer_one_refused() {
    let (_folder, path) = place();
    let key = "k".repeat(4096);
    record(&run(&open(&path)), [key.as_str()]);
    let journal = open(&path);
    let probe = run(&journal);
    assert!(read(&probe, &key).expect("recorded").is_ok());
    assert!(matches!(probe.claim(&"k".repeat(4097), b""), Claimed::KeyTooLong));
}

#[test]
fn keys_and_results_of_any_bytes_come_back() {
    let (_folder, path) = place();
    let keys = ["", "\0", "a\0b", "'\"; DROP TABLE record; --", "\u{10ffff}"];
    record(&run(&open(&path)), keys);
    let journal = open(&path);
    let probe = run(&journal);
    for key in keys {
        assert_eq!(read(&probe, key).expect("recorded").expect("whole").1, result_of(key), "{key:?}");
    }
}

#[test]
fn too_long_a_payload_is_refused_and_the_journal_goes_on() {
    let (_folder, path) = place();
    let journal = Journal::builder().longest_payload(100).open(&path).expect("it opens");
    let probe = run(&journal);
    probe.record(fresh(probe.claim("long", b"")), vec![0; 101]);
    probe.record(fresh(probe.claim("short", b"")), vec![0; 100]);
    let told = probe.told();
    let error = told.outcome.expect_err("too long");
    assert_eq!(
        (told.key.as_str(), error.kind(), error.key()),
        ("long", JournalErrorKind::TooLong, Some("long"))
    );
    assert_eq!(probe.told().outcome.expect("recorded").0, 1, "no number is skipped");
    assert!(journal.failure().is_none());
    fresh(probe.claim("long", b""));
}

#[test]
fn what_comes_after_the_close_is_told_so() {
    let (_folder, path) = place();
    let journal = open(&path);
    let probe = run(&journal);
    let work = fresh(probe.claim("late", b""));
    journal.clone().close().expect("it closes");
    probe.record(work, Vec::new());
    assert_eq!(probe.told().outcome.expect_err("closed").kind(), JournalErrorKind::Closed);
    assert_eq!(journal.flush().expect_err("closed").kind(), JournalErrorKind::Closed);
}
