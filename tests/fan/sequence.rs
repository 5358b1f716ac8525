//! Merges by sequence number.

use crossbeam_channel::{Receiver, bounded};
use gristmill::fan::{Merge, MergeInput, ReceiveError};

use crate::support::{assert_ended, ended};

fn by_number(inputs: impl IntoIterator<Item = Receiver<u64>>, window: usize) -> Merge<u64> {
    Merge::by_sequence(inputs, window, |item| *item)
}

#[track_caller]
fn assert_gap(merge: &mut Merge<u64>, missing: u64, found: u64) {
    for error in [merge.try_recv().unwrap_err(), merge.recv().unwrap_err()] {
        let ReceiveError::Gap { missing: from, found: to } = error else { panic!("{error}") };
        assert_eq!((from, to), (missing, found));
    }
    assert_eq!(merge.next(), None, "an iteration ends, and the next `try_recv` says why");
}

#[test]
fn numbers_come_in_order_whichever_input_has_them() {
    let inputs = [ended([1, 0, 5]), ended([3, 2, 4]), ended([7, 6])];
    assert_eq!(by_number(inputs, 4).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
}

#[test]
fn input_is_not_read_beyond_the_window() {
    let (sender, receiver) = bounded(10);
    let input = MergeInput::from(receiver);
    let (due, other) = bounded(10);
    let mut merge = Merge::by_sequence([input.clone(), other.into()], 3, |item: &u64| *item);
    for number in [1, 2, 3, 4, 5] {
        sender.send(number).unwrap();
    }
    assert!(merge.try_recv().unwrap_err().is_empty());
    assert_eq!(
        input.receiver().len(),
        2,
        "1 and 2 are kept, 3 waits at the window, and the others are not read"
    );
    due.send(0).unwrap();
    assert_eq!(merge.by_ref().take(6).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn window_of_zero_counts_as_one_and_a_huge_one_as_endless() {
    for window in [0, 1, usize::MAX] {
        let merge = by_number([ended([0, 2, 3]), ended([1, 4])], window);
        assert_eq!(merge.collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }
    let mut far = by_number([ended([u64::MAX - 1, 1 << 40])], usize::MAX);
    assert_gap(&mut far, 0, 1 << 40);
    far.skip_to(u64::MAX - 1);
    assert_eq!(far.collect::<Vec<_>>(), [1 << 40, u64::MAX - 1]);
}

#[test]
fn last_number_of_all_comes_once_and_what_comes_after_it_is_late() {
    let (sender, receiver) = bounded(4);
    for number in [u64::MAX, u64::MAX, 7, u64::MAX] {
        sender.send(number).unwrap();
    }
    let mut merge = by_number([receiver], 4);
    merge.skip_to(u64::MAX);
    assert_eq!(merge.recv().unwrap(), u64::MAX);
    for late in [u64::MAX, 7, u64::MAX] {
        let error = merge.recv().unwrap_err();
        assert!(matches!(error, ReceiveError::Late { number } if number == late), "{error}");
        assert_eq!(merge.take_late(), Some(late));
    }
    drop(sender);
    assert_ended(merge.recv());
}

#[test]
fn number_that_may_still_come_is_waited_for() {
    let (sender, receiver) = bounded(2);
    let mut merge = by_number([ended([1]), receiver], 4);
    assert!(merge.try_recv().unwrap_err().is_empty());
    sender.send(0).unwrap();
    assert_eq!(merge.by_ref().take(2).collect::<Vec<_>>(), [0, 1]);
    drop(sender);
    assert_ended(merge.recv());
}

#[test]
fn gap_is_an_error_once_all_inputs_have_ended_and_skipping_it_goes_on() {
    let mut merge = by_number([ended([0, 3]), ended([5])], 8);
    assert_eq!(merge.recv().unwrap(), 0);
    assert_gap(&mut merge, 1, 3);
    merge.skip_to(3);
    assert_eq!(merge.recv().unwrap(), 3);
    assert_gap(&mut merge, 4, 5);
    merge.skip_to(100);
    assert_eq!(merge.recv().unwrap(), 5, "it is there, and its turn is not over");
    assert_ended(merge.recv());
    assert_eq!(merge.take_late(), None);
}

#[test]
fn gap_is_an_error_once_all_inputs_wait_beyond_the_window() {
    let (sender, receiver) = bounded(4);
    let mut merge = by_number([receiver], 2);
    for number in [5, 6] {
        sender.send(number).unwrap();
    }
    assert_gap(&mut merge, 0, 5);
    merge.skip_to(5);
    assert_eq!(merge.by_ref().take(2).collect::<Vec<_>>(), [5, 6]);
    assert!(merge.try_recv().unwrap_err().is_empty());
}

#[test]
fn input_that_may_be_added_may_fill_the_gap() {
    let mut merge = by_number([ended([1])], 2);
    let handle = merge.handle();
    assert!(merge.try_recv().unwrap_err().is_empty());
    handle.add(ended([0])).unwrap();
    drop(handle);
    assert_eq!(merge.collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn numbers_may_be_skipped_before_they_are_missing() {
    let mut merge = by_number([ended([11, 10, 12])], 4);
    merge.skip_to(10);
    merge.skip_to(3);
    assert_eq!(merge.collect::<Vec<_>>(), [10, 11, 12]);
}

#[test]
fn item_that_comes_late_or_twice_is_an_error_and_is_handed_out() {
    let (sender, receiver) = bounded(8);
    let mut merge = by_number([receiver, ended([2])], 8);
    for number in [0, 2, 1, 1, 3] {
        sender.send(number).unwrap();
    }
    drop(sender);
    assert_eq!(merge.by_ref().collect::<Vec<_>>(), [0, 1, 2]);
    for _ in 0..2 {
        let error = merge.recv().unwrap_err();
        assert!(matches!(error, ReceiveError::Late { number: 1 }), "{error}");
    }
    assert_eq!(merge.take_late(), Some(1));
    assert_eq!(merge.by_ref().collect::<Vec<_>>(), [3]);
    assert_eq!(merge.try_recv().unwrap_err().to_string(), "number 2 came too late, or twice");
    assert_eq!((merge.take_late(), merge.take_late()), (Some(2), None));
    assert_ended(merge.recv());
}

#[test]
fn what_was_kept_for_its_turn_goes_back_to_its_input_in_the_order_of_its_arrival() {
    let inputs = [ended([2, 1, 9, 3]), ended([4, 0])].map(MergeInput::from);
    let mut merge = Merge::by_sequence(inputs.clone(), 5, |item: &u64| *item);
    assert_eq!(merge.recv().unwrap(), 0);
    drop(merge);
    let [first, second] = inputs.map(|input| {
        let (held, receiver) = input.into_parts();
        (held, receiver.try_iter().collect::<Vec<_>>())
    });
    assert_eq!(first, (vec![2, 1, 9], vec![3]));
    assert_eq!(second, (vec![4], vec![]));
}
