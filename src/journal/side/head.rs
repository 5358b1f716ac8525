//! The first page of the side file: whose file it is, which run, and the last number committed.
//!
//! ```text
//!    0  two lines to read: what it is, and who holds it
//!  512  magic, format and whether it was closed (u32 each), epoch (u64), crc32
//! 1024  epoch, turn and last number (u64 each), crc32
//! 1536  the same, of the turn before or after
//! 4096  blocks of marks
//! ```
//! The last number is written in turn to one of two places, so that damage to one leaves the number before.

/// The length of the lines to read.
pub(super) const LINES: usize = 512;
/// Where the blocks start.
pub(super) const PAGE: usize = 4096;
/// What the first line starts with; the format's number follows.
pub(super) const FIRST_LINE: &str = "gristmill journal lock ";
/// The format that this code writes, and the only one that there has been.
pub(super) const FORMAT: u32 = 1;
const MAGIC: [u8; 8] = *b"grstmlsd";
const HEAD: usize = LINES;
const HEAD_LENGTH: usize = 28;
const LAST: [usize; 2] = [1024, 1536];
const LAST_LENGTH: usize = 28;

/// Which run it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The run's number, greater than that of every run before.
    pub(super) epoch: u64,
    /// Whether it ended in order.
    pub(super) clean: bool,
}

/// The last number committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Last {
    /// The run that wrote it.
    pub(super) epoch: u64,
    /// The how manieth of its run it is: the latest counts, not the greatest.
    pub(super) turn: u64,
    /// The number.
    pub(super) seq: u64,
}

/// What a file's first page shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// An empty file.
    New,
    /// A side file; `damaged` where part of the page is not what was written.
    Ours { head: Option<Head>, last: Last, damaged: bool },
    /// A side file of a later format, which may mean something else by what it says.
    Newer { format: u32 },
    /// A file of something else.
    Foreign,
}

/// The head's bytes, and where they go.
pub(super) fn encode_head(head: Head) -> (usize, [u8; HEAD_LENGTH]) {
    let mut bytes = [0; HEAD_LENGTH];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    bytes[12..16].copy_from_slice(&u32::from(head.clean).to_le_bytes());
    bytes[16..24].copy_from_slice(&head.epoch.to_le_bytes());
    seal(&mut bytes);
    (HEAD, bytes)
}

/// The bytes of the last number, and where they go in its turn.
pub(super) fn encode_last(last: Last) -> (usize, [u8; LAST_LENGTH]) {
    let mut bytes = [0; LAST_LENGTH];
    bytes[..8].copy_from_slice(&last.epoch.to_le_bytes());
    bytes[8..16].copy_from_slice(&last.turn.to_le_bytes());
    bytes[16..24].copy_from_slice(&last.seq.to_le_bytes());
    seal(&mut bytes);
    (LAST[usize::from(last.turn % 2 == 1)], bytes)
}

/// All of the page but the lines to read, as it is when a run begins with this last number.
pub(super) fn encode_rest(head: Head, seq: u64) -> Vec<u8> {
    let mut page = vec![0; PAGE];
    let (at, bytes) = encode_head(head);
    page[at..at + bytes.len()].copy_from_slice(&bytes);
    for turn in [0, 1] {
        let (at, bytes) = encode_last(Last { epoch: head.epoch, turn, seq });
        page[at..at + bytes.len()].copy_from_slice(&bytes);
    }
    page.split_off(LINES)
}

/// Reads a page, which is as long as the file, or `PAGE`.
pub(super) fn decode(page: &[u8]) -> Seen {
    if page.is_empty() {
        return Seen::New;
    }
    let head = whole::<HEAD_LENGTH>(page, HEAD).filter(|bytes| bytes[..8] == MAGIC);
    if let Some(format) = head.map(|bytes| short(&bytes, 8)).filter(|format| *format > FORMAT) {
        return Seen::Newer { format };
    }
    let line = &FIRST_LINE.as_bytes()[..FIRST_LINE.len().min(page.len())];
    // Zeros are what a file system may leave where the power failed.
    if head.is_none() && !page.starts_with(line) && page.iter().any(|byte| *byte != 0) {
        return Seen::Foreign;
    }
    let lasts = LAST.map(|at| whole::<LAST_LENGTH>(page, at).map(|bytes| decode_last(&bytes)));
    let head = head.map(|bytes| Head { epoch: long(&bytes, 16), clean: short(&bytes, 12) == 1 });
    let damaged = head.is_none() || lasts.contains(&None);
    Seen::Ours { head, last: lasts.into_iter().flatten().max().unwrap_or_default(), damaged }
}

