//! gristmill and its peers on the same work in the same run.
//!
//! ```text
//! cargo bench --bench versus                                  # everything, some minutes
//! cargo bench --bench versus -- map                           # the groups whose title contains "map"
//! cargo bench --bench versus -- map --rounds 9 --workers 4
//! taskset -c 0 cargo bench --bench versus -- map              # Linux: all threads pinned to one core
//! cargo bench --bench versus -- flood                         # the pool: submitting one by one
//! cargo bench --bench versus -- "round trip"                  # one task at a time
//! cargo bench --bench versus -- "map over a slice"            # ordered results of borrowed items
//! cargo bench --bench versus -- keyed                         # items of one key one at a time
//! cargo bench --bench versus -- blocking                      # calls that wait
//! cargo bench --bench versus -- nested --workers 1            # tasks that wait for tasks
//! cargo bench --bench versus -- semaphore                     # permits, alone and in a crowd
//! cargo bench --bench versus -- breaker                       # what a circuit breaker adds to a call
//! cargo bench --bench versus -- limiter                       # what asking a rate limiter costs
//! cargo bench --bench versus -- "object pool"                # buffers used again, alone and in a crowd
//! cargo bench --bench versus -- "error group"                # what a task of a group costs
//! cargo bench --bench versus -- "completion order"           # whatever ends first, of many
//! cargo bench --bench versus -- "lone item"                  # from the sending of an item to its arrival
//! cargo bench --bench versus -- latency                       # from a cancellation to the end of the run
//! cargo bench --bench versus -- uneven                        # stages of ten to one
//! cargo bench --bench versus -- becomes                       # items that become many others
//! cargo bench --bench versus -- observed                      # a pipeline that is looked at
//! cargo bench --bench versus --features journal -- journal   # a batch that is recorded, and told again
//! cargo bench --bench versus -- fan-                          # one sender to many receivers, and many to one
//! cargo bench --bench versus -- cancellation                  # polling a token, deadlines
//! cargo bench --bench versus -- pgzip                         # the example beside pigz, at levels 1, 6 and 9
//! cargo bench --bench versus -- treesum                       # the example beside find and sha256sum
//! ```
//!
//! Every case of a group runs once per round, the rounds interleave the cases, and each round starts with another
//! case, so that a disturbance of the machine falls on all of them alike. The first round warms up and is dropped.
//! Printed are the median with the smallest and the largest value, and the ratio of the medians to the first case
//! of the group, which is the plain sequential loop wherever there is one. Where it says something, a column tells by
//! how much a case misses the loop divided by the workers (by the cores, if they are fewer), and another one how it
//! stands to the fastest of the peers. Compare only inside one table. A table says so below when something else ran on
//! the machine: the loop waited for a core, or moved by a quarter.
//!
//! At the end stand the goals of the groups that ran, and whether this run reached them: a goal is a figure that the library is held to by
//! its authors, on two cores with nothing else running.
//!
//! Every case returns a checksum of what it computed. A wrong one is printed, marked in the table, and makes the
//! exit status 1. A filter that selects nothing makes it 2.
//!
//! Under `cargo test --benches` cargo does not pass `--bench`; every case then runs on a thousandth of the items for
//! one round, which checks the sums and measures nothing.
//!
//! A group is one file in `versus/` with one function `run`, listed in [`GROUPS`].

// The peers are measured as their users write them: on their own threads and channels, by the real clock.
#![allow(clippy::disallowed_methods)]

mod versus {
    pub(crate) mod by_hand;
    pub(crate) mod cases;
    pub(crate) mod disturbance;
    pub(crate) mod figures;
    pub(crate) mod floods;
    pub(crate) mod goals;
    pub(crate) mod grind;
    pub(crate) mod harness;
    pub(crate) mod maps;
    pub(crate) mod options;
    pub(crate) mod ours;
    pub(crate) mod peers;
    pub(crate) mod plain;
    pub(crate) mod programs;
    pub(crate) mod table;
    pub(crate) mod tally;

    pub(crate) mod blocking;
    pub(crate) mod breaker;
    pub(crate) mod cancel;
    pub(crate) mod completed;
    pub(crate) mod crowd;
    pub(crate) mod expand;
    pub(crate) mod fan;
    pub(crate) mod flood;
    pub(crate) mod fused;
    pub(crate) mod group;
    #[cfg(feature = "journal")]
    pub(crate) mod journal;
    pub(crate) mod keyed;
    pub(crate) mod latency;
    pub(crate) mod limiter;
    pub(crate) mod lone;
    pub(crate) mod map;
    pub(crate) mod memory;
    pub(crate) mod nested;
    pub(crate) mod objects;
    pub(crate) mod observed;
    pub(crate) mod over_slice;
    pub(crate) mod pgzip;
    pub(crate) mod pinned;
    pub(crate) mod round_trip;
    pub(crate) mod semaphore;
    pub(crate) mod start_stop;
    pub(crate) mod treesum;
    pub(crate) mod uneven;
}

use clap::Parser;
use std::process::ExitCode;
use versus::{
    blocking, breaker, cancel, completed, crowd, expand, fan, flood, fused, group, harness::Bench, keyed,
    latency, limiter, lone, map, memory, nested, objects, observed, options::Options, over_slice, pgzip,
    pinned, round_trip, semaphore, start_stop, treesum, uneven,
};

/// In the order in which they run and print.
const GROUPS: [fn(&mut Bench); 27] = [
    map::run,
    fused::run,
    expand::run,
    uneven::run,
    observed::run,
    keyed::run,
    blocking::run,
    lone::run,
    latency::run,
    crowd::run,
    pinned::run,
    memory::run,
    start_stop::run,
    flood::run,
    round_trip::run,
    nested::run,
    over_slice::run,
    semaphore::run,
    breaker::run,
    limiter::run,
    objects::run,
    group::run,
    completed::run,
    fan::run,
    cancel::run,
    pgzip::run,
    treesum::run,
];

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(case) = &options.memory_case {
        return memory::run_child(case, &options);
    }
    let mut bench = Bench::new(options);
    println!("{}", bench.heading());
    for group in GROUPS {
        group(&mut bench);
    }
    #[cfg(feature = "journal")]
    versus::journal::run(&mut bench);
    bench.finish()
}
