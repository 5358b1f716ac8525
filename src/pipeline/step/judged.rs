//! Stages that may fail, and what becomes of the items that do.

use super::{Attempt, ErrorPolicy, Failure, Passed, Step, StepContext, Stop, Tally};

/// One attempt for each item, and a policy for those that fail.
#[derive(Debug)]
pub struct Judged<A, R = Stop> {
    pub(in super::super) stage: usize,
    pub(in super::super) attempt: A,
    pub(in super::super) policy: R,
}

impl<T, E, A, R> Step<T, E> for Judged<A, R>
where
    A: Attempt<T, E>,
    R: ErrorPolicy<T, E>,
{
    type Out = A::Out;
    // The attempt's own, and how many items failed that the run went on without.
    type Local = (A::Local, u64);
    const ONE_TO_ONE: bool = !R::GOES_ON;
    const AT_MOST_ONE: bool = true;
    const NEEDS_INDEX: bool = R::NEEDS_INDEX;

    fn local(&self) -> Self::Local {
        (self.attempt.local(), 0)
    }

    #[inline]
    fn apply<const SAMPLED: bool>(
        &self,
        context: &StepContext,
        (local, skipped): &mut Self::Local,
        item: T,
        next: &mut impl FnMut(A::Out) -> Passed<E>,
    ) -> Passed<E> {
        context.open::<SAMPLED>(self.stage);
        let outcome = context.part::<SAMPLED, _>(self.stage, || {
            let kept = self.policy.keep(&item);
            self.attempt.attempt(local, item, &context.end).map_err(|error| (error, kept))
        });
        let (error, kept) = match outcome {
            Ok(value) => {
                context.close::<SAMPLED>(self.stage);
                return next(value);
            }
            Err(failed) => failed,
        };
        // The policy is user code too, and so is the drop of what failed.
        let decision = context.part::<SAMPLED, _>(self.stage, || {
            self.policy.decide(error, kept, || context.index.get(), &context.end)
        });
        context.close::<SAMPLED>(self.stage);
        match decision {
            Ok(()) => {
                *skipped += 1;
                Ok(())
            }
            // The segment knows the index.
            Err(what) => Err(Box::new(Failure { stage: self.stage, index: 0, what })),
        }
    }

    fn settle(&self, (_, skipped): &Self::Local, entered: u64, tally: &mut Tally) -> u64 {
        tally.failed[self.stage] += skipped;
        tally.parallel(self.stage, entered)
    }
}
