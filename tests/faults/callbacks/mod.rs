//! A panic in every callback of the user's: the table, and that none is missing in it.

mod causes;
mod ends;
mod handles;
#[cfg(feature = "journal")]
mod journals;
mod parts;
mod pools;
mod stages;

use std::collections::BTreeSet;

use crate::listed::callers_of_users_code;
use crate::support::alone;
use crate::trial::{Row, drive, hush};

/// All rows, by part.
const TABLE: &[(&str, &[&[Row]])] = &[
    (
        "pipelines",
        &[
            stages::SOURCES,
            stages::PARALLEL,
            stages::BLOCKING,
            stages::SERIAL,
            stages::KEYED,
            stages::ERRORS,
            stages::DROPS,
            ends::ROWS,
        ],
    ),
    ("pools", &[pools::POOL, pools::BULK, pools::GROUP]),
    ("handles", &[handles::ROWS]),
    ("parts", &[parts::CANCEL, parts::FAN, parts::RECYCLE, parts::SEMAPHORE, parts::POLICY, parts::WATCH]),
    #[cfg(feature = "journal")]
    ("journals", &[journals::ROWS]),
];

fn drive_part(part: &str, test: &str) {
    alone(&format!("callbacks::{test}"), || {
        hush();
        let (_, tables) = TABLE.iter().find(|(name, _)| *name == part).expect("a part of the table");
        drive(tables);
    });
}

#[test]
fn panic_in_a_callback_of_a_pipeline_hangs_leaks_and_hides_nothing() {
    drive_part("pipelines", "panic_in_a_callback_of_a_pipeline_hangs_leaks_and_hides_nothing");
}

#[test]
fn panic_in_a_callback_of_a_pool_or_a_group_hangs_leaks_and_hides_nothing() {
    drive_part("pools", "panic_in_a_callback_of_a_pool_or_a_group_hangs_leaks_and_hides_nothing");
}

#[test]
fn panic_in_a_handle_that_is_waited_for_hangs_leaks_and_hides_nothing() {
    drive_part("handles", "panic_in_a_handle_that_is_waited_for_hangs_leaks_and_hides_nothing");
}

#[test]
fn panic_in_a_callback_of_a_smaller_part_hangs_leaks_and_hides_nothing() {
    drive_part("parts", "panic_in_a_callback_of_a_smaller_part_hangs_leaks_and_hides_nothing");
}

#[cfg(feature = "journal")]
#[test]
fn panic_in_a_callback_of_a_durable_task_hangs_leaks_and_hides_nothing() {
    drive_part("journals", "panic_in_a_callback_of_a_durable_task_hangs_leaks_and_hides_nothing");
}

/// Functions that take something of the user's and are in no row, with the reason.
const EXCUSED: &[(&str, &str)] = &[
    #[cfg(not(feature = "journal"))]
    ("journal::", "behind a feature, as its rows are"),
    ("watch::Publisher::", "behind a feature; tests/metrics_publisher.rs"),
    ("pool::Solo::", "for models only, and hidden"),
    ("pipeline::ErrorPolicy::", "inside of a pipeline: a trait that no user can name"),
    ("pipeline::LastCanFail::", "inside of a pipeline: a trait that no user can name"),
    ("pipeline::SerialCall::", "inside of a pipeline: a trait that no user can name"),
    ("pipeline::SharedCall::", "inside of a pipeline: a trait that no user can name"),
    ("pipeline::Sink::", "inside of a pipeline: a trait that no user can name"),
    ("pipeline::Step::", "inside of a pipeline: a trait that no user can name"),
    ("combine::Timer::after_on", "takes a clock, which is sealed"),
    ("combine::Timer::at_on", "takes a clock, which is sealed"),
    ("policy::CircuitBreakerBuilder::clock", "takes a clock, which is sealed"),
    ("policy::KeyedRateLimiterBuilder::clock", "takes a clock, which is sealed"),
    ("policy::RateLimiterBuilder::clock", "takes a clock, which is sealed"),
    ("policy::RetryBuilder::clock", "takes a clock, which is sealed"),
    ("policy::TimeLimit::clock", "takes a clock, which is sealed"),
    ("recycle::ObjectPoolBuilder::clock", "takes a clock, which is sealed"),
    ("watch::Alerts::with_clock", "takes a clock, which is sealed"),
    ("semaphore::Permit::split", "clones its own reference to the semaphore"),
];

#[test]
fn every_public_function_that_calls_the_users_code_has_a_row() {
    let rows = || TABLE.iter().flat_map(|(_, tables)| tables.iter().copied().flatten());
    let in_rows: BTreeSet<&str> = rows().flat_map(|row| row.of.iter().copied()).collect();
    let callers = callers_of_users_code();
    assert!(callers.len() > 150, "only {} were found: are they read?", callers.len());
    let excused = |name: &str| EXCUSED.iter().any(|(part, _)| name.starts_with(part));
    let missing: Vec<_> =
        callers.iter().filter(|(name, _)| !in_rows.contains(name.as_str()) && !excused(name)).collect();
    assert!(missing.is_empty(), "without a row: {missing:#?}");
    let unknown: Vec<_> = in_rows.iter().filter(|name| !callers.contains_key(**name)).collect();
    assert!(unknown.is_empty(), "rows for what is not there, or takes nothing of the user's: {unknown:#?}");
    for (part, why) in EXCUSED {
        assert!(callers.keys().any(|name| name.starts_with(part)), "nothing is called {part} ({why})");
    }
    let names: BTreeSet<_> = rows().map(|row| row.name).collect();
    assert_eq!(names.len(), rows().count(), "each row has a name of its own");
}
