//! Where a pipeline branches: copies into a channel on the way, and a sink that hands its items to the lanes of a router.

use std::borrow::Cow;
use std::marker::PhantomData;

use super::builder::Pipeline;
use super::calls::SerialCall;
use super::error::What;
use super::plan::ThroughSerial;
use super::ready::ReadyPipeline;
use super::report::{Report, StageKind};
use super::run_end::RunEnd;
use super::sending::{NotSent, send};
use super::sink::{Refused, Sink};
use super::step::Through;
use crate::fan::{RouteErrorKind, Router};
use crate::sync::channel::Sender;

/// Sends a copy of each item into a channel.
#[derive(Debug)]
pub struct Tee<T>(Sender<T>);

impl<T: Clone + Send, E> SerialCall<T, E> for Tee<T> {
    type Out = T;

    fn call(&mut self, item: T, _: impl FnOnce() -> u64, end: &RunEnd) -> Result<Option<T>, What<E>> {
        match send(&self.0, item.clone(), end) {
            // At the end of the run nobody looks at what becomes of the item.
            Ok(()) | Err(NotSent::RunEnded(_)) => Ok(Some(item)),
            Err(NotSent::ReceiverGone(_)) => Err(What::ReceiverGone(None)),
        }
    }
}

/// Sends the items through a router.
#[derive(Debug)]
pub struct Route<'r, T>(&'r Router<T>);

impl<T: Send, E> Sink<T, E> for Route<'_, T> {
    type Outcome = Report;

    fn accept(&mut self, item: T, _: impl FnOnce() -> u64, end: &RunEnd) -> Result<(), Refused<E>> {
        let Err(full) = self.0.try_send(item) else { return Ok(()) };
        let error = match full.kind() {
            RouteErrorKind::Full => match self.0.send_with(full.into_value(), end.token()) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            },
            _ => full,
        };
        Err(match error.into_parts().1 {
            RouteErrorKind::Cancelled(_) => Refused::Stopped,
            kind => Refused::Failed(What::NotRouted(kind)),
        })
    }

    fn finish(self, report: Report) -> Report {
        report
    }
}

impl<P, S, T, M> Pipeline<P, S, T, M> {
    /// Sends a clone of each item into a channel, in order, and passes the item on; a full channel slows the pipeline down.
    ///
    /// For results that several want, each at the end of a channel: another pipeline that starts with [`from_receiver`](Pipeline::from_receiver), on a thread of its own.
    /// Where they are to have different items, [`route`](Self::route) does that; where the last stage does for both, call both in one
    /// [`for_each`](Self::for_each), which needs no channel.
    ///
    /// A channel without a receiver ends the run with [`PipelineErrorKind::ReceiverGone`](super::PipelineErrorKind::ReceiverGone). When the run ends, early too, the
    /// channel's sender goes: a receiver cannot tell one from the other, so whoever has to know asks the run.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let token = CancellationToken::new();
    /// let (copies, side) = crossbeam_channel::bounded(16);
    /// let (longest, words) = std::thread::scope(|scope| {
    ///     let longest = scope.spawn(|| {
    ///         Pipeline::from_receiver(side)
    ///             .map("measure", |word: &str| word.len())
    ///             .reduce("longest", usize::max)
    ///             .run(&token)
    ///     });
    ///     let words = Pipeline::from_iter(["grist", "mill"])
    ///         .tee("copy", copies)
    ///         .map("upper", str::to_uppercase)
    ///         .collect::<Vec<_>>()
    ///         .run(&token)?;
    ///     Ok::<_, gristmill::PipelineError>((longest.join().unwrap()?.0, words.0))
    /// })?;
    /// assert_eq!((longest, words), (Some(5), vec!["GRIST".to_owned(), "MILL".to_owned()]));
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    ///
    /// # Cancellation
    /// Ends a wait for room at once.
    pub fn tee(
        self,
        name: impl Into<Cow<'static, str>>,
        sender: Sender<T>,
    ) -> Pipeline<ThroughSerial<P, S, Tee<T>>, Through, T, M>
    where
        T: Clone + Send,
    {
        let call = Tee(sender);
        self.cut(name, StageKind::Serial, |plan, step, stages| ThroughSerial { plan, step, stages, call })
    }

    /// Sends the results, in order, through `router`: to one of its lanes or to all, as it decides, with what it does about slow and dead ones.
    ///
    /// Lanes can be added and removed while the pipeline runs. An item that the router does not take ends the run with
    /// [`PipelineErrorKind::NotRouted`](super::PipelineErrorKind::NotRouted), and is dropped. The lanes end with the router, not with the run.
    ///
    /// # Examples
    /// ```
    /// use gristmill::fan::Router;
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let router = Router::by_key(4, |number: &u32| number % 2)?;
    /// let lanes = [router.add_lane(), router.add_lane()];
    /// let sums = std::thread::scope(|scope| {
    ///     let sums = lanes.map(|lane| scope.spawn(move || lane.iter().sum::<u32>()));
    ///     Pipeline::from_iter(1..=100).route("by parity", &router).run(&CancellationToken::new()).unwrap();
    ///     drop(router);
    ///     sums.map(|sum| sum.join().unwrap())
    /// });
    /// assert_eq!(sums.iter().sum::<u32>(), 5050);
    /// # Ok::<(), gristmill::fan::CapacityError>(())
    /// ```
    ///
    /// # Cancellation
    /// Ends a wait for room at once.
    pub fn route(
        mut self,
        name: impl Into<Cow<'static, str>>,
        router: &Router<T>,
    ) -> ReadyPipeline<P, S, T, M, Route<'_, T>> {
        self.settings.stage(name.into(), StageKind::Sink);
        let Self { plan, step, settings, .. } = self;
        ReadyPipeline { pipeline: Pipeline { plan, step, settings, types: PhantomData }, sink: Route(router) }
    }
}
