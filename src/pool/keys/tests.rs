//! What keys, failures and panics do to the table, one by one.

mod property;

use std::hash::{Hash, Hasher};

use super::super::fifo::KEPT;
use super::*;
use crate::panics::catch;

/// A million, or what an interpreter can bear.
const MANY: u32 = if cfg!(miri) { 1_000 } else { 1_000_000 };

/// All of these have the same hash.
#[derive(PartialEq, Eq)]
struct Colliding(u8);

impl Hash for Colliding {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// Panics when it is compared.
struct Incomparable;

impl PartialEq for Incomparable {
    fn eq(&self, _: &Self) -> bool {
        panic!("not comparable")
    }
}

impl Eq for Incomparable {}

impl Hash for Incomparable {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

fn table(bound: usize, on_failure: KeyFailure) -> KeyTable<u32> {
    KeyTable::new(bound, on_failure)
}

fn granted(entered: &Entered<u32>) -> LineId {
    match entered {
        Entered::Granted(id) => *id,
        other => panic!("not granted but {other:?}"),
    }
}

fn parked(entered: &Entered<u32>) -> LineId {
    match entered {
        Entered::Parked(id) => *id,
        other => panic!("not parked but {other:?}"),
    }
}

fn left(next: Option<u32>, dropped: &[u32], is_held: bool, ended: Option<&Key>) -> Left<u32> {
    Left { next, dropped: dropped.to_vec(), is_held, ended: ended.cloned() }
}

#[test]
fn entries_of_one_key_are_granted_one_at_a_time_in_the_order_they_entered() {
    let mut table = table(usize::MAX, KeyFailure::Continue);
    let key = Key::new("alice");
    let id = granted(&table.enter(&key, 0));
    for entry in 1..4 {
        assert_eq!(parked(&table.enter(&Key::new("alice"), entry)), id);
    }
    assert_eq!((table.parked(), table.len()), (3, 1));
    for entry in 0..3 {
        assert_eq!(table.current(id), Some(entry));
        assert_eq!(table.leave(id, false), left(Some(entry + 1), &[], false, None));
    }
    assert_eq!(table.leave(id, false), left(None, &[], false, Some(&key)));
    assert_eq!((table.parked(), table.len(), table.current(id)), (0, 0, None));
    assert_ne!(granted(&table.enter(&key, 4)), id, "a line that has ended does not come back");
}

#[test]
fn keys_with_the_same_hash_have_lines_of_their_own() {
    let mut table = table(usize::MAX, KeyFailure::Continue);
    let ids: Vec<_> =
        (0..5).map(|key| granted(&table.enter(&Key::new(Colliding(key)), u32::from(key)))).collect();
    assert!(ids.iter().all(|id| id.hash == ids[0].hash), "or the test shows nothing");
    for (key, id) in (0..5).zip(&ids) {
        assert_eq!(parked(&table.enter(&Key::new(Colliding(key)), 10 + u32::from(key))), *id);
    }
    // The first, the last, and from the middle.
    for (entry, place) in [0, 4, 2, 1, 3].into_iter().enumerate() {
        let next = 10 + u32::try_from(place).unwrap();
        assert_eq!(table.leave(ids[place], false).next, Some(next));
        assert_eq!(table.leave(ids[place], false).next, None);
        assert_eq!(table.len(), 4 - entry);
    }
}

#[test]
fn keys_of_different_types_are_different_also_with_the_same_hash() {
    let (mut first, second) = (Key::new(7_u32), Key::new(7_i32)); // by themselves they hash alike
    assert_ne!(first.hash(), second.hash(), "the type is hashed");
    assert_ne!(Key::new("a"), Key::new("a".to_owned()));
    assert_eq!(Key::new(("a", 1)), Key::new(("a", 1)));
    first = first.with_hash(second.hash());
    let mut table = table(0, KeyFailure::Continue);
    granted(&table.enter(&first, 0));
    granted(&table.enter(&second, 1));
    assert_eq!(table.len(), 2);
}

#[test]
fn key_that_is_not_equal_to_itself_is_still_found_by_its_clone() {
    /// As a floating-point number may be.
    struct Nan;
    impl Hash for Nan {
        fn hash<H: Hasher>(&self, _: &mut H) {}
    }
    impl PartialEq for Nan {
        fn eq(&self, _: &Self) -> bool {
            false
        }
    }
    impl Eq for Nan {}
    let mut table = table(usize::MAX, KeyFailure::Hold);
    let id = granted(&table.enter(&Key::new(Nan), 0));
    granted(&table.enter(&Key::new(Nan), 1));
    assert!(table.leave(id, true).is_held);
    let held = table.held();
    assert_eq!(table.release(&held[0]).map(|released| released.next), Some(None));
}

#[test]
fn full_backlog_gives_the_entry_back_and_stops_no_other_key() {
    for bound in [0, 1, 3] {
        let mut table = table(bound, KeyFailure::Continue);
        let id = granted(&table.enter(&Key::new(1), 0));
        for entry in 0..u32::try_from(bound).unwrap() {
            parked(&table.enter(&Key::new(1), 1 + entry));
        }
        assert_eq!(table.enter(&Key::new(1), 99), Entered::Full(99));
        assert_eq!((table.parked(), table.len()), (bound, 1));
        granted(&table.enter(&Key::new(2), 50));
        let next = table.leave(id, false).next;
        assert_eq!(next, (bound > 0).then_some(1));
        if next.is_some() {
            assert_eq!(parked(&table.enter(&Key::new(1), 99)), id, "there is room again");
        }
    }
}

#[test]
fn failure_drops_what_waits_at_that_moment_and_the_key_goes_on_with_what_comes() {
    let mut table = table(usize::MAX, KeyFailure::DropRest);
    let key = Key::new('k');
    let id = granted(&table.enter(&key, 0));
    let others = granted(&table.enter(&Key::new('o'), 7));
    parked(&table.enter(&Key::new('o'), 8));
    for entry in 1..4 {
        parked(&table.enter(&key, entry));
    }
    assert_eq!(table.leave(id, false), left(Some(1), &[], false, None), "no failure: nothing is dropped");
    assert_eq!(table.leave(id, true), left(None, &[2, 3], false, Some(&key)));
    assert_eq!((table.parked(), table.len()), (1, 1), "the other key's");
    granted(&table.enter(&key, 4));
    assert_eq!(table.leave(others, true).dropped, [8]);
}

#[test]
fn failure_holds_the_key_until_it_is_released_also_if_nothing_waits() {
    let mut table = table(2, KeyFailure::Hold);
    let key = Key::new(1);
    let id = granted(&table.enter(&key, 0));
    assert_eq!(table.release(&key), None, "busy, not held");
    assert_eq!(table.leave(id, true), left(None, &[], true, None));
    assert_eq!((table.held(), table.current(id)), (vec![key.clone()], None));
    parked(&table.enter(&key, 1));
    parked(&table.enter(&key, 2));
    assert_eq!(table.enter(&key, 3), Entered::Full(3), "the bound counts for held keys, too");
    assert_eq!(table.release(&key), Some(Released { next: Some((id, 1)), ended: None }));
    assert_eq!(table.release(&key), None, "it goes on already");
    assert_eq!(table.leave(id, false), left(Some(2), &[], false, None));
    assert!(table.leave(id, true).is_held);
    assert_eq!(table.release(&key), Some(Released { next: None, ended: Some(key.clone()) }));
    assert_eq!((table.len(), table.release(&key)), (0, None));
}

#[test]
fn entries_of_a_held_key_can_be_taken_back_and_the_key_is_idle_then() {
    let mut table = table(usize::MAX, KeyFailure::Hold);
    let (key, busy) = (Key::new(1), Key::new(2));
    let id = granted(&table.enter(&key, 0));
    granted(&table.enter(&busy, 10));
    for entry in 1..4 {
        parked(&table.enter(&key, entry));
        parked(&table.enter(&busy, 10 + entry));
    }
    assert!(table.leave(id, true).is_held);
    let nothing = Taken { entries: Vec::new(), ended: Vec::new() };
    assert_eq!(table.take(&busy), nothing, "its tasks will run");
    assert_eq!(table.take(&Key::new(3)), nothing);
    assert_eq!(table.take(&key), Taken { entries: vec![1, 2, 3], ended: vec![key.clone()] });
    assert_eq!((table.parked(), table.len(), table.held()), (3, 1, Vec::new()));
    granted(&table.enter(&key, 4));
}

#[test]
fn shutdown_gets_what_is_parked_behind_held_keys_in_submission_order() {
    let mut table = table(usize::MAX, KeyFailure::Hold);
    let keys: Vec<Key> = (0..3).map(Key::new).collect();
    let ids: Vec<_> = keys.iter().map(|key| granted(&table.enter(key, 100))).collect();
    for entry in 0..9 {
        parked(&table.enter(&keys[usize::try_from(entry % 3).unwrap()], entry));
    }
    for id in [ids[2], ids[0]] {
        assert!(table.leave(id, true).is_held);
    }
    assert_eq!(table.held(), [keys[0].clone(), keys[2].clone()]);
    let ended = vec![keys[0].clone(), keys[2].clone()];
    assert_eq!(table.drain_held(), Taken { entries: vec![0, 2, 3, 5, 6, 8], ended });
    assert_eq!((table.parked(), table.len()), (3, 1));
    assert_eq!(table.drain(), [1, 4, 7]);
    assert_eq!((table.parked(), table.len(), table.current(ids[1])), (0, 1, Some(100)));
}

#[test]
fn submission_that_could_not_be_queued_is_undone_without_a_trace() {
    let mut table = table(usize::MAX, KeyFailure::Hold);
    let key = Key::new(1);
    let id = granted(&table.enter(&key, 0));
    assert_eq!(table.undo(id), left(None, &[], false, Some(&key)));
    assert_eq!(table.len(), 0);
    granted(&table.enter(&key, 1));
}

#[test]
fn comparison_that_panics_leaves_the_table_as_it_was() {
    let mut table = table(usize::MAX, KeyFailure::Hold);
    let key = Key::new(Incomparable);
    let id = granted(&table.enter(&key, 0));
    parked(&table.enter(&key, 1));
    let other = Key::new(Incomparable);
    for _ in 0..2 {
        catch(|| "enter", || table.enter(&other, 2)).unwrap_err();
        catch(|| "release", || table.release(&other)).unwrap_err();
        catch(|| "take", || table.take(&other)).unwrap_err();
        assert_eq!((table.parked(), table.len(), table.current(id)), (1, 1, Some(0)));
    }
    granted(&table.enter(&Key::new(1), 3));
    assert_eq!(table.leave(id, false).next, Some(1));
    assert!(table.leave(id, true).is_held);
    assert_eq!(table.take(&key).ended, [key], "a clone needs no comparison");
}

#[test]
fn hash_that_panics_does_so_before_there_is_a_key() {
    #[derive(PartialEq, Eq)]
    struct Unhashable;
    impl Hash for Unhashable {
        fn hash<H: Hasher>(&self, _: &mut H) {
            panic!("no hash")
        }
    }
    let panic = catch(|| "key", || Key::new(Unhashable)).unwrap_err();
    assert_eq!(panic.message(), "no hash");
}

#[test]
fn no_key_is_dropped_by_the_table_while_only_the_table_has_it() {
    /// Says that it is gone; dropping it may do anything, so it must not happen under the lock.
    #[derive(PartialEq, Eq, Hash)]
    struct Loud(std::sync::Arc<()>);
    let alive = std::sync::Arc::new(());
    let key = || Key::new(Loud(std::sync::Arc::clone(&alive)));
    let is_alive = || std::sync::Arc::strong_count(&alive) == 2;
    let mut table = table(usize::MAX, KeyFailure::Hold);

    let id = granted(&table.enter(&key(), 0));
    let left = table.leave(id, false);
    assert!(is_alive() && left.ended.is_some());
    drop(left);
    let id = granted(&table.enter(&key(), 0));
    let _ = table.leave(id, true);
    let released = table.release(&table.held()[0].clone());
    assert!(is_alive() && released.is_some());
    drop(released);
    let id = granted(&table.enter(&key(), 0));
    let _ = table.leave(id, true);
    let taken = table.drain_held();
    assert!(is_alive() && taken.ended.len() == 1);
}

#[test]
fn million_distinct_keys_leave_no_memory_behind() {
    let mut table = table(usize::MAX, KeyFailure::Continue);
    let ids: Vec<_> = (0..MANY).map(|key| granted(&table.enter(&Key::new(key), key))).collect();
    assert!(table.lines.capacity() >= ids.len());
    let (stays, goes) = ids.split_last().unwrap();
    for id in goes {
        assert!(table.leave(*id, false).ended.is_some());
    }
    assert_eq!(table.len(), 1);
    assert!(table.lines.capacity() <= KEPT, "room for {}", table.lines.capacity());
    assert_eq!(table.current(*stays), Some(MANY - 1));
}

#[test]
fn keys_with_one_hash_and_a_long_backlog_leave_no_memory_behind_either() {
    let mut table = table(usize::MAX, KeyFailure::Continue);
    let ids: Vec<_> = (0..=u8::MAX).map(|key| granted(&table.enter(&Key::new(Colliding(key)), 0))).collect();
    for id in &ids[1..] {
        let _ = table.leave(*id, false);
    }
    assert!(table.lines.capacity() <= 2 * KEPT, "room for {}", table.lines.capacity());
    let key = Key::new(Colliding(0));
    for entry in 1..MANY {
        parked(&table.enter(&key, entry));
    }
    for entry in 1..MANY {
        assert_eq!(table.leave(ids[0], false).next, Some(entry));
    }
    assert!(table.lines.get(ids[0]).unwrap().backlog.capacity() <= KEPT);
    assert_eq!((table.parked(), table.leave(ids[0], false).ended), (0, Some(key)));
}
