//! The router: made, given lanes, looked at. How items are sent is in `send`.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use super::core::Core;
use super::error::CapacityError;
use super::id::{LaneId, LaneRule, LaneSnapshot, RouterSnapshot};
use super::keys;
use super::lane::Lane;
use super::policy::Policy;
use super::table::Table;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Sends items to several lanes, each with a receiver of its own; clones are the same router.
///
/// What it is made by says which lane gets an item:
///
/// | Made by | An item goes to | A full lane, unless [said otherwise](Self::slow_lanes) |
/// |---|---|---|
/// | [`shared_queue`](Self::shared_queue) | the queue of all lanes, and so to whichever is free first | waits |
/// | [`round_robin`](Self::round_robin) | the lane whose turn it is | waits |
/// | [`least_loaded`](Self::least_loaded) | the lane with the shortest queue | waits |
/// | [`by_key`](Self::by_key) | the lane of its key | waits |
/// | [`broadcast`](Self::broadcast) | every lane, or none | waits |
/// | [`by_priority`](Self::by_priority) | the lane that was added first | is passed over |
/// | [`custom`](Self::custom) | the lane that your closure names | waits |
///
/// Not for one queue between threads that nobody adds or removes: that is a channel whose receiver is cloned, and costs less. Not for tasks
/// whose results are wanted: those go to a pool.
///
/// # Examples
/// ```
/// use gristmill::fan::Router;
///
/// // Orders of one account in their order, those of different accounts at the same time.
/// let router = Router::by_key(16, |order: &(&str, u32)| order.0)?;
/// let lanes = [router.add_lane(), router.add_lane()];
/// std::thread::scope(|scope| {
///     let workers = lanes.map(|lane| scope.spawn(move || lane.iter().collect::<Vec<_>>()));
///     for order in [("ann", 1), ("bob", 1), ("ann", 2), ("bob", 2), ("ann", 3)] {
///         router.send(order)?;
///     }
///     drop(router); // the lanes end when they are empty
///     let [one, other] = workers.map(|worker| worker.join().unwrap());
///     let ann = if one.contains(&("ann", 1)) { &one } else { &other };
///     assert!(ann.iter().filter(|order| order.0 == "ann").eq(&[("ann", 1), ("ann", 2), ("ann", 3)]));
///     Ok::<_, gristmill::fan::RouteError<_>>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Lanes
/// They come by [`add_lane`](Self::add_lane) and go by being dropped or by [`remove_lane`](Self::remove_lane), at any time. When the last clone of the router is
/// dropped, each lane gives what is queued in it and then ends. What a lane's receiver did not take is handed back: by
/// `remove_lane`, or by [`take_undelivered`](Self::take_undelivered) if the lane was dropped.
///
/// A lane is *slow* when it is full, and *dead* when its [`Lane`] was dropped. What a send does about it is chosen by
/// [`slow_lanes`](Self::slow_lanes) and [`dead_lanes`](Self::dead_lanes). With no lane at all a send fails at once, and never waits for one to be added.
///
/// # Sending
/// The words are the crate's: `try_send` does not wait, `send` waits, `send_timeout` waits for a time at most, `send_with` until a token is cancelled. A
/// send that fails has sent nothing, to no lane, and gives the item back. What one sender sends to a lane arrives in that order. Senders that wait
/// at the same time have no order among each other.
///
/// # Panics
/// The closures given to [`by_key`](Self::by_key) and [`custom`](Self::custom), and the `Clone` of a broadcast, run in the thread that sends, without a lock; if one panics, the send does, the item
/// is dropped, and nothing else has changed.
///
/// # Cost
/// A lock and a channel's `try_send`; least loaded, by key and to all also a look at each lane. By key, the send after lanes came or went looks at all that
/// is in flight, and those after it count keys until each is where it belongs; with [`LaneRule::Skip`] for slow lanes they always do. Receivers that do a tenth of a microsecond of work for an item
/// get it as fast in turn as from a plain loop over senders (`benches/versus.rs`, fan-out, which has the others too).
pub struct Router<T> {
    pub(super) core: Arc<Core<T>>,
}

impl<T> Router<T> {
    fn with(policy: Policy<T>, capacity: usize, slow: LaneRule) -> Result<Self, CapacityError> {
        CapacityError::check(capacity)?;
        let is_shared = matches!(policy, Policy::SharedQueue);
        let table = Mutex::new(Table::new(capacity, is_shared, slow));
        Ok(Self { core: Arc::new(Core { policy, table, refused: AtomicU64::new(0) }) })
    }

    /// All lanes receive from one queue of `capacity` items: whichever is free takes the next.
    ///
    /// A lane that dies leaves everything to the others. What is queued when the last one is gone waits for a new one, or for
    /// [`take_undelivered`](Self::take_undelivered).
    ///
    /// # Errors
    /// A capacity of 0, or above [`CapacityError::LARGEST`].
    pub fn shared_queue(capacity: usize) -> Result<Self, CapacityError> {
        Self::with(Policy::SharedQueue, capacity, LaneRule::Wait)
    }

