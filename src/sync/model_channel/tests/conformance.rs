//! One suite of claims, run over crossbeam's channel and over the model channel, with capacity and with none.

/// The claims, over the channel in `$channel`.
macro_rules! suite {
    ($name:ident, $channel:path) => {
        mod $name {
            use std::collections::HashSet;
            use std::sync::Arc;
            use std::sync::atomic::{AtomicUsize, Ordering};

            use crate::sync::thread::{self, scope};
            use crate::sync::time::{self, Duration};
            use $channel::{
                Receiver, RecvError, RecvTimeoutError, Select, SendError, SendTimeoutError, Sender,
                TryRecvError, TrySendError, bounded,
            };

            const SHORT: Duration = Duration::from_millis(1);
            const LONG: Duration = Duration::from_secs(60);

            /// Waits until `sender` finds a blocked receiver, by a value that the receiver takes.
            fn meet<T: Copy>(sender: &Sender<T>, value: T) {
                while sender.try_send(value).is_err() {
                    thread::yield_now();
                }
            }

            /// Counts how often it is dropped.
            #[derive(Debug)]
            struct Counted(Arc<AtomicUsize>);

            impl Drop for Counted {
                fn drop(&mut self) {
                    self.0.fetch_add(1, Ordering::Relaxed);
                }
            }

            fn filled(count: usize) -> (Sender<usize>, Receiver<usize>) {
                let (sender, receiver) = bounded(count);
                (0..count).for_each(|value| sender.send(value).unwrap());
                (sender, receiver)
            }

            #[test]
            fn values_leave_in_the_order_they_came() {
                let (sender, receiver) = filled(3);
                assert_eq!(receiver.try_recv(), Ok(0));
                sender.send(3).unwrap();
                assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [1, 2, 3]);
                drop(sender);
                assert_eq!(receiver.into_iter().next(), None);
            }

            #[test]
            fn sizes_are_reported_on_both_sides() {
                let (sender, receiver) = filled(2);
                assert_eq!((sender.len(), sender.capacity()), (2, Some(2)));
                assert_eq!((receiver.len(), receiver.capacity()), (2, Some(2)));
                assert!(sender.is_full() && receiver.is_full() && !sender.is_empty() && !receiver.is_empty());
                receiver.recv().unwrap();
                assert!(!sender.is_full() && !receiver.is_full() && !sender.is_empty());
                receiver.recv().unwrap();
                assert!(sender.is_empty() && receiver.is_empty());
            }

            #[test]
            fn sizes_of_a_meeting_are_zero() {
                let (sender, receiver) = bounded::<()>(0);
                assert_eq!((sender.len(), sender.capacity()), (0, Some(0)));
                assert_eq!((receiver.len(), receiver.capacity()), (0, Some(0)));
                assert!(sender.is_full() && receiver.is_full() && sender.is_empty() && receiver.is_empty());
            }

            #[test]
            fn full_channel_hands_the_value_back() {
                let (sender, _receiver) = filled(1);
                assert_eq!(sender.try_send(7), Err(TrySendError::Full(7)));
                assert_eq!(sender.send_timeout(7, SHORT), Err(SendTimeoutError::Timeout(7)));
                assert_eq!(sender.send_timeout(7, Duration::ZERO), Err(SendTimeoutError::Timeout(7)));
                assert_eq!(sender.send_deadline(7, time::now()), Err(SendTimeoutError::Timeout(7)));
            }

            #[test]
            fn meeting_without_a_partner_hands_the_value_back() {
                let (sender, receiver) = bounded(0);
                assert_eq!(sender.try_send(7), Err(TrySendError::Full(7)));
                assert_eq!(sender.send_timeout(7, SHORT), Err(SendTimeoutError::Timeout(7)));
                assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
                assert_eq!(receiver.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
                assert_eq!(sender.try_send(7), Err(TrySendError::Full(7)), "the receiver no longer waits");
            }

            #[test]
            fn empty_channel_says_so_in_time() {
                let (_sender, receiver) = bounded::<()>(1);
                assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
                assert_eq!(receiver.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
                assert_eq!(receiver.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
                assert_eq!(receiver.recv_deadline(time::now()), Err(RecvTimeoutError::Timeout));
            }

            #[test]
            fn deadline_that_has_passed_still_takes_what_is_there() {
                let (sender, receiver) = bounded(1);
                assert_eq!(sender.send_deadline(1, time::now()), Ok(()));
                assert_eq!(receiver.recv_deadline(time::now()), Ok(1));
                assert_eq!(sender.send_timeout(2, Duration::ZERO), Ok(()));
                assert_eq!(receiver.recv_timeout(Duration::ZERO), Ok(2));
                assert_eq!(sender.send_timeout(3, Duration::MAX), Ok(()));
                assert_eq!(receiver.recv_timeout(Duration::MAX), Ok(3));
            }

            #[test]
            fn last_receiver_gone_fails_every_send_and_hands_the_value_back() {
                for capacity in [0, 1, 2] {
                    let (sender, receiver) = bounded(capacity);
                    if capacity == 1 {
                        sender.send(0).unwrap();
                    }
                    let other = receiver.clone();
                    drop(receiver);
                    assert!(!matches!(sender.try_send(1), Err(TrySendError::Disconnected(_))), "one is left");
                    drop(other);
                    assert_eq!(sender.try_send(7), Err(TrySendError::Disconnected(7)));
                    assert_eq!(sender.send(7), Err(SendError(7)));
                    assert_eq!(sender.send_timeout(7, LONG), Err(SendTimeoutError::Disconnected(7)));
                    assert_eq!(sender.len(), usize::from(capacity > 0), "what was queued stays");
                }
            }

            #[test]
            fn last_sender_gone_lets_the_queue_drain_then_fails_every_receive() {
                let (sender, receiver) = filled(2);
                let other = sender.clone();
                drop(sender);
                assert_eq!(receiver.recv(), Ok(0));
                drop(other);
                assert_eq!(receiver.recv_timeout(LONG), Ok(1));
                assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
                assert_eq!(receiver.recv(), Err(RecvError));
                assert_eq!(receiver.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
                assert_eq!(receiver.iter().next(), None);
                assert_eq!(receiver.try_iter().next(), None);
            }

            #[test]
            fn queued_values_outlive_the_last_receiver_and_are_dropped_once() {
                let dropped = Arc::new(AtomicUsize::new(0));
                let (sender, receiver) = bounded(3);
                (0..3).for_each(|_| sender.send(Counted(Arc::clone(&dropped))).unwrap());
                drop(receiver.recv().unwrap());
                assert_eq!(dropped.load(Ordering::Relaxed), 1);
                drop(receiver);
                drop(sender.try_send(Counted(Arc::clone(&dropped))).unwrap_err());
                assert_eq!(dropped.load(Ordering::Relaxed), 2, "only what came back");
                drop(sender);
                assert_eq!(dropped.load(Ordering::Relaxed), 4, "the rest goes with the last end");
            }

            #[test]
            fn queued_values_are_dropped_with_the_receiver_after_the_senders() {
                let dropped = Arc::new(AtomicUsize::new(0));
                let (sender, receiver) = bounded(2);
                sender.send(Counted(Arc::clone(&dropped))).unwrap();
                drop(sender);
                assert_eq!(dropped.load(Ordering::Relaxed), 0);
                drop(receiver);
                assert_eq!(dropped.load(Ordering::Relaxed), 1);
            }

            #[test]
            fn blocked_sender_is_woken_by_room_and_by_disconnect() {
                let (sender, receiver) = filled(1);
                scope(|scope| {
                    let blocked = scope.spawn(|| (sender.send(1), sender.send(2)));
                    assert_eq!(receiver.recv(), Ok(0));
                    while receiver.is_empty() {
                        thread::yield_now();
                    }
                    drop(receiver);
                    assert_eq!(blocked.join().unwrap(), (Ok(()), Err(SendError(2))));
                });
            }

            #[test]
            fn blocked_sender_of_a_meeting_is_woken_by_partner_and_by_disconnect() {
                let (sender, receiver) = bounded(0);
                scope(|scope| {
                    let blocked = scope.spawn(|| (sender.send(1), sender.send(2)));
                    assert_eq!(receiver.recv(), Ok(1));
                    drop(receiver);
                    assert_eq!(blocked.join().unwrap(), (Ok(()), Err(SendError(2))));
                });
            }

            #[test]
            fn blocked_receiver_is_woken_by_value_and_by_disconnect() {
                for capacity in [0, 1] {
                    let (sender, receiver) = bounded(capacity);
                    scope(|scope| {
                        let blocked = scope.spawn(|| (receiver.recv(), receiver.recv_timeout(LONG)));
                        meet(&sender, 1);
                        drop(sender);
                        assert_eq!(blocked.join().unwrap(), (Ok(1), Err(RecvTimeoutError::Disconnected)));
                    });
                }
            }

            #[test]
            fn try_recv_takes_from_a_sender_that_waits() {
                let (sender, receiver) = bounded(0);
                scope(|scope| {
                    let blocked = scope.spawn(|| sender.send_timeout(1, LONG));
                    let value = loop {
                        match receiver.try_recv() {
                            Ok(value) => break value,
                            Err(error) => assert_eq!(error, TryRecvError::Empty),
                        }
                        thread::yield_now();
                    };
                    assert_eq!((value, blocked.join().unwrap()), (1, Ok(())));
                });
            }

            #[test]
            fn select_with_nothing_ready_says_so() {
                for capacity in [0, 1] {
                    let (sender, receiver) = bounded(capacity);
                    (0..capacity).for_each(|_| sender.send(()).unwrap());
                    let (_idle, empty) = bounded::<()>(capacity);
                    let mut select = Select::new();
                    assert_eq!((select.send(&sender), select.recv(&empty)), (0, 1));
                    assert!(select.try_ready().is_err());
                    assert!(select.ready_timeout(SHORT).is_err());
                    assert!(select.ready_timeout(Duration::ZERO).is_err());
                    assert!(select.ready_deadline(time::now()).is_err());
                    drop(receiver);
                }
            }

            #[test]
            fn select_of_nothing_times_out() {
                assert!(Select::new().try_ready().is_err());
                assert!(Select::new().ready_timeout(SHORT).is_err());
            }

            #[test]
            fn select_calls_room_values_and_disconnects_ready() {
                let (full, full_receiver) = filled(1);
                let (_idle, empty) = bounded::<()>(1);
                let mut select = Select::new();
                select.send(&full);
                select.recv(&empty);
                assert_eq!(full_receiver.recv(), Ok(0));
                assert_eq!(select.try_ready(), Ok(0), "there is room");
                full.send(1).unwrap();
                drop(full_receiver);
                assert_eq!(select.ready(), 0, "the last receiver is gone");

                let (sender, receiver) = filled(1);
                let mut select = Select::new();
                select.recv(&empty);
                select.recv(&receiver);
                assert_eq!(select.ready_timeout(LONG), Ok(1), "there is a value");
                receiver.recv().unwrap();
                assert!(select.try_ready().is_err());
                drop(sender);
                assert_eq!(select.ready_deadline(time::now()), Ok(1), "the last sender is gone");
            }

            #[test]
            fn blocked_select_is_woken_by_value_room_and_disconnect() {
                for capacity in [0, 1] {
                    let (sender, receiver) = bounded(capacity);
                    let (_idle, empty) = bounded::<()>(1);
                    let ready = || {
                        let mut select = Select::new();
                        select.recv(&empty);
                        select.recv(&receiver);
                        select.ready()
                    };
                    scope(|scope| {
                        let blocked = scope.spawn(|| {
                            let index = ready();
                            (index, receiver.recv(), ready_to_receive(&receiver), receiver.recv())
                        });
                        sender.send(5).unwrap();
                        drop(sender);
                        assert_eq!(blocked.join().unwrap(), (1, Ok(5), 0, Err(RecvError)));
                    });
                }
                let (sender, receiver) = filled(1);
                scope(|scope| {
                    let blocked = scope.spawn(|| {
                        let mut select = Select::new();
                        select.send(&sender);
                        (select.ready(), sender.try_send(1))
                    });
                    assert_eq!(receiver.recv(), Ok(0));
                    assert_eq!(blocked.join().unwrap(), (0, Ok(())));
                });
            }

            fn ready_to_receive(receiver: &Receiver<i32>) -> usize {
                let mut select = Select::new();
                select.recv(receiver);
                select.ready()
            }

            #[test]
            fn select_sees_a_blocked_receiver_of_a_meeting() {
                let (sender, receiver) = bounded(0);
                scope(|scope| {
                    let blocked = scope.spawn(|| receiver.recv());
                    let mut select = Select::new();
                    select.send(&sender);
                    assert_eq!(select.ready(), 0);
                    assert_eq!(sender.try_send(3), Ok(()));
                    assert_eq!(blocked.join().unwrap(), Ok(3));
                });
            }

            #[test]
            fn fair_select_names_every_ready_operation_and_biased_the_first() {
                let (_sender, receiver) = filled(1);
                let (_other_sender, other) = filled(1);
                let (mut fair, mut biased) = (Select::new(), Select::new_biased());
                for select in [&mut fair, &mut biased] {
                    select.recv(&receiver);
                    select.recv(&other);
                }
                let named: HashSet<_> = (0..200).map(|_| fair.ready()).collect();
                assert_eq!(named.len(), 2);
                assert!((0..200).all(|_| biased.ready() == 0));
            }

            #[test]
            fn same_channel_knows_clones_from_strangers() {
                let (sender, receiver) = bounded::<()>(1);
                let (stranger, strange_receiver) = bounded::<()>(1);
                assert!(sender.same_channel(&sender.clone()) && !sender.same_channel(&stranger));
                assert!(
                    receiver.same_channel(&receiver.clone()) && !receiver.same_channel(&strange_receiver)
                );
            }

            #[test]
            fn many_threads_deliver_exactly_once_and_in_each_senders_order() {
                const EACH: usize = if cfg!(miri) { 20 } else { 500 };
                for capacity in [0, 1, 7] {
                    let (sender, receiver) = bounded(capacity);
                    let received: Vec<Vec<(usize, usize)>> = scope(|scope| {
                        for number in 0..3 {
                            let sender = sender.clone();
                            scope.spawn(move || {
                                (0..EACH).for_each(|turn| sender.send((number, turn)).unwrap());
                            });
                        }
                        drop(sender);
                        let receivers: Vec<_> = (0..3)
                            .map(|_| {
                                let receiver = receiver.clone();
                                scope.spawn(move || receiver.into_iter().collect())
                            })
                            .collect();
                        receivers.into_iter().map(|thread| thread.join().unwrap()).collect()
                    });
                    for values in &received {
                        for number in 0..3 {
                            assert!(values.iter().filter(|value| value.0 == number).is_sorted());
                        }
                    }
                    let distinct: HashSet<_> = received.iter().flatten().collect();
                    assert_eq!(distinct.len(), 3 * EACH, "nothing is lost");
                    assert_eq!(received.iter().map(Vec::len).sum::<usize>(), 3 * EACH, "nothing comes twice");
                }
            }

            #[test]
            fn errors_say_which_it_was_and_give_the_value() {
                let (sender, receiver) = filled(1);
                let full = sender.try_send(7).unwrap_err();
                assert!(full.is_full() && !full.is_disconnected());
                assert_eq!((full.to_string(), full.into_inner()), ("sending on a full channel".into(), 7));
                drop(receiver);
                let gone = sender.send_timeout(8, LONG).unwrap_err();
                assert!(gone.is_disconnected() && !gone.is_timeout());
                assert_eq!(gone.into_inner(), 8);
            }
        }
    };
}

suite!(crossbeam, crossbeam_channel);
suite!(model, crate::sync::model_channel);
