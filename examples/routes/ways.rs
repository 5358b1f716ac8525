//! The same table in every way, one function each.

use std::error::Error;

use gristmill::{CancellationToken, Done, ErrorGroup, FailureKind, Pipeline, ThreadPool};

use crate::channels::channels;
use crate::enrich::process;
use crate::parse::{BadLine, Line};
use crate::table::Table;

type Outcome = Result<Table, Box<dyn Error>>;
type Way = fn(&[Line<'_>], usize) -> Outcome;

pub(crate) const ALL: [(&str, Way); 6] = [
    ("pool, map", map),
    ("pool, handles", handles),
    ("pool, map_reduce", map_reduce),
    ("pipeline", pipeline),
    ("channels", channels),
    ("error group", group),
];

/// How many threads there are without `--workers`.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A plain loop, which says what the others have to give.
pub(crate) fn one_thread(lines: &[Line<'_>]) -> Table {
    lines.iter().map(|line| process(*line)).collect()
}

/// For what is in memory already, and all results are wanted together.
fn map(lines: &[Line<'_>], workers: usize) -> Outcome {
    let results =
        ThreadPool::builder().workers(workers).scope(|pool| pool.map(lines, |line| process(*line)))?;
    Ok(results?.into_iter().collect())
}

/// For results that are wanted one by one: here by the block, since a line is little for a task.
fn handles(lines: &[Line<'_>], workers: usize) -> Outcome {
    ThreadPool::builder().workers(workers).scope(|pool| {
        let blocks = lines.chunks(64).map(|block| pool.submit(|| one_thread(block)));
        let blocks = blocks.collect::<Result<Vec<_>, _>>().map_err(|refused| refused.to_string())?;
        let mut whole = Table::default();
        for block in blocks {
            whole = whole.merge(block.wait()?);
        }
        Ok(whole)
    })?
}

/// For one result that is made of results of neighbours.
fn map_reduce(lines: &[Line<'_>], workers: usize) -> Outcome {
    let blocks: Vec<_> = lines.chunks(64).collect();
    let whole = ThreadPool::builder()
        .workers(workers)
        .scope(|pool| pool.map_reduce_iter(&blocks, |block| one_thread(block), Table::merge))?;
    Ok(whole?.unwrap_or_default())
}

/// For a stream: lines are stored in their order, and no more than the window are in memory.
pub(crate) fn pipeline(lines: &[Line<'_>], workers: usize) -> Outcome {
    let mut table = Table::default();
    Pipeline::from_slice(lines)
        .workers(workers)
        .map("process", |line| process(*line))
        .for_each("store", |line| table.add(line))
        .run(&CancellationToken::new())?;
    Ok(table)
}

/// For tasks of which each may fail. This group collects all errors; by default the first would end it.
fn group(lines: &[Line<'_>], workers: usize) -> Outcome {
    ErrorGroup::builder().limit(workers).done(Done::all_finished()).scope(|group| {
        for line in lines {
            group.spawn(|| process(*line)).map_err(|refused| refused.to_string())?;
        }
        // The failures can be looked at, but not taken out, so each is cloned.
        let report = group.into_report();
        let mut table = Table::default();
        for failure in report.failures() {
            match failure.kind() {
                FailureKind::Failed(bad) => table.add(Err(BadLine::clone(bad))),
                _ => return Err(failure.to_string().into()),
            }
        }
        report.into_values().into_iter().for_each(|route| table.add(Ok(route)));
        Ok(table)
    })?
}
