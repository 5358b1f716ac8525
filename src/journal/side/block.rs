//! A block of marks as it lies in the side file: bytes to identities and back, with a checksum.
//!
//! ```text
//!    0  crc32 of what follows, up to the last identity
//!    4  magic, slot, count (u32 each), epoch, generation, marked (u64 each), zeros
//!   64  identities, 16 bytes each, as many as are counted
//! 1088  a tag for each of 64 (u32): changed one by one, after the block was written
//! ```
//! A block lies within one page, so that a process that is killed leaves the old one or the new one; and if not, the checksum says so. A tag
//! that fits neither meaning is left over from what was there before.

/// Identities in a block.
pub(super) const PLACES: usize = 64;
/// From one block to the next.
pub(super) const STRIDE: usize = 2048;
/// Where a block's identities start.
const IDENTITIES: usize = 64;
/// Where its tags start.
const TAGS: usize = IDENTITIES + 16 * PLACES;
const MAGIC: u32 = 0x6b72_616d;

/// Says which writing of which block it is, so that nothing left over is taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Writing {
    /// The run of the process.
    pub(super) epoch: u64,
    /// The number of the block within the run.
    pub(super) generation: u64,
    /// Where it lies in the file.
    pub(super) slot: u32,
}

/// What has become of one task since its block was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// It runs, or ran.
    Started = 1,
    /// It was given up.
    Withdrawn = 2,
}

/// What was found where a block may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No block of this run.
    Nothing,
    /// Something that is no block any more.
    Damaged,
    /// Those of its tasks that were running.
    Marked(Vec<u128>),
}

/// A block's bytes, and how many of them are to be written.
pub(super) struct Encoded {
    bytes: [u8; TAGS],
    length: usize,
}

impl Encoded {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Whether a whole block says of each task that it ran, and not that one of them did and the others were next in line.
pub(super) fn is_exact(bytes: &[u8]) -> bool {
    let (count, marked) = (number(bytes, 12).unwrap_or(0), long_number(bytes, 32).unwrap_or(0));
    let there = 1_u64.checked_shl(count).map_or(u64::MAX, |next| next - 1);
    (marked & there).count_ones() <= 1
}

/// A block of these identities, of which those whose bit is set in `marked` are running.
pub(super) fn encode(writing: Writing, identities: &[u128], marked: u64) -> Encoded {
    let mut bytes = [0; TAGS];
    let length = IDENTITIES + 16 * identities.len();
    // At most 64.
    #[allow(clippy::cast_possible_truncation)]
    let count = identities.len() as u32;
    bytes[4..8].copy_from_slice(&MAGIC.to_le_bytes());
    bytes[8..12].copy_from_slice(&writing.slot.to_le_bytes());
    bytes[12..16].copy_from_slice(&count.to_le_bytes());
    bytes[16..24].copy_from_slice(&writing.epoch.to_le_bytes());
    bytes[24..32].copy_from_slice(&writing.generation.to_le_bytes());
    bytes[32..40].copy_from_slice(&marked.to_le_bytes());
    for (place, identity) in bytes[IDENTITIES..length].chunks_exact_mut(16).zip(identities) {
        place.copy_from_slice(&identity.to_le_bytes());
    }
    let checksum = crc32fast::hash(&bytes[4..length]);
    bytes[..4].copy_from_slice(&checksum.to_le_bytes());
    Encoded { bytes, length }
}

/// What stands in the tag of one task.
pub(super) fn tag(writing: Writing, place: usize, tag: Tag) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&writing.epoch.to_le_bytes());
    hasher.update(&writing.generation.to_le_bytes());
    hasher.update(&writing.slot.to_le_bytes());
    hasher.update(&place.to_le_bytes());
    hasher.update(&[tag as u8]);
    // Never what is there before anything is written.
    (hasher.finalize() | 1).to_le_bytes()
}

/// Where the tag of one task is, from the start of its block.
pub(super) fn tag_at(place: usize) -> u64 {
    (TAGS + 4 * place) as u64
}

/// Who was running according to what lies in a slot, whose bytes these are as far as the file goes.
pub(super) fn decode(bytes: &[u8], slot: u32, epoch: u64) -> Found {
    if bytes.iter().all(|byte| *byte == 0) {
        return Found::Nothing;
    }
    decode_written(bytes, slot, epoch).unwrap_or(Found::Damaged)
}

