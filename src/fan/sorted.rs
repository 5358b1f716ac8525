//! Merging sorted inputs: the smallest of all first items, which needs one of every input.

use std::cmp::Ordering;
use std::mem;

use super::lines::Lines;

/// What a merge needs of it: one call for an item, so that the comparisons inside of it are compiled with the closure that makes them.
pub(super) trait Smallest<T>: Send {
    fn next(&mut self, lines: &mut Lines<T>) -> Option<T>;
    fn lines_changed(&mut self);
}

/// A tree of losers over the inputs (Knuth, volume 3, 5.4.1), each with its first item; of equal items, that of the input that was added first.
///
/// The next item of the input that won last plays against those that lost on its way up: one comparison for each level of the tree, where a heap makes up to two.
/// The tree is of indices: the items stay with their inputs, where a panic of the comparison leaves them. An input that has ended loses to all others.
pub(super) struct Sorted<F> {
    compare: F,
    /// The input that has the smallest item is at 0; who lost the game at a node is at the node: its children are at twice its place and the one after, and
    /// the inputs themselves would follow the nodes.
    tree: Vec<usize>,
    /// The winner has given its item, and its next one was not looked at yet.
    is_winner_taken: bool,
    /// The indices mean nothing any more: inputs came or went, or a comparison panicked half way.
    is_stale: bool,
}

impl<F> Sorted<F> {
    pub(super) fn new(compare: F) -> Self {
        Self { compare, tree: Vec::new(), is_winner_taken: false, is_stale: true }
    }
}

impl<T, F: FnMut(&T, &T) -> Ordering + Send> Smallest<T> for Sorted<F> {
    fn lines_changed(&mut self) {
        self.is_stale = true;
    }

    fn next(&mut self, lines: &mut Lines<T>) -> Option<T> {
        if self.is_stale {
            if !show_all(lines) {
                return None;
            }
            self.play_all(lines);
        } else if self.is_winner_taken {
            let winner = *self.tree.first()?;
            if !lines.look(winner) && lines.all[winner].is_awaited() {
                return None;
            }
            self.replay(lines, winner);
        }
        let winner = *self.tree.first()?;
        self.is_winner_taken = true;
        lines.take(winner)
    }
}

/// Each input shows its first item; false if one of them has to be waited for.
fn show_all<T>(lines: &mut Lines<T>) -> bool {
    let mut is_ready = true;
    for at in 0..lines.all.len() {
        // All of them, though one is missing: what is there need not be asked for again.
        is_ready &= lines.look(at) || !lines.all[at].is_awaited();
    }
    is_ready
}

impl<F> Sorted<F> {
    fn play_all<T>(&mut self, lines: &Lines<T>)
    where
        F: FnMut(&T, &T) -> Ordering,
    {
        let count = lines.all.len();
        // The winners of the nodes, and behind them the inputs.
        let mut winners: Vec<usize> = (0..count).chain(0..count).collect();
        self.tree.clear();
        self.tree.resize(count, 0);
        for node in (1..count).rev() {
            let (one, other) = (winners[2 * node], winners[2 * node + 1]);
            (winners[node], self.tree[node]) =
                if self.is_before(lines, one, other) { (one, other) } else { (other, one) };
        }
        if let Some(first) = self.tree.first_mut() {
            // A single input has no game to play: it stands where the winner of the first would.
            *first = winners[1];
        }
        (self.is_stale, self.is_winner_taken) = (false, false);
    }

    /// The input that won last has another item, or none any more.
    fn replay<T>(&mut self, lines: &Lines<T>, mut winner: usize)
    where
        F: FnMut(&T, &T) -> Ordering,
    {
        self.is_stale = true; // unless no comparison panics
        let mut node = usize::midpoint(winner, self.tree.len());
        while node > 0 {
            let other = self.tree[node];
            if self.is_before(lines, other, winner) {
                winner = mem::replace(&mut self.tree[node], winner);
            }
            node /= 2;
        }
        self.tree[0] = winner;
        (self.is_stale, self.is_winner_taken) = (false, false);
    }

    /// Whether the first item of one input belongs before that of another one.
    #[inline]
    fn is_before<T>(&mut self, lines: &Lines<T>, one: usize, other: usize) -> bool
    where
        F: FnMut(&T, &T) -> Ordering,
    {
        match (lines.all[one].head(), lines.all[other].head()) {
            (Some(a), Some(b)) => (self.compare)(a, b).then(one.cmp(&other)).is_lt(),
            (head, _) => head.is_some(),
        }
    }
}