fn decode_last(bytes: &[u8]) -> Last {
    Last { epoch: long(bytes, 0), turn: long(bytes, 8), seq: long(bytes, 16) }
}

/// Puts the checksum of what is before it into the last four bytes.
fn seal(bytes: &mut [u8]) {
    let end = bytes.len() - 4;
    let checksum = crc32fast::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(&checksum.to_le_bytes());
}

/// So many bytes from there, if their checksum holds.
fn whole<const LENGTH: usize>(page: &[u8], at: usize) -> Option<[u8; LENGTH]> {
    let bytes = page.get(at..)?.first_chunk::<LENGTH>()?;
    let (body, checksum) = bytes.split_at(LENGTH - 4);
    (checksum == crc32fast::hash(body).to_le_bytes()).then_some(*bytes)
}

fn short(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(head: Head, seq: u64) -> Vec<u8> {
        let mut page = format!("{FIRST_LINE}{FORMAT}\n").into_bytes();
        page.resize(LINES, b' ');
        page.extend(encode_rest(head, seq));
        page
    }

    fn put(page: &mut [u8], (at, bytes): (usize, [u8; 28])) {
        page[at..at + bytes.len()].copy_from_slice(&bytes);
    }

    const HEAD: Head = Head { epoch: 40, clean: false };

    #[test]
    fn latest_number_counts_and_not_the_greatest() {
        let mut page = page(HEAD, 900);
        let seq = |page: &[u8]| match decode(page) {
            Seen::Ours { head: Some(HEAD), last, damaged: false } => last.seq,
            other => panic!("{other:?}"),
        };
        assert_eq!((page.len(), seq(&page)), (PAGE, 900));
        put(&mut page, encode_last(Last { epoch: 40, turn: 2, seq: 5 }));
        assert_eq!(seq(&page), 5);
        put(&mut page, encode_last(Last { epoch: 40, turn: 3, seq: 6 }));
        assert_eq!(seq(&page), 6);
        put(&mut page, encode_last(Last { epoch: 41, turn: 0, seq: 1 }));
        assert_eq!(seq(&page), 1, "of a later run");
    }

    #[test]
    fn what_is_not_a_side_file_is_told_from_a_damaged_one() {
        assert_eq!(decode(&[]), Seen::New);
        assert_eq!(decode(b"[package]\nname = \"x\"\n"), Seen::Foreign);
        assert_eq!(decode(&[0xff; PAGE]), Seen::Foreign);
        let nothing = Seen::Ours { head: None, last: Last::default(), damaged: true };
        assert_eq!(decode(&[0; PAGE]), nothing);
        assert_eq!(decode(b"gristmill jour"), nothing);
        let mut later = page(HEAD, 1);
        later[super::HEAD + 8] = 2;
        seal(&mut later[super::HEAD..super::HEAD + HEAD_LENGTH]);
        assert_eq!(decode(&later), Seen::Newer { format: 2 });
    }

    #[test]
    fn damage_is_noticed_and_leaves_this_number_or_the_one_before() {
        let mut written = page(HEAD, 7);
        put(&mut written, encode_last(Last { epoch: 40, turn: 2, seq: 8 }));
        for bit in 0..8 * PAGE {
            let mut flipped = written.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Seen::Ours { head, last, damaged } = decode(&flipped) else { panic!("bit {bit}") };
            assert!(head.is_none_or(|head| head == HEAD), "bit {bit}");
            assert!(last.seq == 8 || (last.seq == 7 && damaged), "bit {bit}");
            assert!(damaged || (head.is_some() && last.seq == 8), "bit {bit}");
        }
        for length in 1..PAGE {
            assert!(matches!(decode(&written[..length]), Seen::Ours { .. }), "{length}");
        }
    }
}
