//! One order: all of its parts at once, and none of them without the others.

use std::error::Error;
use std::fmt;

use gristmill::combine::{self, AllFailed, AttemptError};
use gristmill::waitable::ready;
use gristmill::{
    CancellationToken, ErrorGroup, GroupContext, GroupError, GroupErrorKind, Submitter, TaskFailure, Waitable,
};

use crate::journal::Journal;
use crate::shop::{CallError, Service, Shop};

/// How many parts an order has. Each is a task, which occupies a worker while it waits for calls that it made.
pub(crate) const PARTS: usize = 4;

/// From this suspicion on there is no order.
const SUSPICIOUS: u32 = 80;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) units: u32,
}

/// What the tasks of the group give: it is made of results of one type.
#[derive(Debug)]
enum Part {
    Stock(Vec<(&'static str, u32)>),
    Receipt(u32),
    Trusted,
    Carrier { name: &'static str, cents: u32 },
}

/// Why a part of the order fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OrderError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("{found} of {wanted} units found")]
    NotEnough { found: u32, wanted: u32 },
    #[error("no warehouse answered: {0}")]
    NoWarehouse(#[source] AllFailed<CallError>),
    #[error("the order looks like fraud: {suspicion} of 100")]
    Fraud { suspicion: u32 },
    #[error("no carrier: {0}")]
    NoCarrier(#[source] AllFailed<CallError>),
}

/// An order that was placed.
#[derive(Debug, Default)]
pub(crate) struct Confirmation {
    stock: Vec<(&'static str, u32)>,
    receipt: u32,
    carrier: (&'static str, u32),
}

type Outcome = Result<Confirmation, GroupError<OrderError>>;
/// A call that is under way, or was over before it began.
type Call<'env> = Box<dyn Waitable<Output = Result<u32, CallError>> + 'env>;
type Context<'task, 'env> = GroupContext<'task, 'env, Part, OrderError>;

/// Does all parts of an order at once; the first that fails stops the others, and the token stops all.
///
/// # Errors
/// There was no group to be had. Inside: the order failed.
pub(crate) fn check_out<'env>(
    order: Order,
    shop: &'env Shop,
    journal: &'env Journal,
    pool: &Submitter<'env>,
    token: &CancellationToken,
) -> Result<Outcome, Box<dyn Error>> {
    let group = ErrorGroup::builder().limit(PARTS).token(token).on(pool)?;
    let (stock_pool, carrier_pool) = (pool.clone(), pool.clone());
    // A refusal means that a part has failed, or that the token was cancelled: the wait tells.
    let _ = group
        .task()
        .name("stock")
        .spawn(move |context: &Context<'_, 'env>| reserve(order, shop, journal, &stock_pool, context));
    let _ = group.task().name("payment").spawn(move |context: &Context<'_, 'env>| {
        Ok(Part::Receipt(shop.payment.call(journal, &context.token())?))
    });
    let _ = group.task().name("fraud").spawn(move |context: &Context<'_, 'env>| {
        match shop.fraud.call(journal, &context.token())? {
            suspicion @ SUSPICIOUS.. => Err(OrderError::Fraud { suspicion }),
            _ => Ok(Part::Trusted),
        }
    });
    let _ = group
        .task()
        .name("carrier")
        .spawn(move |context: &Context<'_, 'env>| ship(shop, journal, &carrier_pool, context));
    Ok(group.into_results().map(Confirmation::of))
}

/// Units from whichever warehouses answer: one that fails does no harm if the others have enough.
fn reserve<'env>(
    order: Order,
    shop: &'env Shop,
    journal: &'env Journal,
    pool: &Submitter<'env>,
    context: &Context<'_, 'env>,
) -> Result<Part, OrderError> {
    let token = context.token();
    let calls = shop.warehouses.iter().map(|warehouse| ask(warehouse, journal, pool, &token));
    // No wait of these takes the token: the calls end with it, and the wait with them. So none outlives its order.
    let settled = combine::settle(calls).map_err(OrderError::NoWarehouse)?;
    let (mut wanted, mut stock) = (order.units, Vec::new());
    for (index, units) in settled.successes {
        let share = units.min(wanted);
        wanted -= share;
        if share > 0 {
            stock.push((shop.warehouses[index].name, share));
        }
    }
    if wanted > 0 {
        return Err(OrderError::NotEnough { found: order.units - wanted, wanted: order.units });
    }
    Ok(Part::Stock(stock))
}

/// The first carrier; the second if that fails.
fn ship<'env>(
    shop: &'env Shop,
    journal: &'env Journal,
    pool: &Submitter<'env>,
    context: &Context<'_, 'env>,
) -> Result<Part, OrderError> {
    let token = context.token();
    let [first, second] = &shop.carriers;
    // If the first was stopped by the token, so is the second before it begins: the pool does not take it.
    let answer = combine::fallback(ask(first, journal, pool, &token), || ask(second, journal, pool, &token));
    let answer = answer.map_err(OrderError::NoCarrier)?;
    Ok(Part::Carrier { name: shop.carriers[answer.index].name, cents: answer.value })
}

/// Starts a call on the pool.
fn ask<'env>(
    service: &'env Service,
    journal: &'env Journal,
    pool: &Submitter<'env>,
    token: &CancellationToken,
) -> Call<'env> {
    let task = pool.task().name(service.name).token(token);
    match task.submit(move |context| service.call(journal, &context.token())) {
        Ok(handle) => Box::new(combine::attempt(handle).map(|outcome| {
            outcome.map_err(|error| match error {
                AttemptError::Failed(error) => error,
                AttemptError::Task(error) => error.into(),
            })
        })),
        Err(refused) => {
            let reason = refused.refusal().to_string().into();
            Box::new(ready(Err(CallError::NotAsked { service: service.name, reason })))
        }
    }
}

/// Why there is no order, in one line.
pub(crate) fn explain(error: &GroupError<OrderError>) -> String {
    match (error.kind(), error.cancelled().and_then(|cancelled| cancelled.cause())) {
        (GroupErrorKind::Cancelled, Some(cause)) => {
            let late: Vec<_> = error.reactions().iter().filter_map(TaskFailure::name).collect();
            format!("{cause}; no answer of {} by then", late.join(", "))
        }
        _ => error.to_string(),
    }
}

impl Confirmation {
    fn of(parts: Vec<Part>) -> Self {
        let mut confirmation = Self::default();
        for part in parts {
            match part {
                Part::Stock(stock) => confirmation.stock = stock,
                Part::Receipt(receipt) => confirmation.receipt = receipt,
                Part::Trusted => {}
                Part::Carrier { name, cents } => confirmation.carrier = (name, cents),
            }
        }
        confirmation
    }
}

impl fmt::Display for Confirmation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (warehouse, units) in &self.stock {
            write!(formatter, "{units} from {warehouse}, ")?;
        }
        let (carrier, cents) = self.carrier;
        write!(formatter, "receipt {}, by {carrier} for {cents} cents", self.receipt)
    }
}
