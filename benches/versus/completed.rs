//! Results in the order in which the tasks end, of many that are waited for at once.

use super::{
    goals::Row,
    grind::{any_order, unordered_sum, work},
    harness::{Bench, Group},
    ours, peers,
};

/// All tasks of a round, however many are waited for at a time: so the times per task can be compared between the groups.
const TASKS: u32 = 100_000;
const AT_ONCE: [u32; 3] = [1_000, 10_000, 100_000];

/// What has to be linear: the same time for each task, however many are waited for.
const OURS: &str = "gristmill `as_completed`";

pub(crate) fn run(bench: &mut Bench) {
    let mut per_task = Vec::new();
    for at_once in AT_ONCE {
        let title = format!("completion order, {at_once} handles at once");
        if !bench.wants(&title) {
            continue;
        }
        let workers = bench.workers();
        let tasks = bench.items(TASKS);
        let at_once = at_once.min(tasks);
        // A round may be cut down to fewer tasks than are waited for at once, and then to that many.
        let sets = tasks / at_once;
        let mut group = Group::new(title, sets * at_once, "task");
        let sum = unordered_sum(at_once, 0);
        let expected = (0..sets).map(|_| sum).fold(0, any_order);
        ours::completed(&mut group, expected, sets, at_once, workers);
        let runtime = peers::tokio(workers);
        group.case("tokio `JoinSet` of `spawn_blocking`, no bound", expected, move || {
            (0..sets).fold(0, |sum, _| {
                let mut set = tokio::task::JoinSet::new();
                for index in 0..u64::from(at_once) {
                    set.spawn_blocking_on(move || work(index, 0), runtime.handle());
                }
                let all = async {
                    let mut sum = 0;
                    while let Some(result) = set.join_next().await {
                        sum = any_order(sum, result.expect("the task does not panic"));
                    }
                    sum
                };
                any_order(sum, runtime.block_on(all))
            })
        });
        let medians = bench.run(group);
        per_task.extend(medians.into_iter().find(|(name, _)| name == OURS));
    }
    if let [(_, few), .., (_, many)] = &*per_task {
        let title = format!("completion order, {} handles against {}", AT_ONCE[2], AT_ONCE[0]);
        bench.goal(Row::at_most(title, OURS, (1.25, many / few), 2, "of the time per task"));
    }
}
