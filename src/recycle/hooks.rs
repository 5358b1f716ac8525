//! What the user says about objects: whether one is good, how it is made good again, how it ends.

use crate::panics::{self, drop_quietly};

/// Whether the object is good.
pub(super) type Judge<T> = Box<dyn Fn(&mut T) -> bool + Send + Sync>;
pub(super) type Dispose<T> = Box<dyn Fn(T) + Send + Sync>;

pub(super) struct Hooks<T> {
    pub(super) check: Option<Judge<T>>,
    pub(super) reset: Option<Judge<T>>,
    pub(super) dispose: Option<Dispose<T>>,
}

// The last holder may be an object that comes back after the pool is gone, and a return never panics.
impl<T> Drop for Hooks<T> {
    fn drop(&mut self) {
        drop_quietly(self.check.take());
        drop_quietly(self.reset.take());
        drop_quietly(self.dispose.take());
    }
}

impl<T> Hooks<T> {
    /// Whether an idle object may be used; one whose check panics may not.
    pub(super) fn check(&self, object: &mut T) -> bool {
        judge("the check hook of an object pool", self.check.as_ref(), object)
    }

    /// Whether an object that came back may be used again; one whose reset panics may not.
    #[inline]
    pub(super) fn reset(&self, object: &mut T) -> bool {
        judge("the reset hook of an object pool", self.reset.as_ref(), object)
    }

    /// Ends an object. What panics in it goes to the panic hook and no further.
    pub(super) fn dispose(&self, object: T) {
        match &self.dispose {
            None => drop_quietly(object),
            Some(dispose) => {
                let _ = panics::catch(|| "the dispose hook of an object pool", || dispose(object));
            }
        }
    }
}

#[inline]
fn judge<T>(name: &'static str, hook: Option<&Judge<T>>, object: &mut T) -> bool {
    let Some(hook) = hook else { return true };
    panics::catch(|| name, || hook(object)).unwrap_or(false)
}
