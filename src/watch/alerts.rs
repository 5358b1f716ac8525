//! Rules over snapshots, which call back when they come true.
//!
//! # Invariants
//! 1. One thread at a time has the rules (`asking`): it takes them out, asks them with no lock held, and puts them back. Others pass by.
//! 2. A rule calls back when it was not raised and is now, and not again before it has cleared.
//!
//! `state` is a leaf lock; nothing of the user's is called or dropped under it.

use std::fmt;
use std::mem;
use std::sync::Arc;

use super::every::{Watch, WatchError};
use super::look::Look;
use super::threshold::{Threshold, ThresholdError};
use crate::clock::{Clock, SystemClock};
use crate::panics::{self, Panic};
use crate::sync::Mutex;
use crate::sync::time::{Duration, Instant};

/// Panics that are kept.
const KEPT: usize = 1000;

/// Told to the callback of a rule: what happened, and what was seen.
///
/// ```
/// use gristmill::watch::{Alerts, Threshold};
/// use gristmill::{Semaphore, SemaphoreSnapshot};
///
/// let (tell, told) = std::sync::mpsc::channel();
/// let alerts = Alerts::<SemaphoreSnapshot>::new();
/// alerts.rule("busy", |look| look.now().utilisation(), Threshold::above(0.4), move |alert| {
///     let _ = tell.send(format!("{}: {} held, {}", alert.name, alert.snapshot.held, alert.value));
/// })?;
/// let semaphore = Semaphore::new(4);
/// let permits = semaphore.acquire_many(2)?;
/// alerts.check(&semaphore.snapshot());
/// assert_eq!(told.recv()?, "busy: 2 held, 0.5");
/// # drop(permits);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Alert<'a, S> {
    /// The name of the rule.
    pub name: &'a str,
    /// Whether it is raised now; `false` for one that has cleared.
    pub is_raised: bool,
    /// The figure that did it.
    pub value: f64,
    /// The snapshot that it is from.
    pub snapshot: &'a S,
}

