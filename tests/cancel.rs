//! What cancellation promises about trees, causes, callbacks and guards, through the public API.

use std::error::Error;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread::{self, JoinHandle};

use gristmill::{CancelKind, CancelOnDrop, CancellationToken, Cancelled, Registration};

fn cause_text(token: &CancellationToken) -> Option<String> {
    token.cause().and_then(|cancelled| cancelled.cause().map(ToString::to_string))
}

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::Builder::new().spawn(run).expect("a thread")
}

#[test]
fn first_canceller_wins_and_its_location_is_recorded() {
    let token = CancellationToken::new();
    assert!(token.check().is_ok());
    assert!(token.cause().is_none());
    let line = line!() + 1;
    assert!(token.cancel_with("first"));
    assert!(!token.cancel_with("second"));
    assert!(!token.cancel());
    let cancelled = token.check().unwrap_err();
    assert_eq!(cancelled.kind(), CancelKind::Cancelled);
    assert_eq!(cancelled.cause().unwrap().to_string(), "first");
    assert_eq!((cancelled.location().file(), cancelled.location().line()), (file!(), line));
}

#[test]
fn kind_is_separate_from_the_cause() {
    let token = CancellationToken::new();
    token.cancel();
    let cancelled = token.cause().unwrap();
    assert_eq!(cancelled.kind(), CancelKind::Cancelled);
    assert!(cancelled.cause().is_none());
    assert!(cancelled.source().is_none());

    let token = CancellationToken::new();
    token.cancel_with(io::Error::new(io::ErrorKind::StorageFull, "no room"));
    let cancelled = token.cause().unwrap();
    assert_eq!(cancelled.kind(), CancelKind::Cancelled);
    let cause = cancelled.cause().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(cause.kind(), io::ErrorKind::StorageFull);
    assert_eq!(cancelled.source().unwrap().to_string(), "no room");
    assert!(!cancelled.to_string().contains("no room"), "the source is not repeated in the text");
}

#[test]
fn question_mark_turns_a_cancel_into_any_error() {
    fn work(token: &CancellationToken) -> Result<(), Box<dyn Error + Send + Sync>> {
        token.check()?;
        Ok(())
    }
    let token = CancellationToken::new();
    assert!(work(&token).is_ok());
    token.cancel();
    assert!(work(&token).unwrap_err().is::<Cancelled>());
}

#[test]
fn record_flows_down_but_not_up_and_not_over_an_earlier_one() {
    let root = CancellationToken::new();
    let (early, late) = (root.child(), root.child());
    let below_early = early.child();
    early.cancel_with("early");
    assert!(!root.is_cancelled() && !late.is_cancelled());
    root.cancel_with("root");
    let expected = [(&early, "early"), (&below_early, "early"), (&late, "root"), (&root, "root")];
    for (token, cause) in expected {
        assert_eq!(cause_text(token).as_deref(), Some(cause));
    }
    let (root, late) = (root.cause().unwrap(), late.cause().unwrap());
    assert_eq!(root.location(), late.location(), "the child's record is its parent's");
}

#[test]
fn child_of_a_cancelled_token_is_born_cancelled_with_its_record() {
    let root = CancellationToken::new();
    let kept = root.child();
    kept.cancel_with("own");
    root.cancel_with("root");
    assert_eq!(cause_text(&root.child()).as_deref(), Some("root"));
    assert_eq!(cause_text(&kept.child()).as_deref(), Some("own"));
    assert!(!root.child().cancel(), "it was cancelled before");
}

#[test]
fn cancel_reaches_below_a_token_whose_handles_are_gone() {
    let root = CancellationToken::new();
    let grandchild = root.child().child();
    root.cancel();
    assert!(grandchild.is_cancelled());
}

#[test]
fn clones_are_the_same_token() {
    let token = CancellationToken::default();
    let clone = token.clone();
    drop(token.clone());
    assert!(clone.cancel());
    assert!(token.is_cancelled());
    assert!(!token.cancel());
}

