//! How many workers a kind of work wants, from the number of cores that this process may use.
//!
//! All answers are 1 to [`MAX_WORKERS`]. The multiples are those of the common rules of thumb: a worker per core where the
//! cores are what is scarce; two where a worker waits about as long as it computes (cores times one plus the ratio of
//! waiting to computing, B. Goetz et al., "Java Concurrency in Practice", 2006, section 8.2); halfway between where a third
//! of the time is waiting.

use super::limits::MAX_WORKERS;

/// One worker per core.
pub(super) fn cpu_bound(cores: usize) -> usize {
    cores.clamp(1, MAX_WORKERS)
}

/// Two workers per core.
pub(super) fn io_bound(cores: usize) -> usize {
    cores.saturating_mul(2).clamp(1, MAX_WORKERS)
}

/// One and a half workers per core, rounded up: one core gets two, since with one nothing would overlap.
pub(super) fn mixed(cores: usize) -> usize {
    cores.saturating_add(cores.div_ceil(2)).clamp(1, MAX_WORKERS)
}

/// One worker per physical core of the machine, at most one per core that this process may use.
pub(super) fn physical_cores(physical: usize, available: usize) -> usize {
    cpu_bound(physical.min(available))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_their_multiples_of_the_cores() {
        for (cores, expected) in
            [(1, [1, 2, 2]), (2, [2, 4, 3]), (3, [3, 6, 5]), (8, [8, 16, 12]), (9, [9, 18, 14])]
        {
            assert_eq!([cpu_bound, io_bound, mixed].map(|preset| preset(cores)), expected, "{cores} cores");
        }
    }

    #[test]
    fn presets_are_workers_that_a_pool_can_have_whatever_the_cores() {
        let edges = [
            0,
            1,
            MAX_WORKERS / 2,
            MAX_WORKERS - 1,
            MAX_WORKERS,
            MAX_WORKERS + 1,
            usize::MAX - 1,
            usize::MAX,
        ];
        for cores in edges {
            for workers in [cpu_bound(cores), io_bound(cores), mixed(cores), physical_cores(cores, cores)] {
                assert!((1..=MAX_WORKERS).contains(&workers), "{cores} cores give {workers} workers");
            }
            assert!(cpu_bound(cores) <= mixed(cores) && mixed(cores) <= io_bound(cores), "{cores} cores");
        }
    }

    #[test]
    fn physical_cores_are_no_more_than_the_process_may_use() {
        assert_eq!(physical_cores(8, 16), 8, "two threads a core");
        assert_eq!(physical_cores(8, 3), 3, "an affinity mask or a quota");
        assert_eq!(physical_cores(8, 1), 1);
        assert_eq!([physical_cores(0, 4), physical_cores(4, 0)], [1, 1], "nobody knows");
    }
}
