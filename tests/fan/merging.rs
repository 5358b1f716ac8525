//! Fair merges and merges by priority; ends, waits and additions of all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use gristmill::CancellationToken;
use gristmill::fan::{Merge, MergeInput};

use crate::support::{LONG, MOMENT, assert_ended, ended, spawn};

#[test]
fn merge_and_its_handle_cross_threads() {
    fn check<T: Send>() {}
    check::<Merge<std::cell::Cell<u8>>>();
    check::<gristmill::fan::MergeHandle<std::cell::Cell<u8>>>();
    check::<MergeInput<std::cell::Cell<u8>>>();
}

/// Each kind of merge over the same inputs, whose items are sorted, and numbered over all.
fn all_kinds(inputs: &[Receiver<u64>]) -> Vec<Merge<u64>> {
    let inputs = || inputs.iter().cloned();
    vec![
        Merge::fair(inputs()),
        Merge::by_priority(inputs()),
        Merge::sorted(inputs()),
        Merge::by_sequence(inputs(), 2, |item| *item),
    ]
}

#[test]
fn merge_of_nothing_ends_at_once() {
    for mut merge in all_kinds(&[]) {
        assert_ended(merge.try_recv());
        assert_ended(merge.recv());
        assert_ended(merge.recv_timeout(Duration::MAX));
        assert_ended(merge.recv_with(&CancellationToken::new()));
        assert_eq!(merge.next(), None);
    }
}

#[test]
fn merge_ends_when_all_inputs_have_ended_and_gave_every_item_once() {
    for kind in 0..4 {
        let inputs = [ended([0, 3, 4]), ended([]), ended([1, 2, 5])];
        let merge = &mut all_kinds(&inputs)[kind];
        let mut got: Vec<_> = merge.by_ref().collect();
        assert_ended(merge.try_recv());
        if kind >= 2 {
            assert_eq!(got, [0, 1, 2, 3, 4, 5]);
        }
        got.sort_unstable();
        assert_eq!(got, [0, 1, 2, 3, 4, 5], "{merge:?}");
    }
}

#[test]
fn every_form_of_receiving_has_its_end() {
    for kind in 0..4 {
        let (sender, receiver) = bounded(4);
        let merge = &mut all_kinds(&[receiver])[kind];
        assert!(merge.try_recv().unwrap_err().is_empty());
        assert!(merge.recv_timeout(Duration::ZERO).unwrap_err().is_timed_out());
        assert!(merge.recv_timeout(MOMENT).unwrap_err().is_timed_out());
        let token = CancellationToken::with_timeout(MOMENT);
        assert!(merge.recv_with(&token).unwrap_err().is_cancelled());
        sender.send(0).unwrap();
        assert!(merge.recv_with(&token).unwrap_err().is_cancelled(), "though an item is there");
        assert_eq!(merge.recv_timeout(Duration::MAX).unwrap(), 0);
        sender.send(1).unwrap();
        assert_eq!(merge.until(&CancellationToken::new()).next(), Some(1));
        assert_eq!(merge.until(&token).next(), None);
        assert!(merge.try_recv().unwrap_err().is_empty(), "so it was the token that ended the iteration");
    }
}

#[test]
fn merge_that_waits_is_woken_by_an_item_an_end_and_a_token() {
    for kind in 0..4 {
        let (sender, receiver) = bounded(1);
        let mut merge = all_kinds(&[receiver, ended([])]).swap_remove(kind);
        let token = CancellationToken::new();
        let waiter = {
            let token = token.clone();
            spawn(move || {
                let first = merge.recv();
                let second = merge.recv_with(&token);
                (first, second, merge.recv())
            })
        };
        sender.send(0).unwrap();
        // The second call may not have begun: then it is refused at once.
        token.cancel();
        drop(sender);
        let (first, second, third) = waiter.join().unwrap();
        assert_eq!(first.unwrap(), 0);
        let second = second.unwrap_err();
        assert!(second.is_cancelled() || second.is_ended());
        assert_ended(third);
    }
}

#[test]
fn fair_merge_takes_turns_of_the_length_that_is_set() {
    for (length, turn) in [(1, 1), (0, 1), (3, 3)] {
        let inputs = [ended(0..9), ended(100..109), ended(200..204)];
        let got: Vec<_> = Merge::fair(inputs).turn(length).collect();
        let mut expected = Vec::new();
        let mut left = [(0..9), (100..109), (200..204)];
        while expected.len() < 22 {
            for numbers in &mut left {
                expected.extend(numbers.take(turn));
            }
        }
        assert_eq!(got, expected);
    }
}

#[test]
fn input_waits_for_no_more_than_a_turn_of_each_of_the_others() {
    let inputs: Vec<_> = (0..8_usize).map(|input| ended((0..500).map(move |_| input))).collect();
    let mut since = [0; 8];
    for (index, input) in Merge::fair(inputs).enumerate() {
        if index >= 8 * 480 {
            break; // the first end soon, and then the turns are others
        }
        for count in &mut since {
            *count += 1;
        }
        since[input] = 0;
        assert!(since.iter().all(|count| *count <= 7 * 64), "{since:?}");
    }
}

