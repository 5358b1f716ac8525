//! Rules over snapshots: once per crossing, both ways if asked for, after some time if asked for, on rates, by hand and by a thread; and what becomes of
//! thresholds that cannot be and of closures that panic.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::sync::{Arc, mpsc};
use std::time::Duration;

use gristmill::watch::{Alerts, Threshold, ThresholdError};
use gristmill::{ManualClock, ThreadPool};
use proptest::collection::vec;
use proptest::prelude::*;

#[path = "support/gate.rs"]
mod gate;
use gate::Log;

const SECOND: Duration = Duration::from_secs(1);

/// Alerts over plain numbers with one rule, and what it told: whether raised, and the value.
fn one_rule(threshold: Threshold) -> (Alerts<f64>, ManualClock, Log<(bool, f64)>) {
    let (clock, log) = (ManualClock::new(), Log::new());
    let (alerts, told) = (Alerts::with_clock(clock.clone()), log.clone());
    let rule = alerts.rule(
        "rule",
        |look| *look.now(),
        threshold,
        move |alert| told.add((alert.is_raised, alert.value)),
    );
    rule.expect("the threshold can be");
    (alerts, clock, log)
}

#[test]
fn alert_is_told_once_per_crossing_and_hovering_tells_nothing() {
    let (alerts, _, log) = one_rule(Threshold::above(10.0).clears_below(5.0));
    let crossings: Vec<_> = [9.0, 10.0, 11.0, 12.0, 9.0, 11.0, 5.0, 11.0, 4.0, 6.0, 20.0]
        .iter()
        .map(|value| alerts.check(value).expect("nobody else asks"))
        .collect();
    assert_eq!(crossings, [0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1]);
    assert_eq!(log.all(), [(true, 11.0), (true, 20.0)]);
}

#[test]
fn alert_below_a_threshold_tells_both_ways_if_asked() {
    let (alerts, _, log) = one_rule(Threshold::below(1.0).clears_above(2.0).both_ways());
    for value in [5.0, 1.0, 0.5, 1.5, 2.0, 2.5, 0.0] {
        alerts.check(&value);
    }
    assert_eq!(log.all(), [(true, 0.5), (false, 2.5), (true, 0.0)]);
    assert_eq!(alerts.raised().iter().map(|name| &**name).collect::<Vec<_>>(), ["rule"]);
}

#[test]
fn without_a_value_to_clear_at_an_alert_clears_once_its_figure_is_no_longer_across() {
    let (alerts, _, log) = one_rule(Threshold::above(1.0).both_ways());
    for value in [1.0, 2.0, f64::NAN, 1.0, 0.5, 1.0, 1.5] {
        alerts.check(&value);
    }
    assert_eq!(log.all(), [(true, 2.0), (false, 1.0), (true, 1.5)]);
}

#[test]
fn alert_on_anything_at_all_or_on_less_than_all_clears_and_is_told_again() {
    // Neither figure can go beyond the value: no count is below 0, and no share above 1.
    for (threshold, good, bad) in [(Threshold::above(0.0), 0.0, 3.0), (Threshold::below(1.0), 1.0, 0.75)] {
        let (alerts, _, log) = one_rule(threshold);
        for value in [good, bad, good, bad] {
            alerts.check(&value);
        }
        assert_eq!(log.all(), [(true, bad), (true, bad)]);
    }
}

#[test]
fn what_has_to_last_is_told_when_it_has_and_begins_anew_when_it_was_interrupted() {
    let (alerts, clock, log) = one_rule(Threshold::above(1.0).lasting(3 * SECOND));
    let look = |value: f64| {
        alerts.check(&value);
        clock.advance(SECOND);
        log.all().len()
    };
    assert_eq!([2.0, 2.0, 1.0, 2.0, 2.0, f64::NAN, 2.0, 0.0].map(look), [0, 0, 0, 0, 0, 0, 1, 1]);
    assert_eq!([2.0, 2.0, 2.0, 2.0, 2.0].map(look), [1, 1, 1, 2, 2], "cleared by 0, and raised again");
}

