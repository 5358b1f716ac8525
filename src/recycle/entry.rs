//! What goes from hand to hand: an object, and its place in the pool.

use crate::semaphore::OwnedPermit;

/// An object that is held or in a thread's cache, with its place.
///
/// In a box from when it is made: handing it over moves one word, whatever the object's size. Moved by value it cost 60 ns a turn.
pub(super) struct Lease<T>(Box<Entry<T>>);

/// An object on the idle list. It has no permit: that is there for whoever takes it.
pub(super) struct Idle<T>(Box<Entry<T>>);

struct Entry<T> {
    object: T,
    /// Absent on the idle list only.
    permit: Option<OwnedPermit>,
    /// Since when it is idle, on the pool's clock; 0 where nothing expires.
    since: u64,
}

const HAS_PERMIT: &str = "a lease has a permit from when it is made";

/// What one who takes is given.
pub(super) enum Claim<T> {
    /// An object that was used before.
    Object(Lease<T>),
    /// The right to make one. It is counted as alive: it has to be filled or given up.
    Place(OwnedPermit),
}

impl<T> Lease<T> {
    pub(super) fn new(object: T, permit: OwnedPermit) -> Self {
        Self(Box::new(Entry { object, permit: Some(permit), since: 0 }))
    }

    #[inline]
    pub(super) fn object(&self) -> &T {
        &self.0.object
    }

    #[inline]
    pub(super) fn object_mut(&mut self) -> &mut T {
        &mut self.0.object
    }

    #[inline]
    pub(super) fn since(&self) -> u64 {
        self.0.since
    }

    /// It becomes idle.
    #[inline]
    pub(super) fn rests(&mut self, since: u64) {
        self.0.since = since;
    }

    /// For the idle list; and the permit, to be given back after that.
    pub(super) fn into_idle(mut self) -> (Idle<T>, OwnedPermit) {
        let permit = self.0.permit.take().expect(HAS_PERMIT);
        (Idle(self.0), permit)
    }

    pub(super) fn into_parts(self) -> (T, OwnedPermit) {
        let Entry { object, permit, .. } = *self.0;
        (object, permit.expect(HAS_PERMIT))
    }
}

impl<T> Idle<T> {
    pub(super) fn since(&self) -> u64 {
        self.0.since
    }

    /// In the hands of one who has a permit.
    pub(super) fn with(mut self, permit: OwnedPermit) -> Lease<T> {
        self.0.permit = Some(permit);
        Lease(self.0)
    }

    pub(super) fn into_object(self) -> T {
        self.0.object
    }
}
