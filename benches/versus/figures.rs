//! What is printed of a group once its rounds have run.

use super::{
    disturbance,
    harness::{Case, Group},
    table::{Table, at_quantile},
};

/// Prints the table of a group and what there is to say below it. Returns one sentence for each wrong sum.
pub(crate) fn print(group: &mut Group<'_>) -> Vec<String> {
    for case in &mut group.cases {
        case.times.sort_by(f64::total_cmp);
    }
    let base = median(&group.cases[0]);
    let yardstick =
        group.cases.iter().filter(|case| case.yardstick).min_by(|a, b| median(a).total_cmp(&median(b)));

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
        let median = median(case);
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

fn median(case: &Case<'_>) -> f64 {
    at_quantile(&case.times, 0.5)
}

#[allow(clippy::cast_precision_loss)]
fn over_ideal(median: f64, base: f64, parts: usize) -> String {
    let percent = (median * parts as f64 / base - 1.0) * 100.0;
    // Zero added: rounding may give a negative zero.
    format!("{:.0} %", percent.round() + 0.0)
}

fn of_fastest(time: f64, yardstick: Option<&Case<'_>>) -> String {
    yardstick.map_or_else(|| "-".to_owned(), |yardstick| format!("{:.2}", time / median(yardstick)))
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
