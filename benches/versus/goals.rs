//! What the library is to reach, and what this run has measured: one table at its end.

use super::table::Table;

/// What a case of a group is to reach, by the medians of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// At most so many times the group's first case.
    OfFirst(f64),
    /// At most so many nanoseconds more than the group's first case.
    OverFirst(f64),
    /// At most so many times another case of the group.
    Of(&'static str, f64),
    /// At most so many percent over the group's ideal.
    OverIdeal(f64),
    /// At most so many times the fastest of the group's yardsticks.
    OfFastest(f64),
    /// At most so many nanoseconds.
    Nanoseconds(f64),
    /// At most so many milliseconds for the whole round.
    #[cfg(feature = "journal")]
    Milliseconds(f64),
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) group: String,
    pub(crate) case: String,
    /// In words, such as `at most 1.05 of the loop`.
    pub(crate) goal: String,
    pub(crate) measured: String,
    pub(crate) is_reached: bool,
}

impl Row {
    /// `measured` in that unit, with so many digits behind the point, which is to be at most `limit`.
    pub(crate) fn at_most(
        group: impl Into<String>,
        case: impl Into<String>,
        (limit, measured): (f64, f64),
        digits: usize,
        unit: &str,
    ) -> Self {
        Self {
            group: group.into(),
            case: case.into(),
            goal: format!("at most {limit} {unit}"),
            measured: format!("{measured:.digits$}"),
            is_reached: measured <= limit,
        }
    }
}

/// Prints the goals of the groups that ran, those that were missed in bold.
pub(crate) fn print(rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    let reached = rows.iter().filter(|row| row.is_reached).count();
    let title = format!("goals: {reached} of {} reached in this run", rows.len());
    let mut table = Table::new(title, &["group: case", "goal", "measured", ""]);
    for row in rows {
        let verdict = if row.is_reached { "reached" } else { "**missed**" };
        table.row(vec![
            format!("{}: {}", row.group, row.case),
            row.goal.clone(),
            row.measured.clone(),
            verdict.to_owned(),
        ]);
    }
    table.print();
}
