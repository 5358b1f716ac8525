//! A subscriber that keeps everything it is told.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// What is known of one span.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) name: &'static str,
    /// Its place in the list of all.
    pub(crate) parent: Option<usize>,
    pub(crate) fields: BTreeMap<&'static str, String>,
    pub(crate) entered: Vec<ThreadId>,
    /// How often it is entered and not left.
    pub(crate) inside: usize,
    pub(crate) is_closed: bool,
}

impl Seen {
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    #[track_caller]
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.field(name).parse().unwrap()
    }
}

/// One event, and the spans it lies in, the innermost first.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) message: String,
    pub(crate) spans: Vec<usize>,
    pub(crate) thread: ThreadId,
}

#[derive(Debug, Default)]
struct Book {
    ids: BTreeMap<u64, usize>,
    spans: Vec<Seen>,
    events: Vec<Said>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Collector(Arc<Mutex<Book>>);

impl Collector {
    /// Runs `body` with a collector as the subscriber of the calling thread; what it collected.
    pub(crate) fn during<R>(body: impl FnOnce() -> R) -> (R, Self) {
        let collector = Self::default();
        let value = tracing::subscriber::with_default(collector.subscriber(), body);
        (value, collector)
    }

    pub(crate) fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        Registry::default().with(self.clone())
    }

    pub(crate) fn spans(&self) -> Vec<Seen> {
        self.0.lock().unwrap().spans.clone()
    }

    pub(crate) fn events(&self) -> Vec<Said> {
        self.0.lock().unwrap().events.clone()
    }

    /// The spans of that name.
    pub(crate) fn named(&self, name: &str) -> Vec<Seen> {
        self.spans().into_iter().filter(|span| span.name == name).collect()
    }

    /// The only span with that value in its field `name`, and its place.
    #[track_caller]
    pub(crate) fn called(&self, name: &str) -> (usize, Seen) {
        let mut found: Vec<_> = self.spans().into_iter().enumerate().collect();
        found.retain(|(_, span)| span.fields.get("name").map(String::as_str) == Some(name));
        assert_eq!(found.len(), 1, "{name} in {:?}", self.spans());
        found.remove(0)
    }

    /// The only event with that message.
    #[track_caller]
    pub(crate) fn said(&self, message: &str) -> Said {
        let mut found: Vec<_> = self.events().into_iter().filter(|event| event.message == message).collect();
        assert_eq!(found.len(), 1, "{message} in {:?}", self.events());
        found.remove(0)
    }

    /// Nothing is open, and nobody is inside of anything.
    #[track_caller]
    pub(crate) fn assert_all_closed(&self) {
        for span in self.spans() {
            assert!(span.is_closed && span.inside == 0, "{span:?}");
        }
    }

    fn change(&self, id: &Id, change: impl FnOnce(&mut Seen)) {
        let mut book = self.0.lock().unwrap();
        let place = book.ids[&id.into_u64()];
        change(&mut book.spans[place]);
    }
}

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collector {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let parent = context.span(id).unwrap().parent().map(|parent| parent.id().into_u64());
        let mut book = self.0.lock().unwrap();
        let parent = parent.map(|parent| book.ids[&parent]);
        let mut span = Seen { name: attributes.metadata().name(), parent, ..Seen::default() };
        attributes.record(&mut Fields(&mut span.fields));
        let place = book.spans.len();
        book.ids.insert(id.into_u64(), place); // an earlier one of that number is closed
        book.spans.push(span);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        self.change(id, |span| values.record(&mut Fields(&mut span.fields)));
    }

    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        self.change(id, |span| {
            span.entered.push(thread::current().id());
            span.inside += 1;
        });
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        self.change(id, |span| span.inside -= 1);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.change(&id, |span| span.is_closed = true);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        let scope = context.event_scope(event).into_iter().flatten();
        let ids: Vec<u64> = scope.map(|span| span.id().into_u64()).collect();
        let mut book = self.0.lock().unwrap();
        let spans = ids.iter().map(|id| book.ids[id]).collect();
        let message = fields.remove("message").unwrap_or_default();
        book.events.push(Said { message, spans, thread: thread::current().id() });
    }
}
