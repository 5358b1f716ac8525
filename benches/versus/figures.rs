//! What is printed of a group once its rounds have run.

use super::{
    cases::{Case, Group},
    disturbance,
    goals::{Goal, Row},
    table::Table,
};

/// Prints the table of a group and what there is to say below it. Returns one sentence for each wrong sum.
pub(crate) fn print(group: &Group<'_>) -> Vec<String> {
    let base = group.cases[0].median();
    let yardstick = fastest_yardstick(group);

    let title = format!("{} ({} {}s per round)", group.title, group.items, group.item);
    let unit = format!("ns per {}", group.item);
    let mut columns = vec!["case", &unit, "smallest .. largest", "ratio"];
    columns.extend(group.ideal.map(|_| "over the ideal"));
    columns.extend(group.yardstick);
    let mut table = Table::new(title, &columns);
    let mut faults = Vec::new();
    for case in &group.cases {
        let mut name = case.name.clone();
        if let Some(sum) = case.wrong {
            name.push_str(" **WRONG SUM**");
            faults.push(format!("{}: {name}: sum {sum:#x} instead of {:#x}", group.title, case.expected));
        }
        let median = case.median();
        let (smallest, largest) = (case.times[0], case.times[case.times.len() - 1]);
        let mut row = vec![
            name,
            format!("{median:.1}"),
            format!("{smallest:.1} .. {largest:.1}"),
            format!("{:.2}", median / base),
        ];
        row.extend(group.ideal.map(|parts| over_ideal(median, base, parts)));
        row.extend(group.yardstick.map(|_| of_fastest(median, yardstick)));
        table.row(row);
    }
    table.print();
    say_if_disturbed(group);
    faults
}

fn fastest_yardstick<'a>(group: &'a Group<'_>) -> Option<&'a Case<'a>> {
    group.cases.iter().filter(|case| case.yardstick).min_by(|a, b| a.median().total_cmp(&b.median()))
}

/// What the goals of a group came to, once its rounds have run.
pub(crate) fn reached(group: &Group<'_>) -> Vec<Row> {
    let first = &group.cases[0];
    let of = |name: &str| {
        let case = group.cases.iter().find(|case| case.name == name);
        case.unwrap_or_else(|| panic!("{}: no case is called {name:?}", group.title))
    };
    let row = |(name, goal): &(String, Goal)| {
        let measured = of(name).median();
        let row = |limit, measured, digits, unit: &str| {
            Row::at_most(&group.title, name, (limit, measured), digits, unit)
        };
        match *goal {
            Goal::OfFirst(limit) => row(limit, measured / first.median(), 2, &format!("of {}", first.name)),
            Goal::OverFirst(limit) => {
                row(limit, measured - first.median(), 1, &format!("ns more than {}", first.name))
            }
            Goal::Of(other, limit) => row(limit, measured / of(other).median(), 3, &format!("of {other}")),
            Goal::OverIdeal(limit) => {
                let parts = group.ideal.expect("the group has an ideal");
                row(limit, percent_over_ideal(measured, first.median(), parts), 1, "% over the ideal")
            }
            Goal::OfFastest(limit) => {
                let fastest = fastest_yardstick(group).expect("the group has a yardstick");
                row(limit, measured / fastest.median(), 2, group.yardstick.unwrap_or("of the fastest peer"))
            }
            Goal::Nanoseconds(limit) => row(limit, measured, 1, &format!("ns per {}", group.item)),
            #[cfg(feature = "journal")]
            Goal::Milliseconds(limit) => row(limit, measured * f64::from(group.items) / 1e6, 0, "ms in all"),
        }
    };
    group.goals.iter().map(row).collect()
}

#[allow(clippy::cast_precision_loss)]
fn percent_over_ideal(median: f64, base: f64, parts: usize) -> f64 {
    (median * parts as f64 / base - 1.0) * 100.0
}

fn over_ideal(median: f64, base: f64, parts: usize) -> String {
    // Zero added: rounding may give a negative zero.
    format!("{:.0} %", percent_over_ideal(median, base, parts).round() + 0.0)
}

fn of_fastest(time: f64, yardstick: Option<&Case<'_>>) -> String {
    yardstick.map_or_else(|| "-".to_owned(), |yardstick| format!("{:.2}", time / yardstick.median()))
}

fn say_if_disturbed(group: &Group<'_>) {
    let first = &group.cases[0];
    // A share of the time only where there is no thread of its own that it might wait for.
    let time = first.times.iter().sum::<f64>() * f64::from(group.items);
    let waited = if first.name == "loop" { first.waited / time } else { 0.0 };
    if let Some(verdict) = disturbance::verdict(&first.times, waited) {
        println!("\n{verdict}");
    }
}