#[test]
fn hundred_nodes_cancelled_at_once_have_one_winner_each_and_are_all_cancelled_for_winner_and_loser() {
    for round in 0..100 {
        let mut nodes = vec![CancellationToken::new()];
        for index in 1..100_usize {
            nodes.push(nodes[(index - 1) / (1 + round % 4)].child());
        }
        let wins: Vec<AtomicUsize> = nodes.iter().map(|_| AtomicUsize::new(0)).collect();
        let start = Barrier::new(4);
        thread::scope(|scope| {
            for thread in 0..4 {
                let (nodes, wins, start) = (&nodes, &wins, &start);
                scope.spawn(move || {
                    start.wait();
                    for (node, wins) in nodes.iter().zip(wins).rev().skip(thread) {
                        wins.fetch_add(usize::from(node.cancel()), Ordering::Relaxed);
                        assert!(node.is_cancelled());
                    }
                    nodes[0].cancel();
                    assert!(
                        nodes.iter().all(CancellationToken::is_cancelled),
                        "winner or loser, all is cancelled"
                    );
                });
            }
        });
        for wins in wins {
            assert!(wins.into_inner() <= 1);
        }
    }
}

#[test]
fn child_made_while_its_parent_is_being_cancelled_is_cancelled_when_the_cancel_has_returned() {
    for _ in 0..50 {
        let root = CancellationToken::new();
        let start = Barrier::new(3);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                let (root, start, over) = (root.child(), &start, &over);
                scope.spawn(move || {
                    start.wait();
                    let mut made = Vec::new();
                    while !over.load(Ordering::Acquire) {
                        made.push(made.last().unwrap_or(&root).child());
                    }
                    assert!(made.iter().all(CancellationToken::is_cancelled));
                });
            }
            start.wait();
            root.cancel();
            over.store(true, Ordering::Release);
        });
    }
}

#[test]
fn chain_of_a_million_cancels_and_drops_without_recursion() {
    let root = CancellationToken::new();
    let mut leaf = root.child();
    for _ in 0..1_000_000 {
        leaf = leaf.child();
    }
    drop(leaf); // takes the whole chain with it
    let mut chain = vec![root];
    for _ in 0..1_000_000 {
        chain.push(chain[chain.len() - 1].child());
    }
    assert!(chain[0].cancel());
    assert!(chain.iter().all(CancellationToken::is_cancelled));
    drop(chain);
}

#[test]
fn callbacks_run_in_order_of_registration_across_the_subtree_and_a_panic_stops_no_other() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let root = CancellationToken::new();
    let child = root.child();
    let mut registrations = Vec::new();
    for number in 0..10 {
        let (seen, token) = (seen.clone(), if number % 2 == 0 { &root } else { &child });
        registrations.push(token.on_cancel(move |_| {
            seen.lock().unwrap().push(number);
            assert!(number != 4, "this panic is part of the test");
        }));
    }
    assert!(registrations.remove(3).unregister());
    assert!(root.cancel(), "the panic does not reach the canceller");
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    assert!(registrations.into_iter().all(|registration| !registration.unregister()));
}

#[test]
fn payload_whose_destructor_panics_stops_no_other_callback() {
    struct Grenade;
    impl Drop for Grenade {
        fn drop(&mut self) {
            std::panic::panic_any(Grenade);
        }
    }
    let token = CancellationToken::new();
    token.on_cancel(|_| std::panic::panic_any(Grenade)).detach();
    let ran = Arc::new(AtomicBool::new(false));
    let flag = ran.clone();
    token.on_cancel(move |_| flag.store(true, Ordering::Relaxed)).detach();
    assert!(token.cancel());
    assert!(ran.load(Ordering::Relaxed));
}

#[test]
fn callback_sees_the_record_and_the_whole_subtree_cancelled() {
    let token = CancellationToken::new();
    let child = token.child();
    let (sender, receiver) = mpsc::channel();
    let (seen, below) = (token.clone(), child.clone());
    child
        .on_cancel(move |cancelled| {
            let all = seen.is_cancelled() && below.is_cancelled();
            sender.send((all, cancelled.cause().unwrap().to_string())).unwrap();
        })
        .detach();
    token.cancel_with("halt");
    assert_eq!(receiver.try_recv(), Ok((true, "halt".to_owned())));
}

