//! A source whose items are weighed, and let in only as far as the window by weight has room.

use std::sync::Arc;

use super::builder::Pipeline;
use super::plan::FromSource;
use super::source::{Readiness, Reading, Source, Wait};
use super::step::Through;
use super::weight::WeightWindow;
use crate::cancel::CancellationToken;
use crate::sync::channel::Receiver;

/// A source whose items are weighed.
#[derive(Debug)]
pub struct Weighed<Z, T, F> {
    source: Z,
    weigh: F,
    window: Arc<WeightWindow>,
    /// Where the source puts what it gives.
    given: Vec<T>,
    /// What has been taken out of the source and waits for room.
    waiting: Option<(T, u64)>,
    /// What the last item that was let in is taken to weigh.
    weight: u64,
}

impl<Z, T, F> Weighed<Z, T, F>
where
    F: FnMut(&T) -> u64,
{
    /// Lets the item in, or keeps it; false if there is no room.
    fn enter(&mut self, item: T, weight: u64, into: &mut Vec<T>) -> bool {
        let Some(counted) = self.window.enter(weight) else {
            self.waiting = Some((item, weight));
            return false;
        };
        self.weight = counted;
        into.push(item);
        true
    }
}

impl<Z, T, F, E> Source<E> for Weighed<Z, T, F>
where
    Z: Source<E, Item = T>,
    T: Send,
    F: FnMut(&T) -> u64 + Send,
{
    type Item = T;

    /// A chunk has one item, so that its weight leaves with it and not with others.
    const ONE_BY_ONE: bool = true;

    const TAKES_BACK: bool = Z::TAKES_BACK;

    fn expected(&self) -> Option<usize> {
        self.source.expected()
    }

    fn readiness(&self) -> Readiness {
        self.source.readiness()
    }

    fn begin(&mut self, token: &CancellationToken, nudges: Option<Receiver<()>>) {
        self.source.begin(token, nudges);
    }

    fn read(&mut self, _: usize, wait: Wait, into: &mut Vec<T>) -> Reading<E> {
        let reading = match self.waiting.take() {
            Some((item, weight)) => {
                return if self.enter(item, weight, into) { Reading::Full } else { Reading::Pause };
            }
            None => self.source.read(1, wait, &mut self.given),
        };
        // As many as were asked for: so the source has not said yet how it ends.
        let Some(item) = self.given.pop() else { return reading };
        let weight = (self.weigh)(&item);
        if self.enter(item, weight, into) { Reading::Full } else { Reading::Pause }
    }

    fn weight_of_last(&self) -> u64 {
        self.weight
    }

    fn has_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    fn take_waiting(&mut self) -> Option<T> {
        self.waiting.take().map(|(item, _)| item)
    }

    fn take_back(&mut self, first: u64, items: Vec<T>) {
        self.source.take_back(first, items);
    }
}

impl<Z, T, M> Pipeline<FromSource<Z>, Through, T, M> {
    /// Bounds how much the items between the source and the sink weigh together, besides how [many](Self::window) there may be: at least 1, and zero is
    /// refused by `run`. Said right after the source.
    ///
    /// For items that differ much in size: files, images, messages. `weigh` says what an item will take up once it is being worked on, in bytes for instance; it runs once for
    /// each, one at a time. An item that weighs more than the limit goes alone; one that weighs nothing takes up nothing. Of several such bounds the last
    /// is the one.
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline};
    ///
    /// let files = [("small", 10_u64), ("large", 4_000), ("huge", 90_000)];
    /// let (names, _) = Pipeline::from_iter(files)
    ///     .window_by_weight(5_000, |(_, bytes)| *bytes) // never more than 5 000 bytes, or one larger file
    ///     .map("load", |(name, bytes)| (name, vec![0; bytes as usize]))
    ///     .map("name", |(name, _)| name)
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(names, ["small", "large", "huge"]);
    /// # Ok::<(), gristmill::PipelineError>(())
    /// ```
    ///
    /// # Cancellation
    /// One item more than the report counts may have been taken out of the source: the one that waited for room. It is dropped, or
    /// [given back](Self::return_undone) with the others.
    ///
    /// # Cost
    /// Every item travels alone, so each costs about as much as a chunk does; that shows where an item takes less than some microseconds.
    pub fn window_by_weight<F>(
        mut self,
        limit: u64,
        weigh: F,
    ) -> Pipeline<FromSource<Weighed<Z, T, F>>, Through, T, M>
    where
        F: FnMut(&T) -> u64 + Send,
    {
        if limit == 0 {
            self.settings.invalid = Some("window_by_weight");
        }
        let window = Arc::new(WeightWindow::new(limit));
        if let Some(before) = self.settings.weight.replace(Arc::clone(&window)) {
            before.lift();
        }
        let FromSource { source, declared } = self.plan;
        let source = Weighed { source, weigh, window, given: Vec::new(), waiting: None, weight: 0 };
        let plan = FromSource { source, declared };
        Pipeline { plan, step: self.step, settings: self.settings, types: self.types }
    }
}