#[test]
fn infinite_thresholds_to_clear_at_mean_never_and_a_time_without_end_is_never_over() {
    let (alerts, _, log) = one_rule(Threshold::above(1.0).clears_below(f64::NEG_INFINITY).both_ways());
    for value in [2.0, f64::MIN, f64::NEG_INFINITY, f64::INFINITY] {
        alerts.check(&value);
    }
    assert_eq!(log.all(), [(true, 2.0)]);

    let (alerts, clock, log) = one_rule(Threshold::above(1.0).lasting(Duration::MAX));
    for _ in 0..3 {
        alerts.check(&2.0);
        clock.advance(1_000_000 * SECOND);
    }
    assert!(log.all().is_empty());
}

#[test]
fn thresholds_that_cannot_be_are_refused_with_which_and_why() {
    let refused = |threshold| {
        let alerts = Alerts::<f64>::new();
        let (held, owned) = (Arc::new(1.0), Arc::new(()));
        let (figure, callback) = (Arc::clone(&held), Arc::clone(&owned));
        let error = alerts.rule("rule", move |_| *figure, threshold, move |_| drop(Arc::clone(&callback)));
        let error = error.unwrap_err();
        assert_eq!((Arc::strong_count(&held), Arc::strong_count(&owned)), (1, 1), "the closures are dropped");
        assert_eq!(alerts.check(&1.0), Some(0), "and no rule was made");
        error
    };
    for raise in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = refused(Threshold::above(raise));
        assert!(
            matches!(error, ThresholdError::Raise { raise: given } if given.to_bits() == raise.to_bits())
        );
    }
    assert_eq!(refused(Threshold::below(1.0).clears_above(f64::NAN)), ThresholdError::Clear);
    let error = refused(Threshold::above(1.0).clears_below(2.0));
    assert_eq!(error, ThresholdError::ClearBeyondRaise { above: true, raise: 1.0, clear: 2.0 });
    assert_eq!(error.to_string(), "raised above 1, the alert cannot clear at 2: that is beyond");
    let error = refused(Threshold::below(1.0).clears_above(0.5));
    assert_eq!(error, ThresholdError::ClearBeyondRaise { above: false, raise: 1.0, clear: 0.5 });
    let error = refused(Threshold::above(1.0).clears_above(2.0));
    assert_eq!(error, ThresholdError::SameSide { above: true });
    assert_eq!(error.to_string(), "an alert that is raised above a value clears on the other side of one");
    assert_eq!(refused(Threshold::below(1.0).clears_below(0.0)), ThresholdError::SameSide { above: false });
}

#[test]
fn two_conditions_raise_and_clear_and_all_see_the_same_snapshot() {
    let (alerts, log) = (Alerts::<u32>::new(), Log::new());
    let told = log.clone();
    alerts.when("odd", |now| now % 2 == 1, |now| *now == 0, move |now| told.add(*now));
    for number in [2, 3, 5, 4, 7, 0, 2, 9] {
        alerts.check(&number);
    }
    assert_eq!(log.all(), [3, 9]);
}

#[test]
fn rates_are_those_since_the_last_look_and_the_first_look_has_none() {
    let clock = ManualClock::new();
    let alerts = Alerts::<(f64, f64)>::with_clock(clock.clone());
    let (rates, shares) = (Log::new(), Log::new());
    let (rate, share) = (rates.clone(), shares.clone());
    let never = Threshold::above(f64::MAX);
    let per_second = move |look: &gristmill::Look<'_, (f64, f64)>| {
        assert_eq!(look.before().is_none(), look.elapsed().is_zero());
        let per_second = look.per_second(|now| now.1);
        rate.add(per_second.to_string());
        per_second
    };
    alerts.rule("per second", per_second, never, |_| ()).expect("it can be");
    let part = move |look: &gristmill::Look<'_, (f64, f64)>| {
        let of_all = look.share(|now| now.0, |now| now.1);
        share.add(of_all.to_string());
        of_all
    };
    alerts.rule("share", part, never, |_| ()).expect("it can be");
    for counts in [(5.0, 10.0), (6.0, 14.0), (6.0, 14.0), (9.0, 20.0)] {
        alerts.check(&counts);
        clock.advance(2 * SECOND);
    }
    assert_eq!(rates.all(), ["NaN", "2", "0", "3"]);
    assert_eq!(shares.all(), ["NaN", "0.25", "NaN", "0.5"], "nothing in nothing is no share");
}

