//! Polling a token beside a bare flag, cancelling many, and how late deadlines fire.

use super::{
    goals::{Goal, Row},
    harness::{Bench, Group},
    table::{Table, at_quantile},
};
use gristmill::CancellationToken;
use std::{
    hint::black_box,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, available_parallelism},
    time::Duration,
};
use tokio_util::sync::CancellationToken as TokioToken;

const CHILDREN: u32 = 10_000;
const DEADLINES: u64 = 300;

pub(crate) fn run(bench: &mut Bench) {
    poll(bench);
    cancel_many(bench);
    lateness(bench);
}

fn below<T: Clone>(root: T, depth: usize, child: impl Fn(&T) -> T) -> T {
    (0..depth).fold(root, |parent, _| child(&parent))
}

fn count(polls: u32, is_cancelled: impl Fn() -> bool) -> u64 {
    (0..polls).filter(|_| !is_cancelled()).count() as u64
}

fn poll(bench: &mut Bench) {
    let title = "cancellation, polling";
    if !bench.wants(title) {
        return;
    }
    let polls = bench.items(20_000_000);
    let expected = u64::from(polls);
    let mut group = Group::new(title, polls, "poll");
    let bare = Arc::new(AtomicBool::new(false));
    group.case("a bare `AtomicBool`, relaxed", expected, move || {
        count(polls, || black_box(&bare).load(Ordering::Relaxed))
    });
    for depth in [0, 2, 100] {
        let token = below(CancellationToken::new(), depth, CancellationToken::child);
        let name = format!("gristmill, depth {depth}");
        group.goal(&name, Goal::OfFirst(2.0));
        group.case(name, expected, move || count(polls, || black_box(&token).is_cancelled()));
    }
    let token = CancellationToken::with_timeout(Duration::from_secs(3600)).child();
    let name = "gristmill, with a deadline";
    group.goal(name, Goal::OfFirst(2.0));
    group.case(name, expected, move || count(polls, || black_box(&token).is_cancelled()));
    let tokio = below(TokioToken::new(), 2, TokioToken::child_token);
    group.case("tokio-util, depth 2", expected, move || count(polls, || black_box(&tokio).is_cancelled()));
    bench.run(group);
}

fn cancel_many(bench: &mut Bench) {
    let title = format!("cancellation of {CHILDREN} children, made for it and dropped after it");
    if !bench.wants(&title) {
        return;
    }
    let children = bench.items(CHILDREN);
    let expected = u64::from(children);
    let mut group = Group::new(title, children, "token");
    group.case("tokio-util", expected, move || {
        let root = TokioToken::new();
        let family: Vec<_> = (0..children).map(|_| root.child_token()).collect();
        root.cancel();
        family.iter().filter(|child| child.is_cancelled()).count() as u64
    });
    group.case("gristmill", expected, move || {
        let root = CancellationToken::new();
        let family: Vec<_> = (0..children).map(|_| root.child()).collect();
        root.cancel();
        family.iter().filter(|child| child.is_cancelled()).count() as u64
    });
    bench.run(group);
}

/// How long after a deadline a thread that waits for the token's receiver runs again: the helper's lateness and one
/// wake-up. Nobody polls and no wait has a limit, so that only the helper can end it.
fn lateness(bench: &mut Bench) {
    let title = "cancellation, from a deadline to the wake-up of a waiting thread";
    if !bench.wants(title) {
        return;
    }
    eprintln!("{title} ...");
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    let name = format!("{title}, milliseconds");
    let mut table = Table::new(name, &["busy threads", "p50", "p99", "largest"]);
    for busy in [0, 1, cores, 8 * cores] {
        let mut late = late(busy, if bench.measures() { DEADLINES } else { 3 });
        late.sort_by(f64::total_cmp);
        let figures = [0.5, 0.99, 1.0].map(|quantile| at_quantile(&late, quantile));
        table.row([vec![busy.to_string()], figures.map(|figure| format!("{figure:.2}")).to_vec()].concat());
        if busy <= cores {
            let case = format!("{busy} busy threads");
            bench.goal(Row::at_most(title, case, (5.0, figures[1]), 2, "ms at p99"));
        }
    }
    table.print();
}

fn late(busy: usize, deadlines: u64) -> Vec<f64> {
    let stop = CancellationToken::new();
    thread::scope(|scope| {
        for _ in 0..busy {
            scope.spawn(|| while !stop.is_cancelled() {});
        }
        let _stops = stop.clone().cancel_on_drop();
        (0..deadlines)
            .map(|number| {
                let token = CancellationToken::with_timeout(Duration::from_micros(1000 + number * 37 % 2000));
                let _ = token.cancelled().recv();
                let late = token.deadline().map_or(Duration::ZERO, |deadline| deadline.elapsed());
                late.as_secs_f64() * 1e3
            })
            .collect()
    })
}
