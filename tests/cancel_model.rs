//! Random trees against a sequential model that fits on a page: after each step the state, kind and cause of every
//! token, the callbacks that ran and their order, and what `unregister` answered are the same.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gristmill::{CancelKind, CancellationToken, Registration};
use proptest::prelude::*;

const HOUR: Duration = Duration::from_secs(3600);

/// Indexes are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Child(usize),
    ChildWithFarDeadline(usize),
    ChildBornExpired(usize),
    Cancel(usize),
    Drop(usize),
    Register(usize),
    Unregister(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => any::<usize>().prop_map(Step::Child),
        1 => any::<usize>().prop_map(Step::ChildWithFarDeadline),
        1 => any::<usize>().prop_map(Step::ChildBornExpired),
        2 => any::<usize>().prop_map(Step::Cancel),
        2 => any::<usize>().prop_map(Step::Drop),
        3 => any::<usize>().prop_map(Step::Register),
        1 => any::<usize>().prop_map(Step::Unregister),
    ]
}

type Why = (CancelKind, Option<String>);

#[derive(Default)]
struct Model {
    parents: Vec<Option<usize>>,
    held: Vec<bool>,
    causes: Vec<Option<Why>>,
    /// The node of each callback, until it ran or was unregistered.
    waiting: Vec<Option<usize>>,
    ran: Vec<usize>,
}

impl Model {
    fn add(&mut self, parent: Option<usize>, own: Option<Why>) {
        let inherited = parent.and_then(|parent| self.causes[parent].clone());
        self.parents.push(parent);
        self.held.push(true);
        self.causes.push(inherited.or(own));
    }

    fn is_below(&self, node: usize, top: usize) -> bool {
        node == top || self.parents[node].is_some_and(|parent| self.is_below(parent, top))
    }

    /// A token lives while it or one below it is held.
    fn lives(&self, node: usize) -> bool {
        (0..self.held.len()).any(|other| self.held[other] && self.is_below(other, node))
    }

    fn cancel(&mut self, top: usize, why: &Why) -> bool {
        let won = self.causes[top].is_none();
        for node in 0..self.causes.len() {
            if self.is_below(node, top) && self.causes[node].is_none() {
                self.causes[node] = Some(why.clone());
            }
        }
        for number in 0..self.waiting.len() {
            let Some(node) = self.waiting[number] else { continue };
            if self.causes[node].is_some() {
                self.waiting[number] = None;
                self.ran.push(number);
            }
        }
        won
    }

    fn drop_handle(&mut self, node: usize) {
        self.held[node] = false;
        for number in 0..self.waiting.len() {
            if self.waiting[number].is_some_and(|node| !self.lives(node)) {
                self.waiting[number] = None;
            }
        }
    }

    fn held(&self, index: usize) -> Option<usize> {
        let held: Vec<_> = (0..self.held.len()).filter(|node| self.held[*node]).collect();
        held.get(index.checked_rem(held.len())?).copied()
    }
}

#[derive(Default)]
struct Real {
    tokens: Vec<Option<CancellationToken>>,
    registrations: Vec<Option<Registration>>,
    ran: Arc<Mutex<Vec<usize>>>,
}

impl Real {
    fn token(&self, node: usize) -> &CancellationToken {
        self.tokens[node].as_ref().expect("the model holds it")
    }
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (mut model, mut real) = (Model::default(), Real::default());
    model.add(None, None);
    real.tokens.push(Some(CancellationToken::new()));
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Child(index) | Step::ChildWithFarDeadline(index) | Step::ChildBornExpired(index) => {
                let Some(parent) = model.held(index) else { break };
                let token = real.token(parent);
                let (child, own) = match step {
                    Step::ChildWithFarDeadline(_) => (token.child_with_timeout(HOUR), None),
                    Step::ChildBornExpired(_) => {
                        (token.child_with_timeout(Duration::ZERO), Some((CancelKind::DeadlineExceeded, None)))
                    }
                    _ => (token.child(), None),
                };
                model.add(Some(parent), own);
                real.tokens.push(Some(child));
            }
            Step::Cancel(index) => {
                let Some(node) = model.held(index) else { break };
                let cause = format!("step {number}");
                let won = real.token(node).cancel_with(cause.clone());
                prop_assert_eq!(won, model.cancel(node, &(CancelKind::Cancelled, Some(cause))));
            }
            Step::Drop(index) => {
                let Some(node) = model.held(index) else { break };
                model.drop_handle(node);
                real.tokens[node] = None;
            }
            Step::Register(index) => {
                let Some(node) = model.held(index) else { break };
                let callback = model.waiting.len();
                let ran = Arc::clone(&real.ran);
                let registration =
                    real.token(node).on_cancel(move |_| ran.lock().expect("no panic").push(callback));
                real.registrations.push(Some(registration));
                if model.causes[node].is_some() {
                    model.waiting.push(None);
                    model.ran.push(callback);
                } else {
                    model.waiting.push(Some(node));
                }
            }
            Step::Unregister(index) => {
                let Some(callback) = index.checked_rem(real.registrations.len()) else { continue };
                let Some(registration) = real.registrations[callback].take() else { continue };
                prop_assert_eq!(registration.unregister(), model.waiting[callback].take().is_some());
            }
        }
        prop_assert_eq!(&*real.ran.lock().expect("no panic"), &model.ran);
        for (token, cause) in real.tokens.iter().zip(&model.causes) {
            let Some(token) = token else { continue };
            let found = token.cause().map(|found| (found.kind(), found.cause().map(ToString::to_string)));
            prop_assert_eq!(&found, cause);
            prop_assert_eq!(token.is_cancelled(), cause.is_some());
            prop_assert_eq!(token.check().is_err(), cause.is_some());
            prop_assert_eq!(token.cancelled().try_recv().unwrap_err().is_disconnected(), cause.is_some());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_tree_behaves_as_the_model(steps in prop::collection::vec(step(), 1..80)) {
        run(steps)?;
    }
}
