//! What is added to a route: all the work that is worth more than one thread.

use std::net::Ipv4Addr;

use crate::parse::{BadLine, Entry, Line};

/// Makes the checksum take some microseconds, as a lookup or a signature would.
const ROUNDS: usize = 500;

/// Blocks for special purposes (RFC 6890, and multicast); the longest one that holds a prefix names it.
const CLASSES: [(Ipv4Addr, u8, &str); 12] = [
    (Ipv4Addr::UNSPECIFIED, 8, "this-network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// A block of addresses, the bits behind its length all zero. The order is that of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Prefix {
    pub(crate) network: Ipv4Addr,
    pub(crate) length: u8,
}

/// A line of the table, with what is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) prefix: Prefix,
    pub(crate) gateway: Ipv4Addr,
    pub(crate) metric: u32,
    /// The line that it is from.
    pub(crate) number: usize,
    pub(crate) addresses: u64,
    pub(crate) class: &'static str,
    pub(crate) checksum: u64,
}

impl Prefix {
    /// Without the bits behind the length.
    fn of(address: Ipv4Addr, length: u8) -> Self {
        let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
        Self { network: Ipv4Addr::from_bits(address.to_bits() & mask), length }
    }

    fn addresses(self) -> u64 {
        1 << (32 - self.length)
    }

    fn class(self) -> &'static str {
        let holds = |block: Ipv4Addr, length| {
            length <= self.length && Self::of(self.network, length).network == block
        };
        let blocks = CLASSES.iter().filter(|(block, length, _)| holds(*block, *length));
        blocks.max_by_key(|(_, length, _)| *length).map_or("global", |(_, _, class)| class)
    }
}

/// What every way does with every line.
pub(crate) fn process(line: Line<'_>) -> Result<Route, BadLine> {
    let Entry { address, length, gateway, metric } = line.parse()?;
    let prefix = Prefix::of(address, length);
    let (addresses, class) = (prefix.addresses(), prefix.class());
    let text = format!("{}/{length} {gateway} {metric} {class}", prefix.network);
    let checksum = (0..ROUNDS).fold(SEED, |sum, _| hash(sum, text.as_bytes()));
    Ok(Route { prefix, gateway, metric, number: line.number, addresses, class, checksum })
}

/// What a [`hash`] begins with.
pub(crate) const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// Goes on with a sum: FNV-1a, of Fowler, Noll and Vo.
pub(crate) fn hash(sum: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(sum, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