    /// One lane after the other, each with room for `capacity` items.
    ///
    /// With one sender and lanes that stay, item `i` goes to lane `i` modulo their number. A send that fails does not use up the lane's turn.
    ///
    /// # Errors
    /// A capacity of 0, or above [`CapacityError::LARGEST`].
    pub fn round_robin(capacity: usize) -> Result<Self, CapacityError> {
        Self::with(Policy::RoundRobin, capacity, LaneRule::Wait)
    }

    /// The lane in which the fewest items are queued, each with room for `capacity` items; of several, the next in turn.
    ///
    /// What a receiver has taken and still works on is not counted.
    ///
    /// # Errors
    /// A capacity of 0, or above [`CapacityError::LARGEST`].
    pub fn least_loaded(capacity: usize) -> Result<Self, CapacityError> {
        Self::with(Policy::LeastLoaded, capacity, LaneRule::Wait)
    }

    /// The first lane that has room, in the order in which they were added, each with room for `capacity` items: the second gets what the first
    /// cannot take.
    ///
    /// With [`slow_lanes(LaneRule::Wait)`](Self::slow_lanes) the second gets nothing before the first is dead: a reserve.
    ///
    /// This ranks lanes, not items. For urgent items, let [`custom`](Self::custom) send them to a lane of their own and read both lanes by a
    /// [`Merge::by_priority`](super::Merge::by_priority).
    ///
    /// # Errors
    /// A capacity of 0, or above [`CapacityError::LARGEST`].
    pub fn by_priority(capacity: usize) -> Result<Self, CapacityError> {
        Self::with(Policy::Priority, capacity, LaneRule::Skip)
    }

    /// Items with equal keys to one lane, each with room for `capacity` items.
    ///
    /// What is promised for the items of one key:
    /// - as long as no lane comes or goes, they all go to the same lane;
    /// - when lanes come or go, they go to another lane only once none of them is in flight: queued, or in the hands of the
    ///   receiver. So they are never in two lanes at the same time, and are taken in the order in which they were sent;
    /// - a lane that comes takes over its share of the keys and moves no others; the keys of one that goes are spread over the rest.
    ///
    /// Only a lane that goes breaks the second promise, as what its receiver has in its hands is then nobody's to wait for, and what comes back from
    /// it is older than what is sent meanwhile. Where that matters, stop sending first.
    ///
    /// Different keys share a lane, since there are more keys than lanes, but are not bound to each other by it. Nothing is kept
    /// for a key that has nothing in flight, so memory grows with the lanes' capacity and not with the number of keys.
    ///
    /// A receiver is taken to have finished an item when it takes the next. If it takes several before it has finished the first,
    /// as a pipeline does, say how many with [`in_hand`](Self::in_hand).
    ///
    /// With [`slow_lanes(LaneRule::Skip)`](Self::slow_lanes), a key of which nothing is in flight goes past a full lane to another one: in order as
    /// before, but without the first promise. A key with items in flight always waits for its lane.
    ///
    /// # Errors
    /// A capacity of 0, or above [`CapacityError::LARGEST`].
    pub fn by_key<K: Hash>(
        capacity: usize,
        key: impl Fn(&T) -> K + Send + Sync + 'static,
    ) -> Result<Self, CapacityError> {
        Self::with(Policy::ByKey(Box::new(move |item| keys::hash(&key(item)))), capacity, LaneRule::Wait)
    }

    /// A clone of each item to every lane, each with room for `capacity` items. For items that are dear to clone, send them in an `Arc`.
    ///
    /// All lanes get an item at once, or none does: a send that fails, whether by time, token or a rule, has reached nobody. So with several
    /// senders all lanes see the same order. With [`slow_lanes(LaneRule::Skip)`](Self::slow_lanes) a lane that is full misses the item, which is counted; if all are full, the
    /// send waits for one.
    ///
    /// # Errors
    /// A capacity of 0, or above [`CapacityError::LARGEST`].
    pub fn broadcast(capacity: usize) -> Result<Self, CapacityError>
    where
        T: Clone,
    {
        Self::with(Policy::Broadcast(T::clone), capacity, LaneRule::Wait)
    }

