//! Random pipelines against a sequential model: results, order, errors, panics, counts.

use gristmill::{CancellationToken, Pipeline, PipelineError, PipelineErrorKind, Report};
use proptest::prelude::*;

use super::support::{counts_close, grind};

#[derive(Clone, Copy, Debug, PartialEq)]
struct Item {
    /// Its place in the source.
    index: u64,
    value: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Map,
    MapInit,
    Inspect,
    Filter,
    FilterMap,
    FlatMap,
    Serial,
    Shared,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Torn(u64);

/// Where a run fails: stage 0 is the source, the last one the sink.
#[derive(Clone, Copy, Debug)]
struct Fault {
    stage: usize,
    index: u64,
    panics: bool,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    items: u64,
    window: usize,
    workers: usize,
    ordered: bool,
    vague: bool,
    /// One in so many items takes long.
    heavy: u64,
    factor: u64,
    fault: Option<Fault>,
}

impl Settings {
    fn failing(&self, stage: usize, index: u64) -> Result<(), Torn> {
        match self.fault {
            Some(fault) if fault.stage == stage && fault.index == index => {
                assert!(!fault.panics, "torn at {index}");
                Err(Torn(index))
            }
            _ => Ok(()),
        }
    }

    fn sure(&self, stage: usize, index: u64) {
        assert!(self.failing(stage, index).is_ok(), "torn at {index}");
    }

    fn work(&self, item: Item) -> Item {
        grind(if item.index % self.heavy == 0 { 30_000 } else { item.index % 20 });
        item
    }

    fn map(&self, item: Item) -> Item {
        Item { value: item.value.wrapping_mul(self.factor) ^ item.index, ..item }
    }

    fn keeps(&self, item: &Item) -> bool {
        (item.value ^ self.factor) % 3 != 0
    }

    fn copies(&self, item: Item) -> impl Iterator<Item = Item> + use<> {
        (0..item.value.wrapping_add(self.factor) % 4)
            .map(move |copy| Item { value: item.value.wrapping_add(copy), ..item })
    }
}

fn number(last: &mut u64, item: Item) -> Item {
    *last = last.wrapping_mul(31).wrapping_add(item.value);
    Item { value: *last, ..item }
}

/// What the sink has seen, how it ended (stage, index), and per stage what went in and out.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    seen: Vec<Item>,
    failure: Option<(usize, u64)>,
    counts: Vec<(u64, u64)>,
}

/// The plain loop.
struct Model<'a> {
    settings: &'a Settings,
    kinds: &'a [Kind],
    last: Vec<u64>,
    outcome: Outcome,
}

impl Model<'_> {
    fn expect(settings: &Settings, kinds: &[Kind]) -> Outcome {
        let outcome = Outcome { counts: vec![(0, 0); kinds.len() + 2], ..Outcome::default() };
        let mut model = Model { settings, kinds, last: vec![0; kinds.len()], outcome };
        for index in 0..settings.items {
            model.outcome.counts[0].0 += 1;
            if model.fails(0, index) || !model.pass(0, Item { index, value: index }) {
                break;
            }
        }
        model.outcome
    }

    fn fails(&mut self, stage: usize, index: u64) -> bool {
        let fails = self.settings.fault.is_some_and(|fault| (fault.stage, fault.index) == (stage, index));
        if fails {
            self.outcome.failure = Some((stage, index));
        } else if stage == 0 || stage == self.kinds.len() + 1 {
            self.outcome.counts[stage].1 += 1;
        }
        fails
    }

    /// False when the run has failed.
    fn pass(&mut self, place: usize, item: Item) -> bool {
        let stage = place + 1;
        self.outcome.counts[stage].0 += 1;
        if self.fails(stage, item.index) {
            return false;
        }
        let Some(kind) = self.kinds.get(place) else {
            self.outcome.seen.push(item);
            return true;
        };
        let out: Vec<Item> = match kind {
            Kind::Map | Kind::MapInit => vec![self.settings.map(item)],
            Kind::Inspect | Kind::Shared => vec![item],
            Kind::Filter | Kind::FilterMap => {
                if self.settings.keeps(&item) {
                    vec![item]
                } else {
                    vec![]
                }
            }
            Kind::FlatMap => self.settings.copies(item).collect(),
            Kind::Serial => vec![number(&mut self.last[place], item)],
        };
        for item in out {
            self.outcome.counts[stage].1 += 1;
            if !self.pass(stage, item) {
                return false;
            }
        }
        true
    }
}

