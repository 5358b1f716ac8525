//! What stands between a handle and who asks it leaves out no question.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::{Arrival, Help, Inbox, Signal, Waitable, ready};

/// Notes what it is asked, and answers as nothing does by itself.
struct Probe {
    is_finished: bool,
    asked: Rc<RefCell<Vec<&'static str>>>,
}

impl Waitable for Probe {
    type Output = u8;

    fn is_finished(&self) -> bool {
        self.is_finished
    }

    fn watch(&self, signal: Signal) {
        self.asked.borrow_mut().push("watch");
        signal.send();
    }

    fn unwatch(&self) {
        self.asked.borrow_mut().push("unwatch");
    }

    fn take(&mut self) -> Option<u8> {
        Some(7)
    }

    fn cancel(&self) {
        self.asked.borrow_mut().push("cancel");
    }

    fn stamp(&self) -> Option<u64> {
        Some(5)
    }

    fn help(&self) -> Help {
        Help::Helped
    }
}

fn assert_asks_the_probe<W: Waitable<Output = u8>>(wrap: impl Fn(Probe) -> W) {
    for is_finished in [false, true] {
        let asked = Rc::default();
        let mut wrapped = wrap(Probe { is_finished, asked: Rc::clone(&asked) });
        let (inbox, mut arrived) = (Inbox::default(), VecDeque::new());
        wrapped.watch(inbox.signal(3));
        assert!(inbox.collect(&mut arrived));
        assert!(matches!(arrived.make_contiguous(), [Arrival::Look(3)]));
        wrapped.unwatch();
        wrapped.cancel();
        assert_eq!(*asked.borrow(), ["watch", "unwatch", "cancel"]);
        assert_eq!(
            (wrapped.is_finished(), wrapped.stamp(), wrapped.help()),
            (is_finished, Some(5), Help::Helped)
        );
        assert_eq!(wrapped.take(), Some(7));
    }
}

#[test]
fn handle_in_a_box_or_mapped_is_asked_everything() {
    assert_asks_the_probe(|probe| probe);
    assert_asks_the_probe(Box::new);
    assert_asks_the_probe(|probe| Box::new(probe) as Box<dyn Waitable<Output = u8>>);
    assert_asks_the_probe(|probe| probe.map(|number| number));
    assert_eq!(ready(3).map(|number| number + 1).into_inner().take(), Some(3));
}

#[test]
fn what_says_nothing_of_it_has_no_stamp_and_needs_no_help() {
    let mut given = ready(3);
    given.cancel();
    given.unwatch();
    assert_eq!((given.stamp(), given.help(), given.is_finished()), (None, Help::Nothing, true));
    assert_eq!((given.take(), given.take()), (Some(3), None));
    let mut mapped = ready(3).map(|number| number + 1);
    assert_eq!((mapped.take(), mapped.take()), (Some(4), None));
}