fn decode_written(bytes: &[u8], slot: u32, epoch: u64) -> Option<Found> {
    let count = usize::try_from(number(bytes, 12)?).ok().filter(|count| (1..=PLACES).contains(count))?;
    let body = bytes.get(4..IDENTITIES + 16 * count)?;
    let writing = Writing { epoch: long_number(bytes, 16)?, generation: long_number(bytes, 24)?, slot };
    let is_whole =
        number(bytes, 0)? == crc32fast::hash(body) && number(bytes, 4)? == MAGIC && number(bytes, 8)? == slot;
    if !is_whole {
        return None;
    }
    if writing.epoch != epoch {
        return Some(Found::Nothing);
    }
    let marked = long_number(bytes, 32)?;
    let is_running = |place: usize| {
        // Cut off by the end of the file where there never was one.
        let here = bytes.get(TAGS + 4 * place..TAGS + 4 * place + 4);
        let is = |meaning| here == Some(tag(writing, place, meaning).as_slice());
        (marked & (1 << place) != 0 || is(Tag::Started)) && !is(Tag::Withdrawn)
    };
    let identities = body[IDENTITIES - 4..].chunks_exact(16).filter_map(|bytes| bytes.try_into().ok());
    let identities = identities.map(u128::from_le_bytes);
    let running = identities.enumerate().filter(|(place, _)| is_running(*place));
    Some(Found::Marked(running.map(|(_, identity)| identity).collect()))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn long_number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITING: Writing = Writing { epoch: 7, generation: 3, slot: 1 };

    fn slot(identities: &[u128], marked: u64) -> Vec<u8> {
        let mut bytes = encode(WRITING, identities, marked).bytes().to_vec();
        bytes.resize(STRIDE, 0);
        bytes
    }

    fn set(bytes: &mut [u8], place: usize, written: [u8; 4]) {
        bytes[TAGS + 4 * place..][..4].copy_from_slice(&written);
    }

    #[test]
    fn block_gives_back_those_that_are_marked() {
        let identities: Vec<u128> = (0..64).map(|number| (number << 100) | 5).collect();
        assert_eq!(decode(&slot(&identities, u64::MAX), 1, 7), Found::Marked(identities.clone()));
        let two = vec![identities[0], identities[63]];
        assert_eq!(decode(&slot(&identities, 1 | (1 << 63)), 1, 7), Found::Marked(two));
        assert_eq!(decode(&slot(&[9], 0), 1, 7), Found::Marked(vec![]));
    }

    #[test]
    fn tags_count_for_their_own_writing_only() {
        let mut bytes = slot(&[10, 11, 12], 0b001);
        set(&mut bytes, 1, tag(WRITING, 1, Tag::Started));
        assert_eq!(decode(&bytes, 1, 7), Found::Marked(vec![10, 11]));
        set(&mut bytes, 0, tag(WRITING, 0, Tag::Withdrawn));
        set(&mut bytes, 1, tag(WRITING, 1, Tag::Withdrawn));
        assert_eq!(decode(&bytes, 1, 7), Found::Marked(vec![]));
        for other in [
            Writing { epoch: 8, ..WRITING },
            Writing { generation: 2, ..WRITING },
            Writing { slot: 0, ..WRITING },
        ] {
            let mut bytes = slot(&[10, 11, 12], 0b001);
            set(&mut bytes, 0, tag(other, 0, Tag::Withdrawn));
            set(&mut bytes, 1, tag(other, 1, Tag::Started));
            set(&mut bytes, 2, tag(WRITING, 1, Tag::Started));
            assert_eq!(decode(&bytes, 1, 7), Found::Marked(vec![10]), "{other:?}");
        }
    }

    #[test]
    fn nothing_is_read_from_another_place_or_run_or_from_zeros() {
        assert_eq!(decode(&slot(&[1], 1), 0, 7), Found::Damaged);
        assert_eq!(decode(&slot(&[1], 1), 1, 8), Found::Nothing);
        assert_eq!(decode(&[0; STRIDE], 1, 7), Found::Nothing);
        assert_eq!(decode(&[], 1, 7), Found::Nothing);
        assert_eq!(decode(&[1], 1, 7), Found::Damaged);
        assert_eq!(decode(&[255; STRIDE], 1, 7), Found::Damaged);
    }

    #[test]
    fn flipped_or_cut_block_names_nobody_that_was_not_in_it() {
        let identities = [3 << 70, 5 << 90, 1];
        let mut bytes = slot(&identities, 0b011);
        set(&mut bytes, 2, tag(WRITING, 2, Tag::Started));
        for bit in 0..8 * STRIDE {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match decode(&flipped, 1, 7) {
                Found::Marked(marked) => {
                    assert!(bit / 8 >= IDENTITIES + 16 * 3, "bit {bit} is not noticed");
                    assert!(marked.len() >= 2 && marked.iter().all(|one| identities.contains(one)), "{bit}");
                }
                other => assert_eq!(other, Found::Damaged, "bit {bit}"),
            }
        }
        for length in 0..STRIDE {
            match decode(&bytes[..length], 1, 7) {
                Found::Marked(marked) => {
                    assert!(length >= IDENTITIES + 16 * 3);
                    assert!(marked.len() >= 2 && marked.iter().all(|one| identities.contains(one)));
                }
                other => assert_eq!(other, if length == 0 { Found::Nothing } else { Found::Damaged }),
            }
        }
    }
}
