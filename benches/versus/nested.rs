//! Nested fork-join: a task that starts two and waits for both, down to leaves that work.

use super::{
    grind::{any_order, unordered_sum, work},
    harness::{Bench, Group},
    ours, peers,
};

/// Levels of forks above the leaves.
const DEPTH: u32 = 16;
/// The same where nothing is measured.
const SHALLOW: u32 = 5;

pub(crate) fn run(bench: &mut Bench) {
    let workers = bench.workers();
    let depth = if bench.measures() { DEPTH } else { SHALLOW };
    for rounds in [0, 100, 1000] {
        let title = format!("nested fork-join to depth {depth}, {rounds} rounds per leaf");
        if !bench.wants(&title) {
            continue;
        }
        let pools = (peers::rayon(workers), peers::rayon(workers));
        let leaves = 1 << depth;
        let expected = unordered_sum(leaves, rounds);
        let root = Fork { depth, index: 0, rounds };

        let mut group = Group::new(title, 2 * leaves - 1, "task");
        if rounds > 0 {
            group.ideal(workers);
        }
        group.yardstick("of the fastest peer");
        group.case("loop", expected, move || recursion(root));
        group.case("rayon `join`", expected, || pools.0.install(|| join(root))).as_yardstick();
        group
            .case("rayon `scope` and two `spawn`s", expected, || pools.1.install(|| scope(root)))
            .as_yardstick();
        ours::nested(&mut group, root, expected, workers);
        bench.run(group);
    }
}

/// A node of the tree: a leaf at depth 0, numbered from the left, or a fork.
#[derive(Clone, Copy)]
pub(crate) struct Fork {
    depth: u32,
    index: u64,
    rounds: u32,
}

impl Fork {
    /// The two below, or what the leaf comes to.
    pub(crate) fn split(self) -> Result<[Self; 2], u64> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return Err(work(self.index, self.rounds));
        };
        let below = |index| Self { depth, index, rounds: self.rounds };
        Ok([below(2 * self.index), below(2 * self.index + 1)])
    }
}

fn recursion(node: Fork) -> u64 {
    match node.split() {
        Ok([left, right]) => any_order(recursion(left), recursion(right)),
        Err(leaf) => leaf,
    }
}

fn join(node: Fork) -> u64 {
    match node.split() {
        Ok([left, right]) => {
            let (left, right) = rayon::join(|| join(left), || join(right));
            any_order(left, right)
        }
        Err(leaf) => leaf,
    }
}

fn scope(node: Fork) -> u64 {
    match node.split() {
        Ok([left, right]) => {
            let (mut left_sum, mut right_sum) = (0, 0);
            rayon::scope(|both| {
                both.spawn(|_| left_sum = scope(left));
                both.spawn(|_| right_sum = scope(right));
            });
            any_order(left_sum, right_sum)
        }
        Err(leaf) => leaf,
    }
}