type Condition<S> = Box<dyn FnMut(&S) -> bool + Send>;
type Figure<S> = Box<dyn FnMut(&Look<'_, S>) -> f64 + Send>;

type Callback<S> = Box<dyn FnMut(&Alert<'_, S>) + Send>;

enum Test<S> {
    Conditions { raise: Condition<S>, clear: Condition<S>, callback: Box<dyn FnMut(&S) + Send> },
    Figure { figure: Figure<S>, threshold: Threshold, callback: Callback<S> },
}

struct Rule<S> {
    name: Arc<str>,
    test: Test<S>,
    is_raised: bool,
    /// Since when its figure has been across the threshold, if it is not raised.
    across_since: Option<Instant>,
    /// It has panicked, and is not asked again.
    is_broken: bool,
}

impl<S> Rule<S> {
    fn new(name: impl Into<Arc<str>>, test: Test<S>) -> Self {
        Self { name: name.into(), test, is_raised: false, across_since: None, is_broken: false }
    }

    fn drop_quietly(self) {
        match self.test {
            Test::Conditions { raise, clear, callback } => {
                panics::drop_quietly(raise);
                panics::drop_quietly(clear);
                panics::drop_quietly(callback);
            }
            Test::Figure { figure, callback, .. } => {
                panics::drop_quietly(figure);
                panics::drop_quietly(callback);
            }
        }
    }

    /// True if it was raised or has cleared.
    fn ask(&mut self, look: &Look<'_, S>, at: Instant) -> bool {
        let was_raised = self.is_raised;
        let snapshot = look.now();
        match &mut self.test {
            Test::Conditions { raise, clear, callback } => {
                if was_raised {
                    self.is_raised = !clear(snapshot);
                } else if raise(snapshot) {
                    self.is_raised = true;
                    callback(snapshot);
                }
            }
            Test::Figure { figure, threshold, callback } => {
                let value = figure(look);
                if value.is_nan() {
                    return false; // as if nobody had looked
                }
                if was_raised {
                    self.is_raised = !threshold.clears(value);
                } else if threshold.raises(value) {
                    let since = *self.across_since.get_or_insert(at);
                    self.is_raised = at.saturating_duration_since(since) >= threshold.lasting;
                } else {
                    self.across_since = None;
                }
                if self.is_raised != was_raised {
                    self.across_since = None;
                    if self.is_raised || threshold.both_ways {
                        callback(&Alert { name: &self.name, is_raised: self.is_raised, value, snapshot });
                    }
                }
            }
        }
        self.is_raised != was_raised
    }
}

/// The rules, and what they saw last.
struct Asking<S> {
    rules: Vec<Rule<S>>,
    before: Option<(S, Instant)>,
}

struct State<S> {
    /// Not there while somebody asks.
    asking: Option<Asking<S>>,
    /// Rules that came meanwhile.
    added: Vec<Rule<S>>,
    /// The names of those that are raised, as of the last check.
    raised: Vec<Arc<str>>,
    panics: Vec<Panic>,
}

struct Inner<S> {
    clock: Arc<dyn Clock>,
    state: Mutex<State<S>>,
}

// One by one: of two closures that panic in their drops, the second would end the program.
impl<S> Drop for Inner<S> {
    fn drop(&mut self) {
        let State { asking, added, .. } = self.state.get_mut();
        let rules = asking.take().map(|Asking { rules, before }| {
            panics::drop_quietly(before);
            rules
        });
        rules.into_iter().flatten().chain(added.drain(..)).for_each(Rule::drop_quietly);
    }
}

/// Rules over the snapshots of one part, each of which calls back once when it comes true, and again only after it was over.
///
/// Of any part: `S` is its snapshot or report. A running pipeline has the same built in, asked by its own workers:
/// [`PipelineMonitor::when`](crate::pipeline::PipelineMonitor::when). Clones are the same alerts. Snapshots are shown to it by hand, with [`check`](Self::check), or
/// by a thread now and then, with [`watch`](Self::watch). A closure that owns a clone of its own alerts keeps them for ever.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// use gristmill::watch::{Alerts, Threshold};
/// use gristmill::{Semaphore, SemaphoreSnapshot};
///
/// let (tell, told) = std::sync::mpsc::channel();
/// let alerts = Alerts::<SemaphoreSnapshot>::new();
/// let full = Threshold::above(0.9).clears_below(0.5).both_ways();
/// alerts.rule("full", |look| look.now().utilisation(), full, move |alert| {
///     tell.send((alert.name.to_owned(), alert.is_raised)).unwrap();
/// })?;
///
/// let semaphore = Semaphore::new(4);
/// let mut permits = semaphore.acquire_many(4)?;
/// alerts.check(&semaphore.snapshot()); // raised
/// drop(permits.split(1));
/// alerts.check(&semaphore.snapshot()); // 0.75: nothing to be told
/// drop(permits);
/// alerts.check(&semaphore.snapshot()); // cleared
/// assert_eq!(told.try_iter().collect::<Vec<_>>(), [("full".to_owned(), true), ("full".to_owned(), false)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Rates
/// A rule sees the snapshot before as well: [`Look::per_second`] and [`Look::share`] make rates since the last look of counts since the start. At the
/// first look they are NaN, which neither raises nor clears. A figure says NaN, too, where there is nothing to judge: a rule on too few items in a second
/// would be raised before a run has begun and after its end.
///
/// # Panics
/// A closure that panics is not called again, nor are the others of its rule; the panic is kept for [`take_panics`](Self::take_panics).
pub struct Alerts<S>(Arc<Inner<S>>);

impl<S> Alerts<S> {
    /// No rules, and the system's clock.
    pub fn new() -> Self {
        Self::with_clock(SystemClock)
    }

    /// No rules yet. `clock` says what time it is at a look.
    pub fn with_clock(clock: impl Clock + 'static) -> Self {
        panics::note_locations();
        let asking = Some(Asking { rules: Vec::new(), before: None });
        let state = State { asking, added: Vec::new(), raised: Vec::new(), panics: Vec::new() };
        Self(Arc::new(Inner { clock: Arc::new(clock), state: Mutex::new(state) }))
    }

    /// Calls `callback` when `raise` comes true, and not again before `clear` has been true: two conditions, so that a figure that
    /// hovers about one threshold does not call at every look. All three see the same snapshot.
    ///
    /// For one figure, [`rule`](Self::rule) says the same in less.
    pub fn when(
        &self,
        name: impl Into<Arc<str>>,
        raise: impl FnMut(&S) -> bool + Send + 'static,
        clear: impl FnMut(&S) -> bool + Send + 'static,
        callback: impl FnMut(&S) + Send + 'static,
    ) {
        let (raise, clear, callback) = (Box::new(raise), Box::new(clear), Box::new(callback));
        self.add(Rule::new(name, Test::Conditions { raise, clear, callback }));
    }

    /// Calls `callback` when a figure crosses a threshold, and not again before it has cleared; when it clears only if the threshold says
    /// [`both_ways`](Threshold::both_ways).
    ///
    /// # Errors
    /// The threshold cannot be: the error says why. The closures are dropped.
    pub fn rule(
        &self,
        name: impl Into<Arc<str>>,
        figure: impl FnMut(&Look<'_, S>) -> f64 + Send + 'static,
        threshold: Threshold,
        callback: impl FnMut(&Alert<'_, S>) + Send + 'static,
    ) -> Result<(), ThresholdError> {
        threshold.check()?;
        let (figure, callback) = (Box::new(figure), Box::new(callback));
        self.add(Rule::new(name, Test::Figure { figure, threshold, callback }));
        Ok(())
    }

    /// The rules that are raised, as of the last check, in the order in which they were added. One that has panicked stays as it was.
    pub fn raised(&self) -> Vec<Arc<str>> {
        self.0.state.lock().raised.clone()
    }

    /// The panics of closures since this was last asked, at most 1000.
    ///
    /// ```
    /// use gristmill::watch::{Alerts, Threshold};
    ///
    /// let alerts = Alerts::<f64>::new();
    /// alerts.rule("load", |look| *look.now(), Threshold::above(0.9), |_| panic!("no pager"))?;
    /// alerts.check(&1.0);
    /// assert_eq!(alerts.take_panics()[0].message(), "no pager");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take_panics(&self) -> Vec<Panic> {
        mem::take(&mut self.0.state.lock().panics)
    }

    fn add(&self, rule: Rule<S>) {
        self.0.state.lock().added.push(rule);
    }
}

impl<S: Clone> Alerts<S> {
    /// Shows all rules a snapshot; how many were raised by it or have cleared.
    ///
    /// The callbacks run in this call, with no lock of the library held; they may add rules, which are asked from the next snapshot on. `None` if another
    /// thread is asking the rules just now, or this is called by one of their closures: then the snapshot was not looked at.
    pub fn check(&self, now: &S) -> Option<usize> {
        let inner = &*self.0;
        let at = inner.clock.now();
        let kept = Some((now.clone(), at));
        let mut state = inner.state.lock();
        let mut asking = state.asking.take()?;
        asking.rules.append(&mut state.added);
        drop(state);
        let Asking { rules, before } = &mut asking;
        let before = mem::replace(before, kept);
        // The clocks never go back; of two that look at the same time the later may have read earlier.
        let earlier = before.as_ref().map(|(before, then)| (before, at.saturating_duration_since(*then)));
        let look = Look::new(now, earlier);
        let (mut crossings, mut panics) = (0, Vec::new());
        for rule in rules.iter_mut().filter(|rule| !rule.is_broken) {
            let name = Arc::clone(&rule.name);
            match panics::catch(|| name, || rule.ask(&look, at)) {
                Ok(has_crossed) => crossings += usize::from(has_crossed),
                Err(panic) => {
                    rule.is_broken = true;
                    panics.push(panic);
                }
            }
        }
        let raised = rules.iter().filter(|rule| rule.is_raised).map(|rule| Arc::clone(&rule.name)).collect();
        panics::drop_quietly(before);
        let mut state = inner.state.lock();
        state.raised = raised;
        state.asking = Some(asking);
        let room = KEPT.saturating_sub(state.panics.len());
        let too_many = panics.split_off(room.min(panics.len()));
        state.panics.append(&mut panics);
        drop(state);
        drop(too_many);
        Some(crossings)
    }

    /// Shows the rules a snapshot every `interval`, on a thread of its own, until the [`Watch`] is stopped or dropped; once more then.
    ///
    /// # Errors
    /// As for [`Watch::every`].
    ///
    /// # Panics
    /// A panic of `snapshot` ends the watching, and [`Watch::stop`] gives it back.
    pub fn watch(
        &self,
        interval: Duration,
        mut snapshot: impl FnMut() -> S + Send + 'static,
    ) -> Result<Watch, WatchError>
    where
        S: Send + 'static,
    {
        let alerts = self.clone();
        Watch::every(interval, move || _ = alerts.check(&snapshot()))
    }
}

impl<S> Default for Alerts<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Clone for Alerts<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> fmt::Debug for Alerts<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Alerts").field("raised", &self.raised()).finish_non_exhaustive()
    }
}
