//! The same batch without a journal, with one, and told again from it (with the feature `journal`): empty tasks, short ones, and some of 100 µs;
//! through a pool and through a pipeline.

use std::path::Path;

use gristmill::combine::as_completed;
use gristmill::journal::{CallError, Durability, DurableHandle, Journal};
use gristmill::{CancellationToken, Pipeline, Submitter, ThreadPool};
use tempfile::TempDir;

use super::{
    goals::Goal,
    grind::{any_order, unordered_sum, work},
    harness::{Bench, Group},
};

/// Rounds per task and tasks.
const SIZES: [(u32, u32); 4] = [(0, 200_000), (0, 1_000_000), (16_000, 40_000), (39_000, 60_000)];

pub(crate) fn run(bench: &mut Bench) {
    run_pools(bench);
    run_pipelines(bench);
}

fn run_pools(bench: &mut Bench) {
    for (rounds, tasks) in SIZES {
        let title = format!("journal, {tasks} tasks, {rounds} rounds per task");
        if !bench.wants(&title) {
            continue;
        }
        let (tasks, workers) = (bench.items(tasks), bench.workers());
        let mut group = Group::new(title, tasks, "task");
        let expected = unordered_sum(tasks, rounds);
        let pool = move || ThreadPool::builder().workers(workers).build().expect("a pool");
        group
            .case("pool, handles as completed", expected, move || plain(&pool(), tasks, rounds))
            .as_yardstick();
        for (name, durability) in [
            ("recorded, survives a crash of the process", Durability::ProcessCrash),
            ("recorded, survives the loss of power", Durability::PowerLoss),
        ] {
            group.case(name, expected, move || {
                let folder = tempfile::tempdir().expect("a folder");
                recorded(&folder.path().join("journal"), durability, &pool(), tasks, rounds)
            });
        }
        let folder = TempDir::new().expect("a folder");
        let mut is_recorded = false;
        group.case("told again", expected, move || {
            let file = folder.path().join("journal");
            if !is_recorded {
                recorded(&file, Durability::ProcessCrash, &pool(), tasks, rounds);
                is_recorded = true;
            }
            recorded(&file, Durability::ProcessCrash, &pool(), tasks, rounds)
        });
        group.yardstick("to the pool");
        goals(&mut group, rounds, tasks);
        bench.run(group);
    }
}

fn goals(group: &mut Group<'_>, rounds: u32, tasks: u32) {
    let recorded = "recorded, survives a crash of the process";
    match (rounds, tasks) {
        (0, 1_000_000) => {
            group.goal(recorded, Goal::Milliseconds(4000.0));
            group.goal("told again", Goal::Milliseconds(4000.0));
        }
        (0, _) => group.goal(recorded, Goal::OverFirst(2000.0)),
        // Tasks of 100 us.
        (39_000, _) => {
            group.goal(recorded, Goal::OfFirst(1.02));
            group.goal("recorded, survives the loss of power", Goal::OfFirst(1.05));
        }
        _ => {}
    }
}

fn run_pipelines(bench: &mut Bench) {
    for (rounds, tasks) in [(0, 200_000), (39_000, 60_000)] {
        let title = format!("journal in a pipeline, {tasks} tasks, {rounds} rounds per task");
        if !bench.wants(&title) {
            continue;
        }
        let (tasks, workers) = (bench.items(tasks), bench.workers());
        let mut group = Group::new(title, tasks, "task");
        let expected = unordered_sum(tasks, rounds);
        group.case("pipeline", expected, move || plain_pipeline(workers, tasks, rounds)).as_yardstick();
        for (name, durability) in [
            ("recorded, survives a crash of the process", Durability::ProcessCrash),
            ("recorded, survives the loss of power", Durability::PowerLoss),
        ] {
            group.case(name, expected, move || {
                let folder = tempfile::tempdir().expect("a folder");
                recorded_pipeline(&folder.path().join("journal"), durability, workers, tasks, rounds)
            });
        }
        group.yardstick("to the pipeline");
        bench.run(group);
    }
}

fn plain_pipeline(workers: usize, tasks: u32, rounds: u32) -> u64 {
    let mut sum = 0;
    Pipeline::from_iter(0..u64::from(tasks))
        .workers(workers)
        .map("work", |index| work(index, rounds))
        .for_each_local("sum", |value| sum = any_order(sum, value))
        .run(&CancellationToken::new())
        .expect("no panic");
    sum
}

fn recorded_pipeline(file: &Path, durability: Durability, workers: usize, tasks: u32, rounds: u32) -> u64 {
    let journal = Journal::builder().durability(durability).open(file).expect("it opens");
    let function = journal.scope("bench").handler("work", 1, move |_, index: &u64| Ok(work(*index, rounds)));
    let mut sum = 0;
    Pipeline::from_iter(0..u64::from(tasks))
        .workers(workers)
        .try_map("work", |index| Ok::<_, CallError<u64>>(function.run(index, index)?))
        .try_blocking("recorded", 1, |handle: DurableHandle<u64>| Ok(handle.wait()?))
        .for_each_local("sum", |value| sum = any_order(sum, value))
        .run(&CancellationToken::new())
        .expect("all are taken");
    journal.close().expect("it closes");
    sum
}

fn plain(pool: &Submitter<'static>, tasks: u32, rounds: u32) -> u64 {
    let handles = (0..u64::from(tasks)).map(|index| pool.submit(move || work(index, rounds)).expect("open"));
    as_completed(handles).map(|(_, value)| value.expect("no panic")).fold(0, any_order)
}

fn recorded(file: &Path, durability: Durability, pool: &Submitter<'static>, tasks: u32, rounds: u32) -> u64 {
    let journal = Journal::builder().durability(durability).open(file).expect("it opens");
    let function = journal.scope("bench").handler("work", 1, move |_, index: &u64| Ok(work(*index, rounds)));
    let handles =
        (0..u64::from(tasks)).map(|index| function.submit(pool, index, index).expect("it is taken"));
    let sum = as_completed(handles).map(|(_, value)| value.expect("a value")).fold(0, any_order);
    journal.close().expect("it closes");
    sum
}
