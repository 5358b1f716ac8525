//! A store that fails at every k-th call: nothing is delivered as recorded after it, what was delivered is there, and it opens again.

use gristmill::journal::probe::{self, Claimed, Memory};
use gristmill::journal::{Journal, JournalErrorKind};

use crate::support::{fresh, read, result_of, run};

const KEYS: usize = 12;

fn keys() -> Vec<String> {
    (0..KEYS).map(|number| format!("key {number}")).collect()
}

/// Records all keys, one after the other and then several at once; the keys that were told to be recorded, in order.
fn batch(memory: &Memory) -> Result<Vec<String>, String> {
    let journal =
        probe::open(Journal::builder().queue_bound(4), memory).map_err(|error| error.to_string())?;
    let probe = run(&journal);
    let mut recorded = Vec::new();
    let (mut has_failed, mut was_told) = (false, false);
    let keys = keys();
    let (single, several) = keys.split_at(KEYS / 2);
    let groups = single.chunks(1).chain(several.chunks(3));
    for group in groups {
        let mut handed = 0;
        for key in group {
            match probe.claim(key, key.as_bytes()) {
                Claimed::Fresh(work) => {
                    probe.record(work, result_of(key));
                    handed += 1;
                }
                Claimed::Recorded(_) => recorded.push(key.clone()),
                Claimed::Failed(_) => has_failed = true,
                other => panic!("{other:?}"),
            }
        }
        for _ in 0..handed {
            let told = probe.told();
            match told.outcome {
                Ok(_) => {
                    assert!(!was_told, "{} is delivered after a failure", told.key);
                    recorded.push(told.key);
                }
                Err(error) => {
                    assert_eq!(error.kind(), JournalErrorKind::Io, "{error}");
                    (has_failed, was_told) = (true, true);
                }
            }
        }
    }
    if has_failed {
        assert!(journal.failure().is_some() && journal.flush().is_err() && journal.close().is_err());
    }
    Ok(recorded)
}

#[test]
fn every_call_fails_once_and_nothing_is_delivered_after_it() {
    for is_kept in [false, true] {
        for k in 1.. {
            let memory = Memory::new(true);
            memory.fail_at(k, is_kept);
            let delivered = batch(&memory).unwrap_or_default();
            let calls = memory.calls();
            // The cause is gone: what was delivered is there, with its bytes, in its order.
            memory.fail_at(usize::MAX, false);
            let journal = probe::open(Journal::builder(), &memory).expect("it opens again");
            let probe = run(&journal);
            let mut last = 0;
            for key in &delivered {
                let (seq, payload) = read(&probe, key).expect("it was delivered").expect("whole");
                assert!(seq > last, "call {k}: {key} is out of order");
                assert_eq!(payload, result_of(key));
                last = seq;
            }
            drop((probe, journal));
            assert_eq!(batch(&memory).expect("it is well").len(), KEYS, "call {k}: the rest runs");
            if calls < k {
                assert_eq!(delivered.len(), KEYS);
                break;
            }
        }
    }
}

#[test]
fn power_cut_leaves_a_prefix_and_with_a_sync_for_each_commit_all() {
    for syncs_each in [false, true] {
        let memory = Memory::new(syncs_each);
        let delivered = batch(&memory).expect("it is well");
        for more in 0..KEYS {
            let left = memory.after_power_cut(more);
            let journal = probe::open(Journal::builder(), &left).expect("it opens");
            let probe = run(&journal);
            let there: Vec<bool> = delivered.iter().map(|key| read(&probe, key).is_some()).collect();
            let whole = there.iter().take_while(|is_there| **is_there).count();
            assert!(there[whole..].iter().all(|is_there| !is_there), "a prefix: {there:?}");
            assert!(!syncs_each || whole == KEYS);
        }
    }
}

#[test]
fn failed_read_fails_the_reader_and_the_journal() {
    let memory = Memory::new(true);
    batch(&memory).expect("it is well");
    let journal = probe::open(Journal::builder(), &memory).expect("it opens");
    let probe = run(&journal);
    memory.fail_at(1, false);
    assert!(read(&probe, "key 0").expect("recorded").is_err());
    let Claimed::Failed(error) = probe.claim("another", b"") else { panic!("it has failed") };
    assert_eq!(error.kind(), JournalErrorKind::Io);
}

#[test]
fn work_that_is_given_up_is_free_again_after_a_failure_too() {
    let memory = Memory::new(true);
    let journal = probe::open(Journal::builder(), &memory).expect("it opens");
    let probe = run(&journal);
    let work = fresh(probe.claim("a", b""));
    assert_eq!(work.crashes(), 0);
    memory.fail_at(1, false);
    probe.record(work, Vec::new());
    assert!(probe.told().outcome.is_err());
    assert!(probe.told_so_far().is_none(), "told once");
}
