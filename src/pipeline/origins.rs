//! The source index of each result of the chunk in a worker's hands.

use super::chunk::Origin;

/// Written down only from the first item on that gives no result, or from the start where one item may give several: until then
/// result `k` is that of item `k`. (Measured: writing all of them down cost 1.5 ns an item.)
#[derive(Debug, Default)]
pub(super) struct Origins {
    listed: bool,
    indices: Vec<u64>,
}

impl Origins {
    /// The item at `place` of `origin` is done, and there are `results` from it and those since `start`.
    #[inline]
    pub(super) fn note(&mut self, origin: &Origin, start: usize, place: usize, results: usize) {
        if self.listed {
            if self.indices.len() < results {
                self.indices.push(origin.index(place));
            }
        } else if start + results <= place {
            self.indices.extend((start..place).map(|place| origin.index(place)));
            self.listed = true;
        }
    }

    /// As [`note`](Self::note), where an item may have given several.
    #[inline]
    pub(super) fn note_many(&mut self, origin: &Origin, place: usize, results: usize) {
        self.listed = true;
        self.indices.resize(results, origin.index(place));
    }

    /// The origin of the `results` of the items of `origin` from `start` on; begins anew.
    pub(super) fn take(&mut self, origin: &Origin, start: usize, results: usize) -> Origin {
        if std::mem::take(&mut self.listed) {
            Origin::Listed(std::mem::take(&mut self.indices))
        } else {
            origin.range(start, results)
        }
    }
}