#[test]
fn growth_in_no_time_is_no_rate_and_growth_beside_nothing_is_no_share() {
    let clock = ManualClock::new();
    let alerts = Alerts::<(f64, f64)>::with_clock(clock.clone());
    let (figures, log) = (Log::new(), Log::new());
    let (seen, told) = (figures.clone(), log.clone());
    let figure = move |look: &gristmill::Look<'_, (f64, f64)>| {
        let (rate, share) = (look.per_second(|now| now.1), look.share(|now| now.0, |now| now.1));
        seen.add((rate.to_string(), share.to_string()));
        share
    };
    alerts
        .rule("share", figure, Threshold::above(0.5), move |alert| told.add(alert.value))
        .expect("it can be");
    // The last counts are those of another run, which has begun anew.
    for (counts, seconds) in [((0.0, 10.0), 0), ((1.0, 14.0), 2), ((2.0, 14.0), 2), ((3.0, 10.0), 0)] {
        alerts.check(&counts);
        clock.advance(SECOND * seconds);
    }
    let expected = [("NaN", "NaN"), ("NaN", "0.25"), ("0", "NaN"), ("-2", "NaN")];
    assert_eq!(figures.all(), expected.map(|(rate, share)| (rate.to_owned(), share.to_owned())));
    assert!(log.all().is_empty(), "no share is above a half");
}

#[test]
fn error_rate_of_a_pool_raises_an_alert_and_clears_it() {
    let pool = ThreadPool::builder().workers(1).build().expect("threads");
    let (alerts, log) = (Alerts::new(), Log::new());
    let told = log.clone();
    let threshold = Threshold::above(0.5).both_ways();
    let figure = |look: &gristmill::Look<'_, gristmill::Snapshot>| {
        look.before().map_or(f64::NAN, |before| look.now().error_rate_since(before))
    };
    alerts
        .rule("errors", figure, threshold, move |alert| {
            told.add((alert.is_raised, alert.snapshot.panicked()));
        })
        .expect("it can be");
    alerts.check(&pool.snapshot());
    for _ in 0..3 {
        assert!(pool.submit(|| panic!("on purpose")).expect("open").wait().is_err());
    }
    alerts.check(&pool.snapshot());
    pool.submit(|| ()).expect("open").wait().expect("it succeeds");
    alerts.check(&pool.snapshot());
    assert_eq!(log.all(), [(true, 3), (false, 3)]);
}

#[test]
fn closure_that_panics_is_kept_and_only_its_rule_is_asked_no_more() {
    let (alerts, log) = (Alerts::<u32>::new(), Log::new());
    let told = log.clone();
    alerts.when("breaks", |now| *now > 0, |_| true, |now| panic!("at {now}"));
    alerts.when("raise", |_| panic!("in raise"), |_| true, |_| ());
    let figure = |_: &gristmill::Look<'_, u32>| panic!("in figure");
    alerts.rule("figure", figure, Threshold::above(0.0), |_| ()).expect("it can be");
    alerts.when("works", |now| *now > 0, |now| *now == 0, move |now| told.add(*now));
    for now in [1, 0, 2] {
        assert_eq!(alerts.check(&now), Some(1));
    }
    assert_eq!(log.all(), [1, 2]);
    let panics = alerts.take_panics();
    let told: Vec<_> = panics.iter().map(|panic| (panic.name(), panic.message())).collect();
    assert_eq!(told, [("breaks", "at 1"), ("raise", "in raise"), ("figure", "in figure")]);
    assert!(alerts.take_panics().is_empty(), "they are given once");
}

#[test]
fn callback_may_add_rules_and_look_at_the_alerts_but_not_ask_again() {
    let (alerts, log) = (Alerts::<u32>::new(), Log::new());
    let (own, told) = (alerts.clone(), log.clone());
    alerts.when(
        "first",
        |_| true,
        |_| false,
        move |now| {
            assert_eq!(own.check(now), None, "it is being asked");
            assert!(own.raised().is_empty() && own.take_panics().is_empty());
            let told = told.clone();
            own.when("second", |_| true, |_| false, move |now| told.add(*now));
        },
    );
    assert_eq!(alerts.check(&1), Some(1));
    assert!(log.all().is_empty());
    assert_eq!(alerts.check(&2), Some(1));
    assert_eq!(log.all(), [2]);
    assert_eq!(alerts.raised().len(), 2);
}

