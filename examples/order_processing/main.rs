//! `order_processing`: a checkout that asks warehouses, payment, fraud check and carriers at once.
//!
//! Shows work that waits for others instead of computing: calls that run at once on a pool of as many workers, an
//! [`ErrorGroup`](gristmill::ErrorGroup) for what must all succeed, partial results and a fallback with
//! [`combine`](gristmill::combine), and one token with a deadline over the whole. What comes of an order goes to standard output; when each
//! call began and ended goes to standard error, as a chart.
//!
//! ```sh
//! cargo run --release --example order_processing -- card-refused deadline
//! cargo run --release --example order_processing -- --help
//! ```

#![allow(clippy::disallowed_methods, reason = "the door for clock and sleep is the library's own")]

mod checkout;
mod journal;
mod shop;
mod speed;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use gristmill::{CancellationToken, ThreadPool};

use crate::checkout::Order;
use crate::journal::Journal;
use crate::shop::Shop;

/// The customer leaves after this time.
const PATIENCE: Duration = Duration::from_secs(20);

/// Processes one order under each of several circumstances, and shows which call ran when.
#[derive(Debug, Parser)]
#[command(name = "order_processing", version)]
struct Arguments {
    /// What happens [default: all, one after the other]
    #[arg(value_name = "SCENARIO", value_enum)]
    scenarios: Vec<Scenario>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Every call succeeds
    Well,
    /// One warehouse of three is down; the others have enough
    WarehouseDown,
    /// Payment fails early, which stops all other calls
    CardRefused,
    /// The first carrier is down, the second takes the parcel
    CarrierDown,
    /// The fraud check takes longer than the customer waits
    Deadline,
    /// So many calls at once, compared with one after the other
    Speed,
}

fn main() -> ExitCode {
    let mut scenarios = Arguments::parse().scenarios;
    if scenarios.is_empty() {
        scenarios = Scenario::value_variants().to_vec();
    }
    for scenario in scenarios {
        if let Err(error) = play(scenario) {
            eprintln!("order_processing: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn play(scenario: Scenario) -> Result<(), Box<dyn Error>> {
    let (mut shop, mut patience) = (Shop::on_a_good_day(), PATIENCE);
    match scenario {
        Scenario::Well => {}
        Scenario::WarehouseDown => shop.warehouses[2].fails("out of order"),
        Scenario::CardRefused => {
            // What is stopped early may as well be slow: nobody waits for it.
            shop.everybody_is_slow();
            shop.payment.takes = Duration::from_millis(60);
            shop.payment.fails("the card was refused");
        }
        Scenario::CarrierDown => shop.carriers[0].fails("out of order"),
        Scenario::Deadline => {
            shop.fraud.takes = shop::SLOW;
            patience = Duration::from_secs(1); // ten times what the others take
        }
        Scenario::Speed => return speed::compare(&[3, 5, 10]),
    }
    let title = scenario.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    process(&title, &shop, patience)
}

/// Processes one order, and tells what came of it.
fn process(title: &str, shop: &Shop, patience: Duration) -> Result<(), Box<dyn Error>> {
    let order = Order { units: 5 };
    let journal = Journal::new();
    let token = CancellationToken::with_timeout_cause(
        patience,
        format!("the customer waits {} ms and no longer", patience.as_millis()),
    );
    let workers = checkout::PARTS + shop.calls_at_once();
    let outcome = ThreadPool::builder()
        .workers(workers)
        .name("calls")
        .scope(|pool| checkout::check_out(order, shop, &journal, pool, &token))?;
    println!("{title}");
    match outcome? {
        Ok(confirmation) => println!("  order placed: {confirmation}"),
        Err(error) => println!("  no order: {}", checkout::explain(&error)),
    }
    let names = shop.services().map(|service| service.name);
    println!("{}", journal.summary(names.clone()));
    eprintln!("{title}\n{}", journal.chart(names));
    Ok(())
}