/// Adds one stage; `$stage` is its number.
macro_rules! stage {
    ($pipeline:expr, $s:ident, $stage:expr, Map) => {
        $pipeline.try_map("map", move |item: Item| {
            $s.failing($stage, item.index)?;
            Ok::<_, Torn>($s.map($s.work(item)))
        })
    };
    ($pipeline:expr, $s:ident, $stage:expr, MapInit) => {
        $pipeline.try_map_init("init", std::rc::Rc::<()>::default, move |_, item: Item| {
            $s.failing($stage, item.index)?;
            Ok::<_, Torn>($s.map($s.work(item)))
        })
    };
    ($pipeline:expr, $s:ident, $stage:expr, Inspect) => {
        $pipeline.inspect("inspect", move |item: &Item| $s.sure($stage, item.index))
    };
    ($pipeline:expr, $s:ident, $stage:expr, Filter) => {
        $pipeline.filter("filter", move |item: &Item| {
            $s.sure($stage, item.index);
            $s.keeps(item)
        })
    };
    ($pipeline:expr, $s:ident, $stage:expr, FilterMap) => {
        $pipeline.filter_map("filter map", move |item: Item| {
            $s.sure($stage, item.index);
            $s.keeps(&item).then_some(item)
        })
    };
    ($pipeline:expr, $s:ident, $stage:expr, FlatMap) => {
        $pipeline.flat_map("flat map", move |item: Item| {
            $s.sure($stage, item.index);
            $s.copies(item)
        })
    };
    ($pipeline:expr, $s:ident, $stage:expr, Serial) => {{
        let mut last = 0;
        $pipeline.try_serial("serial", move |item: Item| {
            $s.failing($stage, item.index)?;
            Ok::<_, Torn>(number(&mut last, $s.work(item)))
        })
    }};
    ($pipeline:expr, $s:ident, $stage:expr, Shared) => {
        $pipeline.serial_unordered("shared", move |item: Item| {
            $s.sure($stage, item.index);
            item
        })
    };
}

/// A function that runs a pipeline of these stages, and the list of them.
macro_rules! shape {
    ($name:ident: $($kind:ident)*) => {
        fn $name(s: &Settings) -> (Vec<Kind>, Vec<Item>, Result<Report, PipelineError<Torn>>) {
            let kinds = vec![$(Kind::$kind),*];
            let source = (0..s.items).map(move |index| {
                s.failing(0, index).map(|()| Item { index, value: index })
            });
            let pipeline = Pipeline::from_try_iter(source).workers(s.workers).window(s.window);
            let pipeline = if s.vague { pipeline.source_may_block() } else { pipeline };
            let pipeline = if s.ordered { pipeline.in_order() } else { pipeline.unordered() };
            let place = 0;
            $(
                let place = place + 1;
                let pipeline = stage!(pipeline, s, place, $kind);
            )*
            let mut seen = Vec::new();
            let last = place + 1;
            let outcome = pipeline
                .try_for_each("sink", |item: Item| {
                    s.failing(last, item.index)?;
                    seen.push(item);
                    Ok(())
                })
                .run(&CancellationToken::new());
            (kinds, seen, outcome)
        }
    };
}

shape!(nothing:);
shape!(one_to_one: Map MapInit Inspect Shared);
shape!(dropping: Filter Map FilterMap);
shape!(growing: FlatMap Map FlatMap);
shape!(serial_first: Serial Map Serial);
shape!(serial_amid: Filter Serial FlatMap Map);
shape!(serial_last: FlatMap MapInit Serial);
shape!(serial_thrice: Map Serial Filter Serial FlatMap Serial);

