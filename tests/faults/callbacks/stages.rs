//! Callbacks of a pipeline's stages.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};

use gristmill::pipeline::ErrorLog;
use gristmill::{
    Attempt, CancellationToken, Pipeline, PipelineError, PipelineErrorKind, Policy, PolicyError, Report,
    Retry,
};

use crate::support::Counted;
use crate::trial::{Fragile, Heard, Row, Told, Trial, caught, thrown};

pub(super) const ITEMS: u64 = 20;

/// The report of a run, alone or with a result.
pub(super) trait Reported {
    fn report(&self) -> &Report;
}

impl Reported for Report {
    fn report(&self) -> &Report {
        self
    }
}

impl<A> Reported for (A, Report) {
    fn report(&self) -> &Report {
        &self.1
    }
}

/// An item whose clone is a callback.
struct Cloned<'t>(Counted, &'t Trial);

impl Clone for Cloned<'_> {
    fn clone(&self) -> Self {
        self.1.touch();
        Self(self.0.clone(), self.1)
    }
}

/// The panic that ended a run; the counts of its report add up however it ended.
pub(super) fn piped<R: Reported, E: Debug>(outcome: Result<R, PipelineError<E>>) -> Option<Heard> {
    match outcome {
        Ok(reported) => {
            let report = reported.report();
            close(report, 0);
            assert_eq!((report.read(), report.unfinished()), (ITEMS, 0));
            None
        }
        Err(error) => {
            // A destructor that panics between the stages is no item's.
            close(error.report(), u64::from(error.stage() != Some("a destructor")));
            let index = error.index().expect("it was at an item");
            assert!(index <= error.report().read(), "item {index} was not read");
            match error.into_kind() {
                PipelineErrorKind::Panicked { panic, .. } => Some((&panic).into()),
                kind => panic!("{kind:?}"),
            }
        }
    }
}

fn close(report: &Report, panics: u64) {
    assert_eq!(report.read(), report.finished() + report.unfinished());
    let mut panicked = 0;
    for stage in report.stages() {
        let ended = stage.passed() + stage.filtered() + stage.failed() + stage.panicked() + stage.undone();
        assert_eq!(stage.items_in(), ended, "{report}");
        panicked += stage.panicked();
    }
    for (from, to) in report.stages().iter().zip(&report.stages()[1..]) {
        assert_eq!(from.items_out(), to.items_in(), "{report}");
    }
    // Items of other workers may have panicked, too, before they saw that the run was over.
    assert!(panicked >= panics, "{report}");
}

fn items(t: &Trial) -> impl Iterator<Item = Counted> + Send + use<> {
    let t = t.clone();
    (0..ITEMS).map(move |number| t.item(number))
}

fn token() -> CancellationToken {
    CancellationToken::new()
}

/// A pipeline of counted items.
macro_rules! source {
    ($t:expr) => {
        Pipeline::from_iter(items($t)).workers($t.workers)
    };
}

/// Runs the pipeline to its end, and tells.
macro_rules! run {
    ($pipeline:expr) => {
        piped($pipeline.for_each("end", drop).run(&token()))
    };
}

/// An iterator that may panic in any of its functions.
struct Given<'t> {
    left: u64,
    t: &'t Trial,
    place: Place,
}

#[derive(PartialEq)]
enum Place {
    Next,
    Hint,
    Into,
    Drop,
}

struct Giver<'t>(Given<'t>);

impl<'t> IntoIterator for Given<'t> {
    type Item = Counted;
    type IntoIter = Giver<'t>;
    fn into_iter(self) -> Giver<'t> {
        if self.place == Place::Into {
            self.t.touch();
        }
        Giver(self)
    }
}

impl Iterator for Giver<'_> {
    type Item = Counted;
    fn next(&mut self) -> Option<Counted> {
        self.0.left = self.0.left.checked_sub(1)?;
        if self.0.place == Place::Next {
            self.0.t.touch();
        }
        Some(self.0.t.item(self.0.left))
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.0.place == Place::Hint {
            self.0.t.touch();
        }
        (0, None)
    }
}

