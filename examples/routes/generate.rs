//! A made-up table, good and bad lines mixed, always the same for a seed.

use std::fmt::Write;
use std::net::Ipv4Addr;

/// So many lines, the comments among them included.
pub(crate) fn table(lines: u32, seed: u64) -> String {
    let mut random = Random(seed);
    let mut text = String::new();
    for _ in 0..lines {
        line(&mut random, &mut text);
        text.push('\n');
    }
    text
}

/// One line in twenty is bad, one in fifty a comment or empty.
fn line(random: &mut Random, text: &mut String) {
    let (address, length) = (random.address(), 8 + random.below(25));
    let (gateway, metric) = (Ipv4Addr::from_bits(0xc000_0200 | random.below(256)), random.below(1000));
    let end = match random.below(100) {
        0 => write!(text, "# as of round {metric}"),
        1 => Ok(()),
        2 => write!(text, "{address}/{} {gateway} {metric}", length + 33),
        3 => write!(text, "{address} {gateway} {metric}"),
        4 => write!(text, "{address}/{length} {gateway}"),
        5 => write!(text, "{address}/{length} 300.{gateway} {metric}"),
        6 => write!(text, "{address}/{length} {gateway} -{metric}"),
        7..=20 => write!(text, "{address}/{length}\t{gateway}  {metric} # kept"),
        _ => write!(text, "{address}/{length} {gateway} {metric}"),
    };
    end.unwrap_or_else(|_| unreachable!("a string takes all that is written to it"));
}

/// `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`, nearly evenly.
    fn below(&mut self, bound: u32) -> u32 {
        let high = ((self.next() >> 32) * u64::from(bound)) >> 32;
        u32::try_from(high).unwrap_or_else(|_| unreachable!("it is below the bound"))
    }

    /// Half of them from a few networks, so that some prefixes come twice.
    fn address(&mut self) -> Ipv4Addr {
        let bits = self.below(u32::MAX);
        let networks = [0x0a00_0000, 0xc0a8_0000, 0xac10_0000, 0x6440_0000];
        match usize::try_from(self.below(8)).ok().and_then(|index| networks.get(index)) {
            Some(network) => Ipv4Addr::from_bits(network | bits & 0xffff),
            None => Ipv4Addr::from_bits(bits),
        }
    }
}