    /// The lane that `choose` names, given the item and all lanes, each with room for `capacity` items.
    ///
    /// It may be asked several times for one item, since lanes fill up and come and go while a send waits. `None` says that there is no lane for
    /// the item, and the send fails as if there were none.
    ///
    /// # Examples
    /// ```
    /// use gristmill::fan::{Merge, Router};
    ///
    /// // What is urgent overtakes: two lanes, and one receiver that reads the first of them first.
    /// let router = Router::custom(8, |item: &&str, lanes| {
    ///     lanes.get(usize::from(!item.ends_with('!'))).map(|lane| lane.id)
    /// })?;
    /// let lanes = [router.add_lane(), router.add_lane()];
    /// for item in ["mow", "water", "fire!"] {
    ///     router.send(item)?;
    /// }
    /// drop(router);
    /// let mut merge = Merge::by_priority(lanes.iter().map(|lane| lane.receiver().clone()));
    /// assert_eq!(merge.by_ref().collect::<Vec<_>>(), ["fire!", "mow", "water"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A capacity of 0, or above [`CapacityError::LARGEST`].
    ///
    /// # Cost
    /// Each send makes the list of all lanes.
    pub fn custom(
        capacity: usize,
        choose: impl Fn(&T, &[LaneSnapshot]) -> Option<LaneId> + Send + Sync + 'static,
    ) -> Result<Self, CapacityError> {
        Self::with(Policy::Custom(Box::new(choose)), capacity, LaneRule::Wait)
    }

    /// Sets what a send does when its lane is full.
    #[must_use]
    pub fn slow_lanes(self, rule: LaneRule) -> Self {
        let mut table = self.core.table.lock();
        table.slow = rule;
        table.announce(); // a clone may be waiting
        drop(table);
        self
    }

    /// Sets what a send does when its lane is dead: by default [`LaneRule::Skip`], as if it were not there. Of a broadcast, each of the lanes
    /// is meant.
    ///
    /// [`Wait`](LaneRule::Wait) and [`Refuse`](LaneRule::Refuse) keep a dead lane, and its turn and its keys, until it is removed. A shared queue knows no dead lanes.
    #[must_use]
    pub fn dead_lanes(self, rule: LaneRule) -> Self {
        let mut table = self.core.table.lock();
        table.set_dead(rule);
        drop(table);
        self
    }

    /// Sets how many items a lane's receiver may have taken before it has finished the first of them: by default 1. Matters [by
    /// key](Self::by_key) only. For a pipeline, this is its window.
    ///
    /// More than [`CapacityError::LARGEST`] counts as that.
    #[must_use]
    pub fn in_hand(self, items: usize) -> Self {
        self.core.table.lock().in_hand = items.min(CapacityError::LARGEST);
        self
    }

    /// Adds a lane, the last in turn and in priority.
    ///
    /// # Cost
    /// Takes the memory for its whole capacity.
    pub fn add_lane(&self) -> Lane<T> {
        let ends = self.core.table.lock().add();
        Lane::new(ends, Arc::downgrade(&self.core))
    }

    /// Removes a lane, dead or alive: it ends at once, and what is queued in it comes back, oldest first. `None` if there is no such lane (any more).
    ///
    /// An item that its receiver is just taking is received or comes back, never both. Who waits for room in the lane looks for another one. From a shared queue
    /// nothing comes back: the others go on with it.
    pub fn remove_lane(&self, id: LaneId) -> Option<Vec<T>> {
        let removed = self.core.table.lock().remove(id);
        removed.map(|(_lane, left)| left)
    }

    /// Takes what was queued in lanes that were dropped, lane after lane and oldest first; of a shared queue, what is queued if it
    /// has no lane.
    ///
    /// Until it is taken, by this or by [`remove_lane`](Self::remove_lane), it is kept: at most the capacity for each lane that died.
    ///
    /// ```
    /// use gristmill::Router;
    ///
    /// let router = Router::round_robin(8)?;
    /// let lane = router.add_lane();
    /// router.send(1)?;
    /// router.send(2)?;
    /// drop(lane); // its receiver is gone, what was queued is not
    /// assert_eq!(router.take_undelivered(), [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take_undelivered(&self) -> Vec<T> {
        let (left, _lanes) = self.core.table.lock().take_undelivered();
        left
    }

    /// The lanes, in the order in which they were added.
    pub fn lanes(&self) -> Vec<LaneSnapshot> {
        self.core.table.lock().snapshot()
    }

    /// What was sent and refused so far, and what is queued; with the [lanes](Self::lanes).
    ///
    /// # Examples
    /// ```
    /// use gristmill::fan::Router;
    ///
    /// let router = Router::round_robin(1)?;
    /// let _lanes = [router.add_lane(), router.add_lane()];
    /// let taken = (0..3).filter(|item| router.try_send(*item).is_ok()).count();
    /// let now = router.snapshot();
    /// assert_eq!((taken, now.sent, now.refused, now.queued), (2, 2, 1, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn snapshot(&self) -> RouterSnapshot {
        let refused = self.core.refused.load(Ordering::Relaxed);
        self.core.table.lock().snapshot_of_all(refused)
    }
}

impl<T> Clone for Router<T> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core) }
    }
}

impl<T> fmt::Debug for Router<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Router").field("policy", &self.core.policy).finish_non_exhaustive()
    }
}
