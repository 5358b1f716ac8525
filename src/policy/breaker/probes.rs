//! The calls that a half-open breaker lets through, and what they decide.

use super::settings::Settings;
use super::tally::{Mark, Tally};

/// The probes of one half-open period. Those held and those that ended are together never more than the number that is set: a place is free
/// again only when its probe counts as nothing.
#[derive(Debug, Default)]
pub(super) struct Probes {
    held: u32,
    ended: Tally,
}

impl Probes {
    /// Takes a place, if there is one.
    pub(super) fn take(&mut self, settings: &Settings) -> bool {
        let free = !self.are_taken(settings);
        self.held += u32::from(free);
        free
    }

    /// Whether there is no place.
    pub(super) fn are_taken(&self, settings: &Settings) -> bool {
        u64::from(self.held) + self.ended.calls >= u64::from(settings.probes)
    }

    /// Gives a place back: its probe counts as nothing.
    pub(super) fn give_back(&mut self) {
        self.held -= 1;
    }

    /// A probe ended.
    pub(super) fn end(&mut self, mark: Mark) {
        self.held -= 1;
        self.ended.add(mark);
    }

    pub(super) fn held(&self) -> u32 {
        self.held
    }

    /// Whether the breaker is to open again (`true`) or to close, as soon as the probes that have not ended cannot change it.
    pub(super) fn verdict(&self, settings: &Settings) -> Option<bool> {
        let all = u64::from(settings.probes);
        let open = all - self.ended.calls;
        let best = Tally { calls: all, ..self.ended };
        let worst = Tally { calls: all, failures: best.failures + open, slow: best.slow + open };
        if settings.is_too_bad(best) {
            Some(true)
        } else if settings.is_too_bad(worst) {
            None
        } else {
            Some(false)
        }
    }
}