#[test]
fn callback_may_call_back_into_the_token() {
    let token = CancellationToken::new();
    let later = Arc::new(Mutex::new(None::<Registration>));
    let (sender, receiver) = mpsc::channel();
    let (again, slot) = (token.clone(), later.clone());
    let first = token.on_cancel(move |_| {
        assert!(!again.cancel());
        assert!(again.child().is_cancelled());
        assert!(again.cancelled().recv().is_err());
        let nested = sender.clone();
        again.on_cancel(move |_| nested.send("nested").unwrap()).detach();
        assert!(slot.lock().unwrap().take().unwrap().unregister(), "the next one has not started");
        sender.send("first").unwrap();
    });
    *later.lock().unwrap() = Some(token.on_cancel(|_| unreachable!("unregistered by the first")));
    assert!(token.cancel());
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), ["nested", "first"]);
    assert!(!first.unregister());
}

#[test]
fn callback_may_drop_its_own_registration() {
    let token = CancellationToken::new();
    let own = Arc::new(Mutex::new(None::<Registration>));
    let slot = own.clone();
    let answer = Arc::new(Mutex::new(None));
    let noted = answer.clone();
    let registration = token.on_cancel(move |_| {
        let registration = slot.lock().unwrap().take().unwrap();
        *noted.lock().unwrap() = Some(registration.unregister());
    });
    *own.lock().unwrap() = Some(registration);
    token.cancel();
    assert_eq!(*answer.lock().unwrap(), Some(false), "it had started");
}

#[test]
fn callback_of_a_cancelled_token_runs_at_once_in_the_calling_thread() {
    let token = CancellationToken::new();
    token.cancel();
    let (sender, receiver) = mpsc::channel();
    let registration = token.on_cancel(move |_| sender.send(thread::current().id()).unwrap());
    assert_eq!(receiver.try_recv(), Ok(thread::current().id()));
    assert!(!registration.unregister());
    token.on_cancel(|_| panic!("this panic is part of the test")).detach();
}

#[test]
fn unregistered_callback_is_dropped_and_never_starts() {
    let token = CancellationToken::new();
    let captured = Arc::new(());
    let held = captured.clone();
    let registration = token.on_cancel(move |_| drop(held));
    assert_eq!(Arc::strong_count(&captured), 2);
    assert!(registration.unregister());
    assert_eq!(Arc::strong_count(&captured), 1);
    let held = captured.clone();
    drop(token.on_cancel(move |_| unreachable!("{:?}", held)));
    assert_eq!(Arc::strong_count(&captured), 1);
    token.cancel();
}

#[test]
fn unregistering_a_running_callback_answers_false_and_does_not_wait_for_it() {
    let token = CancellationToken::new();
    let (started, start) = mpsc::channel();
    let (release, held) = mpsc::channel::<()>();
    let running = token.on_cancel(move |_| {
        started.send(()).unwrap();
        held.recv().unwrap();
    });
    let next = token.on_cancel(|_| unreachable!("unregistered while the one before it ran"));
    let canceller = spawn({
        let token = token.clone();
        move || token.cancel()
    });
    start.recv().unwrap();
    assert!(token.is_cancelled(), "callbacks run after the marking");
    assert!(!token.cancel(), "a loser does not wait for the callbacks");
    assert!(!running.unregister());
    assert!(next.unregister());
    release.send(()).unwrap();
    assert!(canceller.join().unwrap());
}

#[test]
fn registration_outlives_its_token_and_the_callback_is_dropped_unrun() {
    let token = CancellationToken::new();
    let captured = Arc::new(());
    let held = captured.clone();
    let registration = token.on_cancel(move |_| unreachable!("{:?}", held));
    drop(token);
    assert_eq!(Arc::strong_count(&captured), 1);
    assert!(!registration.unregister());
}

