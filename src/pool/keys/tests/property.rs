//! Random runs against a plain list of lines.

use proptest::prelude::*;

use super::*;

/// One step of a random run; keys and lines are chosen among few.
#[derive(Clone, Copy, Debug)]
enum Step {
    Enter(u8),
    Leave(usize, bool),
    /// Enters, and undoes it if it is granted.
    EnterInVain(u8),
    Release(u8),
    Take(u8),
    DrainHeld,
    Drain,
}

const KEYS: u8 = 7;

/// Keys of two types, some of one hash.
fn key(which: u8) -> Key {
    match which {
        0..3 => Key::new(which),
        3..6 => Key::new(Colliding(which)),
        _ => Key::new(Colliding(0)).with_hash(Key::new(0_u8).hash()),
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        14 => (0..KEYS).prop_map(Step::Enter),
        9 => (any::<usize>(), prop::bool::weighted(0.3)).prop_map(|(which, failed)| Step::Leave(which, failed)),
        1 => (0..KEYS).prop_map(Step::EnterInVain),
        3 => (0..KEYS).prop_map(Step::Release),
        1 => (0..KEYS).prop_map(Step::Take),
        1 => Just(Step::DrainHeld),
        1 => Just(Step::Drain),
    ];
    prop::collection::vec(step, 0..100)
}

/// A line by the letter of the module's doc.
#[derive(Debug)]
struct ModelLine {
    key: u8,
    id: LineId,
    granted: Option<u32>,
    backlog: Vec<u32>,
}

/// Grants the next of a line, or removes it.
fn advance(model: &mut Vec<ModelLine>, at: usize) -> (Option<u32>, Option<Key>) {
    let line = &mut model[at];
    if line.backlog.is_empty() {
        return (None, Some(key(model.remove(at).key)));
    }
    line.granted = Some(line.backlog.remove(0));
    (line.granted, None)
}

/// Removes the held lines that are chosen.
fn take(model: &mut Vec<ModelLine>, is_chosen: impl Fn(u8) -> bool) -> Taken<u32> {
    let (taken, stay) = std::mem::take(model)
        .into_iter()
        .partition::<Vec<_>, _>(|line| line.granted.is_none() && is_chosen(line.key));
    *model = stay;
    let ended = taken.iter().map(|line| key(line.key)).collect();
    let mut entries: Vec<u32> = taken.into_iter().flat_map(|line| line.backlog).collect();
    entries.sort_unstable();
    Taken { entries, ended }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_that_of_a_plain_list_of_lines(
        bound in prop_oneof![Just(0), Just(2), Just(usize::MAX)],
        on_failure in prop_oneof![Just(KeyFailure::Continue), Just(KeyFailure::DropRest), Just(KeyFailure::Hold)],
        steps in steps(),
    ) {
        let mut table = KeyTable::new(bound, on_failure);
        let mut model: Vec<ModelLine> = Vec::new();
        for (entry, step) in steps.into_iter().enumerate() {
            let entry = u32::try_from(entry).unwrap();
            match step {
                Step::Enter(which) | Step::EnterInVain(which) => {
                    let entered = table.enter(&key(which), entry);
                    if let Some(line) = model.iter_mut().find(|line| line.key == which) {
                        if line.backlog.len() >= bound {
                            prop_assert_eq!(entered, Entered::Full(entry));
                        } else {
                            prop_assert_eq!(entered, Entered::Parked(line.id));
                            line.backlog.push(entry);
                        }
                    } else if matches!(step, Step::EnterInVain(_)) {
                        prop_assert_eq!(table.undo(granted(&entered)), left(None, &[], false, Some(&key(which))));
                    } else {
                        let id = granted(&entered);
                        model.push(ModelLine { key: which, id, granted: Some(entry), backlog: Vec::new() });
                    }
                }
                Step::Leave(which, failed) => {
                    let busy: Vec<usize> = (0..model.len()).filter(|at| model[*at].granted.is_some()).collect();
                    if busy.is_empty() {
                        continue;
                    }
                    let at = busy[which % busy.len()];
                    let id = model[at].id;
                    let expected = if failed && on_failure == KeyFailure::Hold {
                        model[at].granted = None;
                        left(None, &[], true, None)
                    } else {
                        let drops = failed && on_failure == KeyFailure::DropRest;
                        let dropped = if drops { std::mem::take(&mut model[at].backlog) } else { Vec::new() };
                        let (next, ended) = advance(&mut model, at);
                        left(next, &dropped, false, ended.as_ref())
                    };
                    prop_assert_eq!(table.leave(id, failed), expected);
                }
                Step::Release(which) => {
                    let at = model.iter().position(|line| line.key == which && line.granted.is_none());
                    let expected = at.map(|at| {
                        let id = model[at].id;
                        let (next, ended) = advance(&mut model, at);
                        Released { next: next.map(|entry| (id, entry)), ended }
                    });
                    prop_assert_eq!(table.release(&key(which)), expected);
                }
                Step::Take(which) => {
                    prop_assert_eq!(table.take(&key(which)), take(&mut model, |key| key == which));
                }
                Step::DrainHeld => prop_assert_eq!(table.drain_held(), take(&mut model, |_| true)),
                Step::Drain => {
                    let mut all: Vec<u32> =
                        model.iter_mut().flat_map(|line| std::mem::take(&mut line.backlog)).collect();
                    all.sort_unstable();
                    prop_assert_eq!(table.drain(), all);
                }
            }
            prop_assert_eq!(table.len(), model.len());
            prop_assert_eq!(table.parked(), model.iter().map(|line| line.backlog.len()).sum::<usize>());
            for line in &model {
                prop_assert_eq!(table.current(line.id), line.granted);
            }
            let held: Vec<Key> =
                model.iter().filter(|line| line.granted.is_none()).map(|line| key(line.key)).collect();
            prop_assert_eq!(table.held(), held);
        }
    }
}
