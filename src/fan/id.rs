//! What names a lane, and what can be seen of it.

use std::fmt;

/// Names a lane of one router. No two lanes of a router ever have the same.
///
/// ```
/// use gristmill::Router;
///
/// let router = Router::round_robin(8)?;
/// let (first, second) = (router.add_lane(), router.add_lane());
/// assert_ne!(first.id(), second.id());
/// router.send(1)?;
/// assert_eq!(router.remove_lane(first.id()), Some(vec![1])); // with what was queued
/// assert_eq!(router.remove_lane(first.id()), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub(super) u64);

/// Counts from 0, in the order in which lanes were added.
impl fmt::Display for LaneId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "lane {}", self.0)
    }
}

/// What a lane of a [`Router`](super::Router) was like at one moment.
///
/// ```
/// use gristmill::Router;
///
/// // To the lane with the shorter queue, the later one if they are equal.
/// let router = Router::custom(8, |_: &u32, lanes| {
///     lanes.iter().rev().filter(|lane| lane.is_alive).min_by_key(|lane| lane.queued).map(|lane| lane.id)
/// })?;
/// let (first, second) = (router.add_lane(), router.add_lane());
/// router.send(1)?;
/// router.send(2)?;
/// assert_eq!((first.try_recv()?, second.try_recv()?), (2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LaneSnapshot {
    /// Its name.
    pub id: LaneId,
    /// How many items are queued; for a shared queue, in the whole of it.
    pub queued: usize,
    /// How many items were sent to it; for a shared queue 0, since they are sent to no lane in particular.
    pub sent: u64,
    /// How many broadcasts it missed because it was full and [passed over](super::LaneRule::Skip).
    pub missed: u64,
    /// Whether its [`Lane`](super::Lane) still exists.
    pub is_alive: bool,
}

/// What a [`Router`](super::Router) has done so far and what is queued in it, at one moment.
///
/// ```
/// use gristmill::Router;
///
/// let router = Router::round_robin(8)?;
/// let lanes = [router.add_lane(), router.add_lane()];
/// for n in 0..3 {
///     router.send(n)?;
/// }
/// lanes[0].recv()?;
/// let now = router.snapshot();
/// assert_eq!((now.sent, now.queued, now.lanes[0].queued), (3, 2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouterSnapshot {
    /// How many items were sent, to whichever lanes; a broadcast counts once.
    pub sent: u64,
    /// How many sends failed, and gave their item back.
    pub refused: u64,
    /// How many broadcasts were missed by a lane that was full and [passed over](LaneRule::Skip), summed over the lanes.
    pub missed: u64,
    /// How many items are queued, in all lanes together.
    pub queued: usize,
    /// How many of them nobody receives any more: in dead lanes, or in a shared queue that has no lane. They are there for
    /// [`take_undelivered`](super::Router::take_undelivered).
    pub undelivered: usize,
    /// The lanes, in the order in which they were added; without those that were removed.
    pub lanes: Vec<LaneSnapshot>,
}

/// What a router does when the lane that an item is for is full, or dead.
///
/// ```
/// use gristmill::{LaneRule, Router};
///
/// let router = Router::broadcast(1)?.slow_lanes(LaneRule::Skip);
/// let (quick, slow) = (router.add_lane(), router.add_lane());
/// for n in 0..3 {
///     router.send(n)?; // the slow lane misses what it has no room for
///     assert_eq!(quick.recv()?, n);
/// }
/// assert_eq!(slow.recv()?, 0);
/// assert_eq!(router.snapshot().missed, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LaneRule {
    /// The send waits: for room in the full lane; for the dead one to be removed.
    Wait,
    /// The lane is passed over: another one gets the item, and the send waits only if all are full. A broadcast goes to the others.
    Skip,
    /// The send fails at once, with the item.
    Refuse,
}
