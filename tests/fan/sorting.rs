//! Merges of sorted inputs.

use crossbeam_channel::bounded;
use gristmill::fan::{Merge, MergeInput};

use crate::support::ended;

#[test]
fn sorted_inputs_give_a_sorted_whole() {
    let inputs: Vec<_> = (0..13).map(|input| ended((0..40).map(move |step| step * 7 + input % 5))).collect();
    let got: Vec<_> = Merge::sorted(inputs).collect();
    assert!(got.len() == 13 * 40 && got.is_sorted());
}

#[test]
fn of_equal_items_that_of_the_earlier_input_comes_first() {
    let inputs = (0..5).map(|input| ended([(1, input), (2, input)]));
    let got: Vec<_> = Merge::sorted_by(inputs, |a, b| a.0.cmp(&b.0)).collect();
    let expected: Vec<_> = [1, 2].iter().flat_map(|key| (0..5).map(move |input| (*key, input))).collect();
    assert_eq!(got, expected);
}

#[test]
fn order_may_be_any() {
    let merge = Merge::sorted_by([ended([9, 5, 1]), ended([8, 2])], |a, b| b.cmp(a));
    assert_eq!(merge.collect::<Vec<_>>(), [9, 8, 5, 2, 1]);
}

#[test]
fn nothing_is_delivered_before_every_input_has_shown_an_item_or_ended() {
    let (first, a) = bounded(2);
    let (second, b) = bounded(2);
    let mut merge = Merge::sorted([a, b]);
    first.send(5).unwrap();
    assert!(merge.try_recv().unwrap_err().is_empty(), "a 3 may come");
    second.send(3).unwrap();
    assert_eq!(merge.try_recv().unwrap(), 3);
    assert!(merge.try_recv().unwrap_err().is_empty(), "a 4 may come");
    drop(second);
    assert_eq!(merge.try_recv().unwrap(), 5);
    assert!(merge.try_recv().unwrap_err().is_empty());
}

#[test]
fn item_that_was_looked_at_goes_back_to_its_input_when_the_merge_is_dropped() {
    let inputs = [ended([1, 4]), ended([2, 3])].map(MergeInput::from);
    let mut merge = Merge::sorted(inputs.clone());
    assert_eq!(merge.recv().unwrap(), 1);
    assert_eq!(merge.recv().unwrap(), 2);
    assert_eq!(inputs[0].receiver().len(), 0, "4 was looked at");
    drop(merge);
    let [(held, rest), (other_held, other)] = inputs.map(MergeInput::into_parts);
    assert_eq!((held, rest.try_iter().collect::<Vec<_>>()), (vec![4], vec![]));
    assert_eq!((other_held, other.try_iter().collect::<Vec<_>>()), (vec![], vec![3]));
}

#[test]
fn input_that_is_not_sorted_loses_nothing() {
    let mut got: Vec<_> = Merge::sorted([ended([5, 1, 3]), ended([2, 4, 0])]).collect();
    got.sort_unstable();
    assert_eq!(got, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn smaller_items_of_an_input_that_is_added_later_come_next() {
    let mut merge = Merge::sorted([ended([5, 6, 7]), ended([5, 8])]);
    assert_eq!(merge.recv().unwrap(), 5);
    merge.add(ended([1, 6]));
    assert_eq!(merge.collect::<Vec<_>>(), [1, 5, 6, 6, 7, 8]);
}

#[test]
fn item_of_eight_inputs_takes_three_comparisons_and_the_first_seven() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let count = Arc::new(AtomicUsize::new(0));
    let inputs = (0..8).map(|input| ended((0..100).map(move |step| step * 8 + input)));
    let counter = Arc::clone(&count);
    let mut merge = Merge::sorted_by(inputs, move |one: &u32, other: &u32| {
        counter.fetch_add(1, Ordering::Relaxed);
        one.cmp(other)
    });
    assert_eq!(merge.by_ref().take(1).collect::<Vec<_>>(), [0]);
    assert_eq!(count.swap(0, Ordering::Relaxed), 7);
    // As long as none of them has ended.
    assert_eq!(merge.by_ref().take(700).collect::<Vec<_>>(), (1..=700).collect::<Vec<_>>());
    assert_eq!(count.load(Ordering::Relaxed), 3 * 700);
}
