//! What becomes free when a chunk of items leaves the pipeline.

/// What a chunk takes up, and gives back when its items are through.
///
/// While a chunk stands for no source item ([`items`](Self::items) is 0) a piece of the run stands for it:
/// [`Run::note_piece`](super::run::Run::note_piece).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Credit {
    /// Source items.
    pub(super) items: usize,
    /// Their weight, where the window is bounded by weight too.
    pub(super) weight: u64,
    /// Results of the last stage before that expands items within a bound, and which of these stages that is.
    pub(super) expanded: usize,
    pub(super) expansion: usize,
}

impl Credit {
    /// No credit: it goes with a later piece of the same chunk.
    pub(super) const NONE: Self = Self { items: 0, weight: 0, expanded: 0, expansion: 0 };

    /// That of source items without a weight.
    pub(super) fn of(items: usize) -> Self {
        Self { items, ..Self::NONE }
    }

    pub(super) fn is_none(&self) -> bool {
        *self == Self { expansion: self.expansion, ..Self::NONE }
    }

    /// Whether there is nothing but that of source items: what may be divided among them.
    pub(super) fn is_plain(&self) -> bool {
        self.weight == 0 && self.expanded == 0
    }

    /// What may leave before the source items do; all of it, if there are none.
    pub(super) fn beside_items(self) -> Self {
        match self.items {
            0 => self,
            _ => Self { weight: 0, items: 0, ..self },
        }
    }

    /// Both together, of items behind the same stages.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            items: self.items + other.items,
            weight: self.weight.wrapping_add(other.weight),
            expanded: self.expanded + other.expanded,
            expansion: self.expansion.max(other.expansion),
        }
    }

    /// The rest, once a part is given away.
    pub(super) fn minus(self, part: Self) -> Self {
        Self {
            items: self.items - part.items,
            weight: self.weight.wrapping_sub(part.weight),
            expanded: self.expanded - part.expanded,
            expansion: self.expansion,
        }
    }
}