impl Drop for Giver<'_> {
    fn drop(&mut self) {
        if self.0.place == Place::Drop && !std::thread::panicking() {
            self.0.t.touch();
        }
    }
}

fn given(t: &Trial, place: Place) -> Given<'_> {
    Given { left: ITEMS, t, place }
}

/// A key whose functions may panic.
struct Key<'t> {
    number: u64,
    hashes: Option<&'t Trial>,
    compares: Option<&'t Trial>,
}

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hashes.iter().for_each(|t| t.touch());
        self.number.hash(state);
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.compares.iter().for_each(|t| t.touch());
        self.number == other.number
    }
}

impl Eq for Key<'_> {}

/// A policy of the user's that panics before it lets anybody work.
struct Careless<'t>(&'t Trial);

impl<E> Policy<E> for Careless<'_> {
    fn apply<T, F>(&self, attempt: Attempt<'_>, mut work: F) -> Result<T, PolicyError<E>>
    where
        F: FnMut(Attempt<'_>) -> Result<T, PolicyError<E>>,
    {
        self.0.touch();
        work(attempt)
    }
}

fn retry() -> Retry {
    Retry::new(2).expect("good settings")
}

type Fails = Result<Counted, &'static str>;

fn touched(t: &Trial, item: Counted) -> Counted {
    t.touch();
    item
}

#[allow(clippy::unnecessary_wraps)] // for stages that may fail
fn tried(t: &Trial, item: Counted) -> Fails {
    t.touch();
    Ok(item)
}

pub(super) const SOURCES: &[Row] = &[
    Row {
        name: "next of the source",
        of: &["pipeline::Pipeline::from_iter"],
        told: Told::Error("source"),
        run: |t| run!(Pipeline::from_iter(given(t, Place::Next)).workers(t.workers)),
    },
    Row {
        name: "size hint of the source",
        of: &["pipeline::Pipeline::from_iter"],
        // Once where the pipeline is made, and after that by the run.
        told: Told::CallerOr("source"),
        run: |t| caught(|| run!(Pipeline::from_iter(given(t, Place::Hint)).workers(t.workers))),
    },
    Row {
        name: "into_iter of the source",
        of: &["pipeline::Pipeline::from_iter"],
        told: Told::Caller,
        run: |t| caught(|| run!(Pipeline::from_iter(given(t, Place::Into)).workers(t.workers))),
    },
    Row {
        name: "next of a source that may fail",
        of: &["pipeline::Pipeline::from_try_iter"],
        told: Told::Error("source"),
        run: |t| {
            let items = given(t, Place::Next).into_iter().map(Ok::<_, &str>);
            run!(Pipeline::from_try_iter(items).workers(t.workers))
        },
    },
    Row {
        name: "weight of the window",
        of: &["pipeline::Pipeline::window_by_weight"],
        told: Told::Error("source"),
        run: |t| {
            let weigh = |_: &Counted| {
                t.touch();
                1
            };
            run!(source!(t).window_by_weight(4, weigh).map("map", |item| item))
        },
    },
];

pub(super) const PARALLEL: &[Row] = &[
    Row {
        name: "map",
        of: &["pipeline::Pipeline::map"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).map("here", |item| touched(t, item))),
    },
    Row {
        name: "map without order",
        of: &["pipeline::Pipeline::map"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).unordered().map("here", |item| touched(t, item))),
    },
    Row {
        name: "try_map",
        of: &["pipeline::Pipeline::try_map"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).try_map("here", |item| tried(t, item))),
    },
    Row {
        name: "filter",
        of: &["pipeline::Pipeline::filter"],
        told: Told::Error("here"),
        run: |t| {
            let keep = |item: &Counted| {
                t.touch();
                item.number % 2 == 0
            };
            run!(source!(t).filter("here", keep))
        },
    },
    Row {
        name: "filter_map",
        of: &["pipeline::Pipeline::filter_map"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).filter_map("here", |item| (item.number % 2 == 0).then(|| touched(t, item)))),
    },
    Row {
        name: "inspect",
        of: &["pipeline::Pipeline::inspect"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).inspect("here", |_| t.touch())),
    },
    Row {
        name: "flat_map",
        of: &["pipeline::Pipeline::flat_map"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).flat_map("here", |item| [touched(t, item), t.item(7)])),
    },
    Row {
        name: "next in flat_map",
        of: &["pipeline::Pipeline::flat_map"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).flat_map("here", |_| Given { left: 2, t, place: Place::Next })),
    },
    Row {
        name: "into_iter in flat_map",
        of: &["pipeline::Pipeline::flat_map"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).flat_map("here", |_| Given { left: 2, t, place: Place::Into })),
    },
    Row {
        name: "drop of the iterator in flat_map",
        of: &["pipeline::Pipeline::flat_map"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).flat_map("here", |_| Given { left: 2, t, place: Place::Drop })),
    },
    Row {
        name: "flat_map_bounded",
        of: &["pipeline::Pipeline::flat_map_bounded"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).flat_map_bounded("here", 9, |item| [touched(t, item), t.item(7)])),
    },
    Row {
        name: "next in flat_map_bounded",
        of: &["pipeline::Pipeline::flat_map_bounded"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).flat_map_bounded("here", 9, |_| Given { left: 2, t, place: Place::Next })),
    },
    Row {
        name: "drop of the iterator in flat_map_bounded",
        of: &["pipeline::Pipeline::flat_map_bounded"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).flat_map_bounded("here", 9, |_| Given { left: 2, t, place: Place::Drop })),
    },
    Row {
        name: "init of map_init",
        of: &["pipeline::Pipeline::map_init"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).map_init("here", || touched(t, t.item(0)), |_, item| item)),
    },
    Row {
        name: "call of map_init",
        of: &["pipeline::Pipeline::map_init"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).map_init("here", || t.item(0), |_, item| touched(t, item))),
    },
    Row {
        name: "init of try_map_init",
        of: &["pipeline::Pipeline::try_map_init"],
        told: Told::Error("here"),
        run: |t| {
            run!(source!(t).try_map_init("here", || touched(t, t.item(0)), |_, item| Ok::<_, &str>(item)))
        },
    },
    Row {
        name: "call of try_map_init",
        of: &["pipeline::Pipeline::try_map_init"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).try_map_init("here", || t.item(0), |_, item| tried(t, item))),
    },
    Row {
        name: "work of try_map_under",
        of: &["pipeline::Pipeline::try_map_under"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).try_map_under("here", retry(), |item: &Counted, _| tried(t, item.clone()))),
    },
    Row {
        name: "policy of try_map_under",
        of: &["pipeline::Pipeline::try_map_under"],
        told: Told::Error("here"),
        run: |t| {
            let call = |item: &Counted, _: Attempt<'_>| Fails::Ok(item.clone());
            run!(source!(t).try_map_under("here", Careless(t), call))
        },
    },
];

