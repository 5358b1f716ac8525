//! Random sequences of operations of one thread, on crossbeam's channel and on the model channel: every answer is equal.

use proptest::prelude::*;

use super::super as model;
use crate::sync::time::Duration;

/// One operation; the index chooses among the ends that there are.
#[derive(Clone, Copy, Debug)]
enum Step {
    TrySend(usize),
    SendNoLonger(usize),
    TryReceive(usize),
    ReceiveNoLonger(usize),
    TryIterate(usize),
    CloneSender(usize),
    CloneReceiver(usize),
    DropSender(usize),
    DropReceiver(usize),
    ReadySender(usize),
    ReadyReceiver(usize),
    Sizes(usize),
}

fn step() -> impl Strategy<Value = Step> {
    (0..16_usize, 0..4_usize).prop_map(|(kind, which)| match kind {
        0..=2 => Step::TrySend(which),
        3 => Step::SendNoLonger(which),
        4..=5 => Step::TryReceive(which),
        6 => Step::ReceiveNoLonger(which),
        7 => Step::TryIterate(which),
        8 => Step::CloneSender(which),
        9 => Step::CloneReceiver(which),
        10 => Step::DropSender(which),
        11 => Step::DropReceiver(which),
        12 => Step::ReadySender(which),
        13 => Step::ReadyReceiver(which),
        _ => Step::Sizes(which),
    })
}

/// The answers of one channel to all steps, as text; a value sent is the number of its step.
macro_rules! answers {
    ($channel:path, $capacity:expr, $steps:expr) => {{
        use $channel::{Receiver, Select, Sender, bounded};
        let (sender, receiver): (Sender<usize>, Receiver<usize>) = bounded($capacity);
        let (mut senders, mut receivers) = (vec![sender], vec![receiver]);
        let mut answers = Vec::new();
        for (number, step) in $steps.iter().enumerate() {
            let sender = |which: usize| (!senders.is_empty()).then(|| &senders[which % senders.len()]);
            let receiver =
                |which: usize| (!receivers.is_empty()).then(|| &receivers[which % receivers.len()]);
            let answer = match *step {
                Step::TrySend(which) => format!("{:?}", sender(which).map(|end| end.try_send(number))),
                Step::SendNoLonger(which) => {
                    format!("{:?}", sender(which).map(|end| end.send_timeout(number, Duration::ZERO)))
                }
                Step::TryReceive(which) => format!("{:?}", receiver(which).map(Receiver::try_recv)),
                Step::ReceiveNoLonger(which) => {
                    format!("{:?}", receiver(which).map(|end| end.recv_timeout(Duration::ZERO)))
                }
                Step::TryIterate(which) => {
                    format!("{:?}", receiver(which).map(|end| end.try_iter().collect::<Vec<_>>()))
                }
                Step::CloneSender(which) => {
                    let clone = sender(which).cloned();
                    senders.extend(clone);
                    senders.len().to_string()
                }
                Step::CloneReceiver(which) => {
                    let clone = receiver(which).cloned();
                    receivers.extend(clone);
                    receivers.len().to_string()
                }
                Step::DropSender(which) => {
                    if !senders.is_empty() {
                        let _ = senders.swap_remove(which % senders.len());
                    }
                    senders.len().to_string()
                }
                Step::DropReceiver(which) => {
                    if !receivers.is_empty() {
                        let _ = receivers.swap_remove(which % receivers.len());
                    }
                    receivers.len().to_string()
                }
                Step::ReadySender(which) => {
                    let mut select = Select::new();
                    sender(which).map(|end| select.send(end));
                    format!("{:?}", select.try_ready())
                }
                Step::ReadyReceiver(which) => {
                    let mut select = Select::new();
                    receiver(which).map(|end| select.recv(end));
                    format!("{:?}", select.try_ready())
                }
                Step::Sizes(which) => format!(
                    "{:?} {:?}",
                    sender(which).map(|end| (end.len(), end.is_empty(), end.is_full(), end.capacity())),
                    receiver(which).map(|end| (end.len(), end.is_empty(), end.is_full(), end.capacity())),
                ),
            };
            answers.push(answer);
        }
        answers
    }};
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn model_channel_answers_as_crossbeam_does(
        capacity in 0..4_usize,
        steps in proptest::collection::vec(step(), 0..64),
    ) {
        let crossbeam = answers!(crossbeam_channel, capacity, steps);
        let model = answers!(model, capacity, steps);
        prop_assert_eq!(crossbeam, model, "{:?}", steps);
    }
}
