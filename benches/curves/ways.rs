//! The ways that several curves compare: ordered maps, and pools with many tasks.

use super::{
    looks::{
        BOXED, BY_HAND, CHUNKS, EQUAL_PARTS, EVALUATE, EXECUTE, LOOP, PAR_BRIDGE, PAR_ITER, PARITER,
        PIPELINE, RAYON_SCOPE, SUBMIT, SUBMIT_MANY, THREADPOOL,
    },
    meter::Way,
};
use crate::versus::{
    by_hand, floods,
    grind::{
        Sum::{AnyOrder, InOrder},
        any_order, in_order, work,
    },
    maps, peers, plain, tally,
};
use std::rc::Rc;

/// Items of a chunk where nothing else is said.
pub(crate) const CHUNK: u32 = 256;
/// Fewer chunks than this for each worker, and whoever writes them would have taken smaller ones.
const CHUNKS_EACH: u32 = 8;
/// What has all items in memory gets no more: 160 MB of them and of their results.
const MOST_IN_MEMORY: u32 = 10_000_000;
/// The same for tasks, which take more each: closures, and handles where there are any.
const MOST_TASKS: u32 = 1_000_000;

/// The work in a plain loop: what all others are compared with.
pub(crate) fn plain_loop(stage: impl Fn(u64) -> u64 + 'static) -> Way {
    Way::new(LOOP, InOrder, move |items| (0..items.into()).map(&stage).fold(0, in_order))
}

/// By hand, in chunks of that size.
pub(crate) fn in_chunks(chunk: u32, workers: usize, stage: impl Fn(u64) -> u64 + Sync + 'static) -> Way {
    let threads = u32::try_from(workers).expect("a few threads");
    Way::new(CHUNKS, InOrder, move |items| by_hand::in_chunks(items.into(), chunk.into(), workers, &stage))
        .at_least(CHUNKS_EACH * threads * chunk)
}

/// What rayon does with items that have no order among each other, and with a collected `Vec`.
pub(crate) fn with_rayon(
    workers: usize,
    stage: impl Fn(u64) -> u64 + Clone + Send + Sync + 'static,
) -> [Way; 2] {
    let pool = Rc::new(peers::rayon(workers));
    let (other_pool, other_stage) = (Rc::clone(&pool), stage.clone());
    [
        Way::new(PAR_BRIDGE, AnyOrder, move |items| maps::par_bridge(&pool, items.into(), &stage)),
        Way::new(PAR_ITER, InOrder, move |items| maps::par_iter(&other_pool, items.into(), &other_stage))
            .at_most(MOST_IN_MEMORY),
    ]
}

/// One map of so many rounds for each item.
pub(crate) fn ordered_maps(rounds: u32, workers: usize) -> Vec<Way> {
    let stage = move |index| work(index, rounds);
    let mut ways = vec![
        plain_loop(stage),
        Way::new(EQUAL_PARTS, AnyOrder, move |items| by_hand::static_split(items.into(), workers, stage)),
        Way::new(PARITER, InOrder, move |items| maps::pariter(items.into(), workers, stage)),
        Way::new(BY_HAND, InOrder, move |items| {
            by_hand::per_item(items.into(), by_hand::ITEMS_BOUND, workers, stage)
        }),
        in_chunks(CHUNK, workers, stage),
    ];
    ways.extend(with_rayon(workers, stage));
    ways.push(Way::new(PIPELINE, InOrder, move |items| plain::in_window(items, rounds, workers, None)));
    ways
}

/// Tasks of so many rounds, submitted one by one to pools that are kept; the last one takes them in one call.
pub(crate) fn pools(rounds: u32, workers: usize) -> Vec<Way> {
    let stage = move |index| work(index, rounds);
    let task = move |index| move || tally::add(work(index, rounds));
    let rayon = peers::rayon(workers);
    let threadpool = threadpool::ThreadPool::new(workers);
    let rusty = Rc::new(peers::rusty_pool(workers));
    let pool = Rc::new(plain::pool(workers));
    let (same_rusty, same_pool) = (Rc::clone(&rusty), Rc::clone(&pool));
    vec![
        Way::new(LOOP, AnyOrder, move |items| (0..items.into()).map(stage).fold(0, any_order)),
        Way::new(BOXED, AnyOrder, move |items| floods::boxed(workers, items.into(), task)),
        Way::new(THREADPOOL, AnyOrder, move |items| floods::threadpool(&threadpool, items.into(), task))
            .at_most(MOST_TASKS),
        Way::new(RAYON_SCOPE, AnyOrder, move |items| floods::rayon_scope(&rayon, items.into(), task))
            .at_most(MOST_TASKS),
        Way::new(EXECUTE, AnyOrder, move |items| floods::rusty_pool(&rusty, items.into(), task))
            .at_most(MOST_TASKS),
        Way::new(EVALUATE, AnyOrder, move |items| {
            floods::rusty_pool_with_handles(&same_rusty, items.into(), move |index| move || stage(index))
        })
        .at_most(MOST_TASKS),
        Way::new(SUBMIT, AnyOrder, move |items| plain::with_handles(&pool, items.into(), rounds))
            .at_most(MOST_TASKS),
        Way::new(SUBMIT_MANY, AnyOrder, move |items| plain::in_one_call(&same_pool, items.into(), rounds))
            .at_most(MOST_TASKS),
    ]
}