pub(super) const BLOCKING: &[Row] = &[
    Row {
        name: "blocking",
        of: &["pipeline::Pipeline::blocking"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).blocking("here", 2, |item| touched(t, item))),
    },
    Row {
        name: "try_blocking",
        of: &["pipeline::Pipeline::try_blocking"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).try_blocking("here", 2, |item| tried(t, item))),
    },
    Row {
        name: "blocking_unordered",
        of: &["pipeline::Pipeline::blocking_unordered"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).blocking_unordered("here", 2, |item| touched(t, item))),
    },
    Row {
        name: "try_blocking_unordered",
        of: &["pipeline::Pipeline::try_blocking_unordered"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).try_blocking_unordered("here", 2, |item| tried(t, item))),
    },
    Row {
        name: "work of try_blocking_under",
        of: &["pipeline::Pipeline::try_blocking_under"],
        told: Told::Error("here"),
        run: |t| {
            let call = |item: &Counted, _: Attempt<'_>| tried(t, item.clone());
            run!(source!(t).try_blocking_under("here", 2, retry(), call))
        },
    },
    Row {
        name: "policy of try_blocking_unordered_under",
        of: &["pipeline::Pipeline::try_blocking_unordered_under"],
        told: Told::Error("here"),
        run: |t| {
            let call = |item: &Counted, _: Attempt<'_>| Fails::Ok(item.clone());
            run!(source!(t).try_blocking_unordered_under("here", 2, Careless(t), call))
        },
    },
];