type Shape = fn(&Settings) -> (Vec<Kind>, Vec<Item>, Result<Report, PipelineError<Torn>>);
const SHAPES: [Shape; 8] =
    [nothing, one_to_one, dropping, growing, serial_first, serial_amid, serial_last, serial_thrice];

fn settings() -> impl Strategy<Value = Settings> {
    let fault = prop::option::of((0_usize..8, 0_u64..1200, any::<bool>()))
        .prop_map(|fault| fault.map(|(stage, index, panics)| Fault { stage, index, panics }));
    let window = prop_oneof![Just(1), Just(2), Just(7), Just(64), Just(4096), Just(usize::MAX)];
    let workers = prop_oneof![Just(1), Just(2), Just(4), Just(16)];
    let heavy = prop_oneof![Just(37_u64), Just(500), Just(u64::MAX)];
    (0_u64..1500, window, workers, any::<bool>(), any::<bool>(), heavy, 0_u64..9, fault).prop_map(
        |(items, window, workers, ordered, vague, heavy, factor, fault)| Settings {
            items,
            window,
            workers,
            ordered,
            vague,
            heavy,
            factor,
            fault,
        },
    )
}

fn check(shape: Shape, settings: &Settings) -> Result<(), TestCaseError> {
    let (kinds, mut seen, outcome) = shape(settings);
    let expected = Model::expect(settings, &kinds);
    let report = match &outcome {
        Ok(report) => report,
        Err(error) => error.report(),
    };
    prop_assert_eq!(report.read(), report.finished() + report.unfinished());
    prop_assert!(report.read() <= settings.items);
    match (&outcome, expected.failure) {
        (Ok(report), None) => {
            let mut all = expected.seen;
            if !settings.ordered {
                seen.sort_by_key(|item| (item.index, item.value));
                all.sort_by_key(|item| (item.index, item.value));
            }
            let differ = seen.iter().zip(&all).position(|(is, should)| is != should);
            prop_assert!(
                differ.is_none() && seen.len() == all.len(),
                "{kinds:?}: {} of {} at {differ:?}, {:?}",
                seen.len(),
                all.len(),
                differ.map(|at| (seen[at], all[at]))
            );
            prop_assert_eq!((report.read(), report.unfinished()), (settings.items, 0));
            let counts: Vec<_> =
                report.stages().iter().map(|stage| (stage.items_in(), stage.items_out())).collect();
            prop_assert_eq!(counts, expected.counts);
            prop_assert!(report.stages().iter().all(|stage| stage.failed() + stage.undone() == 0));
            counts_close(report);
        }
        (Err(error), Some((stage, index))) => {
            let name = report.stages()[stage].name();
            prop_assert_eq!((error.stage(), error.index()), (Some(name), Some(index)));
            match error.kind() {
                PipelineErrorKind::Failed { source, .. } => prop_assert_eq!(source, &Torn(index)),
                PipelineErrorKind::Panicked { panic, .. } => {
                    prop_assert_eq!(panic.message(), format!("torn at {index}"));
                }
                other => prop_assert!(false, "{other:?}"),
            }
            let torn = &report.stages()[stage];
            prop_assert_eq!(torn.failed() + torn.panicked(), 1);
            prop_assert_eq!(torn.panicked() == 1, error.is_panic());
            counts_close(report);
            if settings.ordered {
                prop_assert_eq!(seen, expected.seen);
                prop_assert_eq!(report.finished(), index);
            } else {
                prop_assert!(seen.iter().all(|item| item.index < settings.items));
            }
        }
        (outcome, expected) => prop_assert!(false, "{outcome:?} instead of {expected:?}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn run_does_what_the_plain_loop_does(shape in prop::sample::select(&SHAPES[..]), settings in settings()) {
        check(shape, &settings)?;
    }
}
