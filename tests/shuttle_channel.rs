//! The model channel under shuttle: what it delivers, and whom it wakes, in every schedule tried.
#![cfg(gristmill_shuttle)]

use gristmill::sync::channel::{RecvTimeoutError, Select, SendError, TrySendError, bounded};
use gristmill::sync::model as execution;
use gristmill::sync::thread::{Builder, JoinHandle};
use gristmill::sync::time::Duration;

#[path = "support/model.rs"]
mod model;
use model::{Outcomes, check};

const SECOND: Duration = Duration::from_secs(1);

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

#[test]
fn channel_delivers_exactly_once_in_each_senders_order() {
    for capacity in [0, 1, 2] {
        check(&format!("channel_delivers_exactly_once_in_each_senders_order({capacity})"), move || {
            let (sender, receiver) = bounded(capacity);
            let senders: Vec<_> = (0..2)
                .map(|number| {
                    let sender = sender.clone();
                    spawn(move || (0..2).for_each(|turn| sender.send((number, turn)).unwrap()))
                })
                .collect();
            drop(sender);
            let other = {
                let receiver = receiver.clone();
                spawn(move || receiver.into_iter().collect::<Vec<_>>())
            };
            let mut here = Vec::new();
            loop {
                // Both ways of waiting, and none of them may miss a value or the end.
                let mut select = Select::new();
                select.recv(&receiver);
                select.ready();
                match receiver.try_recv() {
                    Ok(value) => here.push(value),
                    Err(error) if error.is_disconnected() => break,
                    Err(_) => match receiver.recv() {
                        Ok(value) => here.push(value),
                        Err(_) => break,
                    },
                }
            }
            let there = other.join().unwrap();
            for taken in [&here, &there] {
                for number in 0..2 {
                    let turns: Vec<_> = taken.iter().filter(|value| value.0 == number).collect();
                    assert!(turns.is_sorted(), "{taken:?}");
                }
            }
            let mut all = [here, there].concat();
            all.sort_unstable();
            assert_eq!(all, [(0, 0), (0, 1), (1, 0), (1, 1)]);
            for sender in senders {
                sender.join().unwrap();
            }
        });
    }
}

#[test]
fn timed_sends_and_receives_lose_and_invent_nothing() {
    for capacity in [0, 1] {
        check(&format!("timed_sends_and_receives_lose_and_invent_nothing({capacity})"), move || {
            let (sender, receiver) = bounded(capacity);
            let worker = spawn(move || {
                (0..3)
                    .filter(|value| match sender.send_timeout(*value, SECOND) {
                        Ok(()) => true,
                        Err(error) => {
                            assert_eq!(error.into_inner(), *value);
                            false
                        }
                    })
                    .collect::<Vec<i32>>()
            });
            let mut taken = Vec::new();
            loop {
                match receiver.recv_timeout(SECOND) {
                    Ok(value) => taken.push(value),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            assert_eq!(worker.join().unwrap(), taken);
        });
    }
}

#[test]
fn disconnect_wakes_blocked_sender_receiver_and_select() {
    for capacity in [0, 1] {
        check(&format!("disconnect_wakes_blocked_sender_receiver_and_select({capacity})"), move || {
            execution::forbid_timeouts();
            let (sender, receiver) = bounded(capacity);
            for value in 0..capacity {
                sender.send(value).unwrap();
            }
            let blocked_sender = spawn(move || sender.send(9));
            let (idle_sender, idle_receiver) = bounded::<()>(capacity);
            let blocked_receiver = {
                let idle_receiver = idle_receiver.clone();
                spawn(move || idle_receiver.recv_timeout(SECOND))
            };
            let blocked_select = spawn(move || {
                let mut select = Select::new();
                select.recv(&idle_receiver);
                select.ready()
            });
            drop(receiver);
            drop(idle_sender);
            assert_eq!(blocked_sender.join().unwrap(), Err(SendError(9)));
            assert_eq!(blocked_receiver.join().unwrap(), Err(RecvTimeoutError::Disconnected));
            assert_eq!(blocked_select.join().unwrap(), 0);
        });
    }
}

#[test]
fn select_names_each_ready_operation_sometimes() {
    let outcomes = Outcomes::default();
    let seen = outcomes.clone();
    check("select_names_each_ready_operation_sometimes", move || {
        let (sender, receiver) = bounded(1);
        let (other_sender, other_receiver) = bounded(1);
        let worker = spawn(move || {
            sender.send(1).unwrap();
            assert_eq!(sender.try_send(2).map_err(TrySendError::into_inner), Err(2));
        });
        let other = spawn(move || other_sender.send(3).unwrap());
        let mut select = Select::new();
        select.recv(&receiver);
        select.recv(&other_receiver);
        seen.add(select.ready());
        worker.join().unwrap();
        other.join().unwrap();
    });
    assert_eq!(outcomes.all(), [0, 1]);
}