pub(super) const SERIAL: &[Row] = &[
    Row {
        name: "serial",
        of: &["pipeline::Pipeline::serial"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).serial("here", |item| touched(t, item))),
    },
    Row {
        name: "try_serial",
        of: &["pipeline::Pipeline::try_serial"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).try_serial("here", |item| tried(t, item))),
    },
    Row {
        name: "serial_unordered",
        of: &["pipeline::Pipeline::serial_unordered"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).serial_unordered("here", |item| touched(t, item))),
    },
    Row {
        name: "weight of batch_by_weight",
        of: &["pipeline::Pipeline::batch_by_weight"],
        told: Told::Error("batch"),
        run: |t| {
            let weigh = |_: &Counted| {
                t.touch();
                1
            };
            run!(source!(t).batch_by_weight(3, weigh))
        },
    },
    Row {
        name: "key of batch_by_key",
        of: &["pipeline::Pipeline::batch_by_key"],
        told: Told::Error("batch"),
        run: |t| {
            let key = |item: &Counted| {
                t.touch();
                item.number / 3
            };
            run!(source!(t).batch_by_key(3, key))
        },
    },
    Row {
        name: "comparison of keys of batch_by_key",
        of: &["pipeline::Pipeline::batch_by_key"],
        told: Told::Error("batch"),
        run: |t| {
            let key = |item: &Counted| Key { number: item.number / 3, hashes: None, compares: Some(t) };
            run!(source!(t).batch_by_key(3, key))
        },
    },
    Row {
        name: "clone of tee",
        of: &["pipeline::Pipeline::tee"],
        told: Told::Error("here"),
        run: |t| {
            let (sender, receiver) = gristmill::sync::channel::bounded(100);
            let heard = run!(source!(t).map("map", |item| Cloned(item, t)).tee("here", sender));
            assert!(receiver.iter().count() as u64 <= ITEMS, "its sender is gone with the run");
            heard
        },
    },
];

pub(super) const KEYED: &[Row] = &[
    Row {
        name: "key of keyed",
        of: &["pipeline::Pipeline::keyed"],
        told: Told::Error("here"),
        run: |t| {
            let key = |item: &Counted| {
                t.touch();
                item.number % 3
            };
            run!(source!(t).keyed("here", key, |item| item))
        },
    },
    Row {
        name: "hash of a key of keyed",
        of: &["pipeline::Pipeline::keyed"],
        told: Told::Error("here"),
        run: |t| {
            let key = |item: &Counted| Key { number: item.number % 3, hashes: Some(t), compares: None };
            run!(source!(t).keyed("here", key, |item| item))
        },
    },
    Row {
        name: "comparison of keys of keyed",
        of: &["pipeline::Pipeline::keyed"],
        told: Told::Error("here"),
        run: |t| {
            let key = |_: &Counted| Key { number: 0, hashes: None, compares: Some(t) };
            run!(source!(t).keyed("here", key, |item| item))
        },
    },
    Row {
        name: "call of keyed",
        of: &["pipeline::Pipeline::keyed"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).keyed("here", |item| item.number % 3, |item| touched(t, item))),
    },
    Row {
        name: "call of try_keyed",
        of: &["pipeline::Pipeline::try_keyed"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).try_keyed("here", |item| item.number % 3, |item| tried(t, item))),
    },
    Row {
        name: "call of keyed_unordered",
        of: &["pipeline::Pipeline::keyed_unordered"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).keyed_unordered("here", |item| item.number % 3, |item| touched(t, item))),
    },
    Row {
        name: "call of try_keyed_unordered",
        of: &["pipeline::Pipeline::try_keyed_unordered"],
        told: Told::Error("here"),
        run: |t| run!(source!(t).try_keyed_unordered("here", |item| item.number % 3, |item| tried(t, item))),
    },
];

/// Every third item fails.
fn torn(t: &Trial, item: Counted) -> Result<Counted, Fragile> {
    if item.number % 3 == 0 { Err(t.fragile()) } else { Ok(item) }
}