#[test]
fn look_of_another_thread_passes_by_while_a_callback_runs() {
    let alerts = Alerts::<u32>::new();
    let (gate, pass) = gate::Gate::new();
    let mut pass = Some(pass);
    alerts.when("held", |_| true, |_| true, move |_| pass.take().map_or((), |pass| pass()));
    let holder = {
        let alerts = alerts.clone();
        gate::spawn(move || alerts.check(&1))
    };
    gate.wait();
    assert_eq!(alerts.check(&2), None);
    gate.open();
    assert_eq!(holder.join().expect("it does not panic"), Some(1));
    assert_eq!(alerts.check(&3), Some(1), "cleared");
}

#[test]
fn watch_asks_again_and_again_and_once_more_at_its_end() {
    let alerts = Alerts::<u64>::new();
    let (tell, told) = mpsc::channel();
    alerts.when("third", |now| *now == 3, |_| false, move |now| tell.send(*now).expect("somebody listens"));
    let mut looks = 0;
    let watch = alerts.watch(Duration::from_millis(1), move || {
        looks += 1;
        looks
    });
    let watch = watch.expect("a thread");
    assert_eq!(told.recv_timeout(gate::LONG), Ok(3));
    watch.stop().expect("it does not panic");

    let (alerts, log) = (Alerts::<u64>::new(), Log::new());
    let told = log.clone();
    alerts.when("end", |_| true, |_| false, move |now| told.add(*now));
    drop(alerts.watch(Duration::MAX, || 7).expect("a thread"));
    assert_eq!(log.all(), [7]);
    assert!(alerts.watch(Duration::ZERO, || 7).is_err());
}

/// What a rule is to do, written down as plainly as can be.
#[derive(Default)]
struct Model {
    raised: bool,
    across_since: Option<u64>,
}

impl Model {
    /// What is told at a look: raised or cleared.
    fn look(
        &mut self,
        value: f64,
        at: u64,
        above: bool,
        raise: f64,
        clear: f64,
        lasting: u64,
    ) -> Option<bool> {
        if value.is_nan() {
            return None;
        }
        // Below is above, mirrored.
        let sign = if above { 1.0 } else { -1.0 };
        if self.raised {
            let clears = sign * value < sign * clear;
            self.raised = !clears;
            return clears.then_some(false);
        }
        if sign * value <= sign * raise {
            self.across_since = None;
            return None;
        }
        let since = self.across_since.unwrap_or(at);
        self.across_since = Some(since);
        if at - since < lasting {
            return None;
        }
        self.raised = true;
        self.across_since = None;
        Some(true)
    }
}

fn values() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (-4..=4_i32).prop_map(f64::from),
        1 => Just(f64::NAN),
        1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0)],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 2000 }))]

    #[test]
    fn alerts_tell_what_the_model_tells(
        above in any::<bool>(),
        raise in -3..=3_i32,
        gap in 0..4_i32,
        lasting in 0..5_u64,
        looks in vec((values(), 0..3_u64), 0..60),
    ) {
        let clear = f64::from(if above { raise - gap } else { raise + gap });
        let raise = f64::from(raise);
        let threshold = if above {
            Threshold::above(raise).clears_below(clear)
        } else {
            Threshold::below(raise).clears_above(clear)
        };
        let (alerts, clock, log) = one_rule(threshold.lasting(Duration::from_secs(lasting)).both_ways());
        let (mut model, mut at, mut expected) = (Model::default(), 0, Vec::new());
        for (value, seconds) in looks {
            let told = model.look(value, at, above, raise, clear, lasting);
            expected.extend(told.map(|raised| (raised, value)));
            prop_assert_eq!(alerts.check(&value), Some(usize::from(told.is_some())));
            prop_assert_eq!(alerts.raised().len(), usize::from(model.raised));
            clock.advance(Duration::from_secs(seconds));
            at += seconds;
        }
        let told = log.all();
        prop_assert_eq!(&told, &expected);
        // Once per crossing: raised and cleared take turns.
        prop_assert!(told.iter().enumerate().all(|(index, (raised, _))| *raised == (index % 2 == 0)));
    }
}
