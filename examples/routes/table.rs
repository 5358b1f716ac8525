//! The routes, sorted by prefix, and the lines that were refused.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use crate::enrich::{Prefix, Route, SEED, hash};
use crate::parse::{BadLine, ParseError};

/// The same, whatever the order in which lines came in: it says by itself which of two routes it keeps.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    routes: BTreeMap<Prefix, Route>,
    bad: BTreeMap<usize, ParseError>,
}

impl Table {
    pub(crate) fn add(&mut self, line: Result<Route, BadLine>) {
        let route = match line {
            Ok(route) => route,
            Err(BadLine { number, error }) => {
                self.bad.insert(number, error);
                return;
            }
        };
        match self.routes.entry(route.prefix) {
            Entry::Vacant(place) => _ = place.insert(route),
            Entry::Occupied(mut kept) => {
                let rank = |route: &Route| (route.metric, route.number);
                if rank(&route) < rank(kept.get()) {
                    kept.insert(route);
                }
            }
        }
    }

    /// A table with the lines of both.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        other.routes.into_values().for_each(|route| self.add(Ok(route)));
        self.bad.extend(other.bad);
        self
    }

    /// How many routes there are.
    pub(crate) fn len(&self) -> usize {
        self.routes.len()
    }

    /// The lines that were refused, by their numbers.
    pub(crate) fn bad(&self) -> impl Iterator<Item = BadLine> {
        self.bad.iter().map(|(number, error)| BadLine { number: *number, error: error.clone() })
    }

    /// A number that stands for all of it.
    pub(crate) fn digest(&self) -> u64 {
        let bad = self.bad().fold(SEED, |sum, line| hash(sum, line.to_string().as_bytes()));
        hash(bad, self.to_string().as_bytes())
    }
}

impl FromIterator<Result<Route, BadLine>> for Table {
    fn from_iter<I: IntoIterator<Item = Result<Route, BadLine>>>(lines: I) -> Self {
        let mut table = Self::default();
        lines.into_iter().for_each(|line| table.add(line));
        table
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.routes.values().try_for_each(|route| {
            let Route { prefix: Prefix { network, length }, gateway, metric, .. } = route;
            let Route { addresses, class, checksum, .. } = route;
            writeln!(formatter, "{network}/{length} {gateway} {metric} {addresses} {class} {checksum:016x}")
        })
    }
}
