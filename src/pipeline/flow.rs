//! What idle time is charged to: at every moment at which a worker has nothing to do, each stage runs, or starves, or is blocked.
//!
//! The engine has no thread for each stage whose waiting could be measured; a worker without work is everybody's. What it finds when it
//! looks around says why it has none: where items are, and where there are none.

use super::board::{Station, StationKind};

/// What a station does while a worker has nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// It has items that are worked on, or could be; or it is a source that is being read, or has ended.
    Runs,
    /// It has no item that it could work on: what comes before it has not delivered any.
    Starves,
    /// Its results stand ready and cannot go on; or it has nothing because the window is full of items further down, and is a source or
    /// lies between it and them.
    Blocked,
}

/// Judges every station, in the order of the flow. `queued` says how many items wait in front of a stage, `at_work` whether somebody is at
/// the station, `window_full` whether the source is not read because of the window.
pub(super) fn judge(
    stations: &[Station],
    queued: impl Fn(usize) -> usize,
    at_work: impl Fn(usize) -> bool,
    window_full: bool,
    into: &mut Vec<Flow>,
) {
    into.clear();
    let has_items = |station: &Station| queued(station.first) > 0 || at_work(station.first);
    let first_with_items =
        stations.iter().skip(1).position(has_items).map_or(stations.len(), |index| index + 1);
    for (index, station) in stations.iter().enumerate() {
        let is_row = station.kind == StationKind::Row;
        let is_source = station.kind == StationKind::Source;
        let results_wait = is_row && stations.get(index + 1).is_some_and(|next| queued(next.first) > 0);
        into.push(if results_wait {
            Flow::Blocked
        } else if at_work(station.first) || is_row && queued(station.first) > 0 {
            Flow::Runs
        } else if window_full && index < first_with_items {
            Flow::Blocked
        } else if is_source {
            Flow::Runs
        } else {
            // What waits in front of a serial point, and nobody takes, waits for an earlier item.
            Flow::Starves
        });
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::super::board::stations;
    use super::*;

    use Flow::{Blocked, Runs, Starves};

    /// Source 0, row 1 and 2, serial 3, row 4, sink 5.
    fn judged(queued: &[(usize, usize)], at_work: &[usize], window_full: bool) -> Vec<Flow> {
        let mut flows = vec![Runs; 9];
        let queued = |stage| queued.iter().find(|(at, _)| *at == stage).map_or(0, |(_, items)| *items);
        judge(&stations(6, &[3]), queued, |stage| at_work.contains(&stage), window_full, &mut flows);
        flows
    }

    #[test]
    fn slow_source_starves_all_that_comes_after_it() {
        assert_eq!(judged(&[], &[0], false), [Runs, Starves, Starves, Starves, Starves]);
    }

    #[test]
    fn source_that_has_ended_is_not_blocked_and_starves_the_rest() {
        assert_eq!(judged(&[], &[], false), [Runs, Starves, Starves, Starves, Starves]);
        assert_eq!(judged(&[], &[4], false), [Runs, Starves, Starves, Runs, Starves]);
    }

    #[test]
    fn slow_sink_blocks_all_that_comes_before_it() {
        assert_eq!(judged(&[(5, 9)], &[5], true), [Blocked, Blocked, Blocked, Blocked, Runs]);
        // Before its first result is parked.
        assert_eq!(judged(&[], &[5], true), [Blocked, Blocked, Blocked, Blocked, Runs]);
    }

    #[test]
    fn slow_serial_stage_blocks_what_comes_before_and_starves_what_comes_after() {
        assert_eq!(judged(&[(3, 9)], &[3], true), [Blocked, Blocked, Runs, Starves, Starves]);
    }

    #[test]
    fn slow_item_blocks_its_row_by_the_order_and_starves_what_waits_for_it() {
        assert_eq!(judged(&[(3, 9)], &[1], true), [Blocked, Blocked, Starves, Starves, Starves]);
        assert_eq!(judged(&[(5, 9)], &[4], true), [Blocked, Blocked, Blocked, Blocked, Starves]);
        assert_eq!(judged(&[(5, 9)], &[4, 0], false), [Runs, Starves, Starves, Blocked, Starves]);
    }

    #[test]
    fn row_with_items_in_front_of_it_runs() {
        assert_eq!(judged(&[(4, 1)], &[], false), [Runs, Starves, Starves, Runs, Starves]);
    }
}
