//! A failure whose turn has not come yet is the cause all the same, whatever panics in reaction to it.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use gristmill::{CancellationToken, Pipeline};

use crate::support::LONG;
use crate::trial::{TEXT, hush};

/// Tells of its drop, and panics.
struct Last(Sender<()>);

impl Drop for Last {
    fn drop(&mut self) {
        let _ = self.0.send(());
        panic!("{TEXT}");
    }
}

fn wait(event: &Mutex<Receiver<()>>) {
    event.lock().expect("not poisoned").recv_timeout(LONG).expect("it comes");
}

/// What lies before the stage that fails, which decides who gives up the items in front of it.
#[derive(Clone, Copy, Debug)]
enum Before {
    Source,
    Map,
    Serial,
}

#[test]
fn drop_of_an_item_that_is_given_up_does_not_hide_the_failure_before_it() {
    hush();
    for before in [Before::Source, Before::Map, Before::Serial] {
        let (dropped, is_dropped) = channel();
        let (read, is_read) = channel();
        let (is_dropped, is_read) = (Mutex::new(is_dropped), Mutex::new(is_read));
        let items = (0..3).map(move |number| {
            read.send(()).expect("the stage waits");
            (number, (number == 2).then(|| Last(dropped.clone())))
        });
        let call = |(number, _last): (u64, Option<Last>)| match number {
            0 => {
                // The failure of the next item has its turn when this one has ended; the last one is given up before.
                wait(&is_dropped);
                Ok(())
            }
            1 => {
                (0..3).for_each(|_| wait(&is_read));
                Err("the cause")
            }
            _ => panic!("nobody needs it any more"),
        };
        let source = Pipeline::from_iter(items).workers(1);
        let token = CancellationToken::new();
        let outcome = match before {
            Before::Source => source.try_blocking("call", 2, call).for_each("end", drop).run(&token),
            Before::Map => {
                source.map("map", |item| item).try_blocking("call", 2, call).for_each("end", drop).run(&token)
            }
            Before::Serial => source
                .serial("serial", |item| item)
                .try_blocking("call", 2, call)
                .for_each("end", drop)
                .run(&token),
        };
        let error = outcome.unwrap_err();
        assert_eq!((error.stage(), error.index()), (Some("call"), Some(1)), "{before:?}: {error:?}");
        assert_eq!(error.into_error(), Some("the cause"));
    }
}
