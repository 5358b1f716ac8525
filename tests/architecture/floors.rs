//! The floor list: the one place that says which module may import which.

/// Modules that see each other's floor only from above.
pub(crate) struct Floor {
    pub(crate) name: &'static str,
    /// Each module with what it is, as the front page prints it.
    pub(crate) modules: &'static [(&'static str, &'static str)],
}

/// From the ground up. A module imports from lower floors and its own folder only: never sideways, never up.
pub(crate) const FLOORS: &[Floor] = &[
    Floor {
        name: "ground",
        modules: &[("sync", "the one door to locks, atomics, channels, threads and the clock")],
    },
    Floor {
        name: "floor 0",
        modules: &[
            ("observe", "samples of the workers, their quantiles, and one form for the figures of all parts"),
            ("panics", "a caught panic as a value"),
            ("wakeup", "how workers park and are woken"),
            ("clock", "the time that policies read: the system's, or moved by hand in tests"),
            ("waitable", "what ends once and can be waited for, and how its end is told"),
        ],
    },
    Floor {
        name: "floor 1",
        modules: &[
            ("cancel", "tokens: the right to be told to stop, with cause and deadline"),
            ("trace", "spans of tasks, runs and stages, where they are wanted"),
        ],
    },
    Floor {
        name: "floor 2",
        modules: &[
            ("semaphore", "at most so many at once, in turn"),
            ("fan", "one sender and many lanes, many inputs as one: router, merge"),
        ],
    },
    Floor {
        name: "floor 3",
        modules: &[
            ("policy", "rules that are put around work: rate, bulkhead, retry, breaker, time limit"),
            ("recycle", "objects that are used again: a bounded pool of them"),
        ],
    },
    Floor {
        name: "floor 4",
        modules: &[("pool", "workers over a bounded queue: submit, wait, cancel, shut down")],
    },
    Floor {
        name: "floor 5",
        modules: &[
            ("group", "tasks that succeed or fail as one: first error, limit, results in order"),
            ("combine", "several handles as one: all, first, as completed, race, fallback, timers"),
        ],
    },
    Floor {
        name: "floor 6",
        modules: &[
            ("pipeline", "stages, order, window, report"),
            ("journal", "records of finished tasks: a batch that was killed goes on where it was"),
        ],
    },
    Floor { name: "floor 7", modules: &[("watch", "looking at running parts now and then")] },
];

/// The height of a top module, 0 being the ground.
pub(crate) fn height(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.modules.iter().any(|(name, _)| *name == module))
}

/// The diagram on the crate's front page, highest floor first.
pub(crate) fn diagram() -> String {
    let mut lines = Vec::new();
    for floor in FLOORS.iter().rev() {
        for (index, (module, purpose)) in floor.modules.iter().enumerate() {
            let name = if index == 0 { floor.name } else { "" };
            lines.push(format!("{name:<9}{module:<10}{purpose}"));
        }
    }
    lines.join("\n")
}