pub(super) const ERRORS: &[Row] = &[
    Row {
        name: "handle_errors",
        of: &["pipeline::Pipeline::handle_errors"],
        told: Told::Error("here"),
        run: |t| {
            let fails = |item: Counted| if item.number % 3 == 0 { Err("three") } else { Ok(item) };
            let handled = source!(t).try_map("here", fails).handle_errors(|_| {
                t.touch();
                Ok(())
            });
            run!(handled)
        },
    },
    Row {
        name: "drop of an error that is skipped",
        of: &[],
        told: Told::Error("here"),
        run: |t| {
            let outcome = source!(t).try_map("here", |item| torn(t, item)).skip_errors();
            piped(outcome.for_each("end", drop).run(&token()).map_err(quiet))
        },
    },
    Row {
        name: "clone of an item that is diverted",
        of: &["pipeline::Pipeline::divert_errors"],
        told: Told::Error("here"),
        run: |t| {
            let (sender, receiver) = gristmill::sync::channel::bounded(100);
            let fails = |item: Cloned<'_>| if item.0.number % 3 == 0 { Err("three") } else { Ok(item.0) };
            let diverted =
                source!(t).map("map", |item| Cloned(item, t)).try_map("here", fails).divert_errors(sender);
            let heard = run!(diverted);
            assert!(receiver.iter().count() as u64 <= ITEMS);
            heard
        },
    },
    Row {
        name: "drop of errors in a log",
        of: &[],
        told: Told::Caller,
        run: |t| {
            let log = ErrorLog::new(100);
            let outcome = source!(t).try_map("here", |item| torn(t, item)).collect_errors(&log);
            let heard = piped(outcome.for_each("end", drop).run(&token()).map_err(quiet));
            assert!(heard.is_none());
            thrown(|| log.take().into_iter().for_each(drop))
        },
    },
];

/// The same error without what is fragile in it, for those that never have it.
fn quiet(error: PipelineError<Fragile>) -> PipelineError<Fragile> {
    error
}

impl Debug for Fragile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "fragile {}", self.number())
    }
}

pub(super) const DROPS: &[Row] = &[
    Row {
        name: "drop of an item in a stage",
        of: &[],
        told: Told::Error("here"),
        run: |t| run!(source!(t).map("map", |_| t.fragile()).map("here", |item| item.number())),
    },
    Row {
        name: "drop of an item that is filtered out",
        of: &[],
        told: Told::Error("here"),
        run: |t| run!(source!(t).map("map", |_| t.fragile()).filter("here", |_| false)),
    },
    Row {
        name: "drop of an item in a blocking stage",
        of: &[],
        told: Told::Error("here"),
        run: |t| run!(source!(t).map("map", |_| t.fragile()).blocking("here", 2, |item| item.number())),
    },
    Row {
        name: "drop of an item in a serial stage",
        of: &[],
        told: Told::Error("here"),
        run: |t| run!(source!(t).map("map", |_| t.fragile()).serial("here", |item| item.number())),
    },
    Row {
        name: "drop of an item in a keyed stage",
        of: &[],
        told: Told::Error("here"),
        run: |t| {
            let key = |item: &Fragile| item.number() % 3;
            run!(source!(t).map("map", |_| t.fragile()).keyed("here", key, |item| item.number()))
        },
    },
    Row {
        name: "drop of a batch",
        of: &[],
        told: Told::Error("here"),
        run: |t| run!(source!(t).map("map", |_| t.fragile()).batch(3).map("here", |batch| batch.len())),
    },
    Row {
        name: "drop of a worker's state",
        of: &[],
        told: Told::Error("a destructor"),
        run: |t| run!(source!(t).map_init("here", || t.fragile(), |_, item| item)),
    },
    Row {
        name: "drop of a stage's closure",
        of: &[],
        told: Told::Error("a destructor"),
        run: |t| {
            let held = t.fragile();
            run!(source!(t).map("here", move |item| (item, held.number()).0))
        },
    },
    Row {
        name: "drop of a source",
        of: &[],
        told: Told::Error("a destructor"),
        run: |t| run!(Pipeline::from_iter(given(t, Place::Drop)).workers(t.workers)),
    },
];
