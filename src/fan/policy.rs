//! Which lane an item is for: the part of the answer that may run the user's code, and so is given without the lock.

use std::fmt;

use super::id::{LaneId, LaneSnapshot};

type Key<T> = Box<dyn Fn(&T) -> u64 + Send + Sync>;
type Choose<T> = Box<dyn Fn(&T, &[LaneSnapshot]) -> Option<LaneId> + Send + Sync>;

/// How a router chooses.
pub(super) enum Policy<T> {
    SharedQueue,
    RoundRobin,
    LeastLoaded,
    Priority,
    Broadcast(fn(&T) -> T),
    ByKey(Key<T>),
    Custom(Choose<T>),
}

/// What is wanted for one item; the state of the lanes decides the rest.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    Next,
    LeastLoaded,
    First,
    Key(u64),
    Lane(LaneId),
}

impl<T> Policy<T> {
    fn name(&self) -> &'static str {
        match self {
            Self::SharedQueue => "shared queue",
            Self::RoundRobin => "round robin",
            Self::LeastLoaded => "least loaded",
            Self::Priority => "priority",
            Self::Broadcast(_) => "broadcast",
            Self::ByKey(_) => "by key",
            Self::Custom(_) => "custom",
        }
    }
}

impl<T> fmt::Debug for Policy<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
