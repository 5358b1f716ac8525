//! All threads on one core: what the workers cost where they can only take turns.

use super::harness::Bench;

#[cfg(not(target_os = "linux"))]
pub(crate) fn run(_: &mut Bench) {
    println!("\nskipped: threads are pinned to a core on Linux only");
}

#[cfg(target_os = "linux")]
pub(crate) fn run(bench: &mut Bench) {
    use super::{
        crowd::WORKERS,
        goals::Goal,
        grind::{in_order, ordered_sum, work},
        harness::Group,
        map::SIZES,
        plain::in_window,
    };

    for (rounds, items) in SIZES {
        let title = format!("one core, ordered map, {rounds} rounds per item");
        if !bench.wants(&title) {
            continue;
        }
        let _pinned = Pinned::to_one_core();
        let items = bench.items(items);
        let mut group = Group::new(title, items, "item");
        let ordered = ordered_sum(items, rounds);
        group.case("loop", ordered, move || {
            (0..u64::from(items)).map(|index| work(index, rounds)).fold(0, in_order)
        });
        for workers in [2, WORKERS] {
            let name = format!("gristmill, {workers} workers");
            if rounds >= 100 {
                group.goal(&name, Goal::OfFirst(1.05));
            }
            group.case(name, ordered, move || in_window(items, rounds, workers, None));
        }
        bench.run(group);
    }
}

/// The calling thread, and all that it starts, on one core until this is dropped.
#[cfg(target_os = "linux")]
struct Pinned(rustix::thread::CpuSet);

#[cfg(target_os = "linux")]
impl Pinned {
    fn to_one_core() -> Self {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

        let all = sched_getaffinity(None).expect("every thread has a set of cores");
        let core = (0..CpuSet::MAX_CPU).find(|core| all.is_set(*core)).expect("it runs on one");
        let mut one = CpuSet::new();
        one.set(core);
        sched_setaffinity(None, &one).expect("it is one of its own");
        Self(all)
    }
}

#[cfg(target_os = "linux")]
impl Drop for Pinned {
    fn drop(&mut self) {
        rustix::thread::sched_setaffinity(None, &self.0).expect("they were its own");
    }
}