#[test]
fn higher_input_always_comes_first() {
    let (urgent, urgent_input) = bounded(4);
    let (ordinary, ordinary_input) = bounded(4);
    let mut merge = Merge::by_priority([urgent_input, ordinary_input]);
    for item in [10, 11] {
        ordinary.send(item).unwrap();
    }
    assert_eq!(merge.recv().unwrap(), 10);
    urgent.send(1).unwrap();
    urgent.send(2).unwrap();
    assert_eq!(merge.by_ref().take(3).collect::<Vec<_>>(), [1, 2, 11]);
}

#[test]
fn input_is_added_by_the_receiver_itself() {
    for kind in 0..4 {
        let merge = &mut all_kinds(&[ended([0])])[kind];
        assert_eq!(merge.recv().unwrap(), 0);
        assert_ended(merge.try_recv());
        merge.add(ended([1, 2]));
        assert_eq!(merge.by_ref().collect::<Vec<_>>(), [1, 2]);
    }
}

#[test]
fn input_is_added_from_another_thread_and_wakes_the_merge_which_ends_after_the_last_handle() {
    for kind in 0..4 {
        let mut merge = all_kinds(&[]).swap_remove(kind);
        let handle = merge.handle();
        let other = merge.handle();
        assert!(merge.try_recv().unwrap_err().is_empty(), "more may come");
        let waiter = spawn(move || merge.by_ref().collect::<Vec<_>>());
        handle.add(ended([0])).unwrap();
        drop(handle);
        other.clone().add(ended([1])).unwrap();
        drop(other);
        let mut got = waiter.join().unwrap();
        got.sort_unstable();
        assert_eq!(got, [0, 1]);
    }
}

#[test]
fn handle_can_be_made_again_after_the_last_one_was_dropped() {
    let mut merge = Merge::fair([ended([1])]);
    let handle = merge.handle();
    handle.add(ended([2])).unwrap();
    drop(handle);
    let handle = merge.handle();
    handle.add(ended([3])).unwrap();
    drop(handle);
    assert_eq!(merge.collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn input_for_a_merge_that_is_gone_comes_back() {
    let mut merge = Merge::fair([ended([1])]);
    let handle = merge.handle();
    handle.add(ended([2])).unwrap();
    let inputs = merge.into_inputs();
    let left: Vec<_> = inputs.into_iter().map(|input| input.into_parts().1.recv().unwrap()).collect();
    assert_eq!(left, [1, 2], "what was added and not let in is an input too");
    let refused = handle.add(ended([3])).unwrap_err();
    assert_eq!(refused.receiver().recv(), Ok(3));
}

#[test]
fn what_a_fair_merge_did_not_deliver_is_in_its_channel() {
    for kind in 0..2 {
        let inputs = [ended([0, 1, 2]), ended([10, 11, 12])];
        let mut merge = all_kinds(&inputs).swap_remove(kind);
        let mut all: Vec<_> = merge.by_ref().take(2).collect();
        drop(merge);
        all.extend(inputs.iter().flat_map(Receiver::try_iter));
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 10, 11, 12]);
    }
}

#[test]
fn merge_of_inputs_with_items_given_back_begins_with_those() {
    let inputs = [ended([1, 4]), ended([2, 3])].map(MergeInput::from);
    let mut merge = Merge::sorted(inputs);
    assert_eq!(merge.recv().unwrap(), 1);
    let mut again = Merge::sorted(merge.into_inputs());
    assert_eq!(again.recv().unwrap(), 2);
    assert_eq!(Merge::by_priority(again.into_inputs()).collect::<Vec<_>>(), [4, 3]);
}

#[test]
fn rendezvous_channels_can_be_merged() {
    let (sender, receiver) = bounded(0);
    let (other_sender, other) = bounded(0);
    let senders = [(sender, 0), (other_sender, 10)]
        .map(|(sender, first)| spawn(move || (first..first + 5).for_each(|item| sender.send(item).unwrap())));
    let mut got: Vec<_> = Merge::fair([receiver, other]).collect();
    got.sort_unstable();
    assert_eq!(got, [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]);
    for sender in senders {
        sender.join().unwrap();
    }
}

#[test]
fn producers_that_come_and_go_are_all_heard() {
    const ITEMS: usize = 500;
    let mut merge = Merge::fair(Vec::<Receiver<usize>>::new());
    let handle = merge.handle();
    let sent = Arc::new(AtomicUsize::new(0));
    let producers: Vec<_> = (0..4)
        .map(|_| {
            let (handle, sent) = (handle.clone(), sent.clone());
            spawn(move || {
                for _ in 0..5 {
                    let (sender, receiver) = bounded(3);
                    handle.add(receiver).unwrap();
                    for _ in 0..ITEMS / 5 {
                        sender.send_timeout(sent.fetch_add(1, SeqCst), LONG).unwrap();
                    }
                }
            })
        })
        .collect();
    drop(handle);
    let mut got: Vec<_> = merge.by_ref().collect();
    for producer in producers {
        producer.join().unwrap();
    }
    got.sort_unstable();
    assert_eq!(got, (0..4 * ITEMS).collect::<Vec<_>>());
    assert_eq!(format!("{merge:?}"), "Merge { order: \"fair\", inputs: 0, .. }");
}
