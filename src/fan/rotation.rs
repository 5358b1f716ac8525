//! Taking turns.

use super::lines::Lines;

/// Each input in its turn, for so many items at most.
pub(super) struct Rotation {
    pub(super) length: usize,
    left: usize,
}

impl Rotation {
    pub(super) fn new(length: usize) -> Self {
        Self { length, left: length }
    }

    #[inline]
    pub(super) fn next<T>(&mut self, lines: &mut Lines<T>) -> Option<T> {
        let count = lines.all.len();
        // One step more than there are lines: back to the one whose turn was over.
        for _ in 0..=count {
            if lines.turn >= count {
                lines.turn = 0;
            }
            if count > 0 && self.left > 0 {
                if let Some(item) = lines.take(lines.turn) {
                    self.left -= 1;
                    return Some(item);
                }
            }
            lines.turn = if lines.turn + 1 < count { lines.turn + 1 } else { 0 };
            self.left = self.length;
        }
        None
    }
}