#[test]
fn receiver_disconnects_on_cancel_from_above_and_sends_nothing() {
    let root = CancellationToken::new();
    let child = root.child();
    let (before, live) = (child.cancelled(), root.child());
    let still = live.cancelled();
    assert_eq!(before.try_recv(), Err(crossbeam_channel::TryRecvError::Empty));
    child.cancel();
    assert_eq!(before.try_recv(), Err(crossbeam_channel::TryRecvError::Disconnected));
    assert_eq!(child.cancelled().try_recv(), Err(crossbeam_channel::TryRecvError::Disconnected));
    assert_eq!(still.try_recv(), Err(crossbeam_channel::TryRecvError::Empty));
    let waiter = spawn(move || still.recv().is_err());
    root.cancel();
    assert!(waiter.join().unwrap());
}

// The macro works on crossbeam's own receiver, which the model channel's stands in for elsewhere.
#[cfg(not(gristmill_model_std))]
#[test]
fn receiver_takes_part_in_a_users_select() {
    let token = CancellationToken::new();
    let cancelled = token.cancelled();
    let waiter = spawn(move || {
        crossbeam_channel::select! { recv(cancelled) -> gone => gone.is_err() }
    });
    token.cancel();
    assert!(waiter.join().unwrap());
}

#[test]
fn receiver_disconnects_when_the_last_handle_is_dropped() {
    let token = CancellationToken::new();
    let receiver = token.cancelled();
    let child = token.child();
    drop(token);
    assert_eq!(receiver.try_recv(), Err(crossbeam_channel::TryRecvError::Empty), "a descendant counts");
    drop(child);
    assert_eq!(receiver.try_recv(), Err(crossbeam_channel::TryRecvError::Disconnected));
}

#[test]
fn guard_cancels_on_every_way_out_unless_disarmed() {
    let token = CancellationToken::new();
    assert!(!token.clone().cancel_on_drop().disarm().is_cancelled());
    let line = line!() + 1;
    drop(token.clone().cancel_on_drop());
    assert_eq!(token.cause().unwrap().location().line(), line, "where the guard was made");

    let token = CancellationToken::new();
    let guard = token.clone().cancel_on_drop();
    let unwound = spawn(move || {
        let _guard = guard;
        panic!("this panic is part of the test");
    });
    assert!(unwound.join().is_err());
    assert!(token.is_cancelled());
}

#[test]
fn debug_text_takes_no_lock_and_says_the_state() {
    let token = CancellationToken::new();
    assert!(format!("{token:?}").contains("cancelled: false"));
    let registration = token.on_cancel(|_| ());
    assert!(format!("{registration:?}").contains("Registration"));
    token.cancel_with("why");
    assert!(format!("{token:?}").contains("cancelled: true"));
    let text = format!("{:?}", token.cause().unwrap());
    assert!(text.contains("why") && text.contains("cancel.rs"), "{text}");
}

#[test]
fn what_a_program_shares_between_threads_can_be_shared() {
    fn shared<T: Send + Sync + 'static>() {}
    fn survives_a_panic<T: UnwindSafe + RefUnwindSafe>() {}
    shared::<CancellationToken>();
    shared::<Cancelled>();
    shared::<CancelKind>();
    shared::<Registration>();
    shared::<CancelOnDrop>();
    survives_a_panic::<CancellationToken>();
}

/// Notes its drop, and panics in it.
#[derive(Debug, thiserror::Error)]
#[error("a bomb")]
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("this panic is part of the test");
    }
}

#[test]
fn captures_of_callbacks_that_never_ran_are_dropped_one_by_one_whichever_panic() {
    let drops = Arc::new(AtomicUsize::new(0));
    let token = CancellationToken::new();
    for _ in 0..3 {
        let bomb = Bomb(drops.clone());
        token.on_cancel(move |_| drop(bomb)).detach();
    }
    drop(token);
    assert_eq!(drops.load(Ordering::SeqCst), 3);
}

#[test]
fn panic_of_a_cause_in_its_drop_goes_no_further() {
    let drops = Arc::new(AtomicUsize::new(0));
    let token =
        CancellationToken::with_timeout_cause(std::time::Duration::from_secs(3600), Bomb(drops.clone()));
    assert_eq!(drops.load(Ordering::SeqCst), 0);
    assert!(token.cancel_with(Bomb(drops.clone())));
    assert!(!token.cancel_with(Bomb(drops.clone())));
    drop(token);
    assert_eq!(drops.load(Ordering::SeqCst), 3);
}
