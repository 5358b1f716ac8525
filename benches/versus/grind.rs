//! The unit of work, and the two checksums over its results.

/// `rounds` rounds of xorshift64* on `state`: work that the compiler can neither fold nor vectorise.
///
/// Never inlined, so that it costs the same in a plain loop as in a closure behind a queue. Source: Vigna, "An
/// experimental exploration of Marsaglia's xorshift generators, scrambled", 2016. The multiplication is part of
/// every round here, which makes the rounds one dependent chain.
#[inline(never)]
pub(crate) fn grind(mut state: u64, rounds: u32) -> u64 {
    for _ in 0..rounds {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state = state.wrapping_mul(0x2545_F491_4F6C_DD1D);
    }
    state
}

/// The work of item `index`. Zero is a fixed point of the generator, hence the one added.
pub(crate) fn work(index: u64, rounds: u32) -> u64 {
    grind(index + 1, rounds)
}

/// Adds `value` to a checksum that changes when two values change places.
pub(crate) fn in_order(sum: u64, value: u64) -> u64 {
    sum.wrapping_mul(31).wrapping_add(value)
}

/// Adds `value` to a checksum that is the same in every order.
pub(crate) fn any_order(sum: u64, value: u64) -> u64 {
    sum.wrapping_add(value)
}

/// Which of the two checksums a case computes.
#[derive(Clone, Copy)]
pub(crate) enum Sum {
    InOrder,
    AnyOrder,
}

/// What an ordered map of `rounds` rounds over `0..items` must sum up to.
pub(crate) fn ordered_sum(items: u32, rounds: u32) -> u64 {
    (0..u64::from(items)).map(|index| work(index, rounds)).fold(0, in_order)
}

/// What an unordered map of `rounds` rounds over `0..items` must sum up to.
pub(crate) fn unordered_sum(items: u32, rounds: u32) -> u64 {
    (0..u64::from(items)).map(|index| work(index, rounds)).fold(0, any_order)
}
