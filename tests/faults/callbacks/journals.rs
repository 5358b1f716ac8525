//! Durable tasks: the handler, what encodes and decodes, keys and drops, in every way to call a handler; and what looks through a journal.

use std::fmt;
use std::io::{self, Write};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use gristmill::journal::{
    CallError, DurableError, DurableErrorKind, Handler, HandlerOptions, Journal, JournalErrorKind, Keep,
    Selection,
};
use gristmill::{CancellationToken, ThreadPool};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tempfile::TempDir;

use crate::support::Counted;
use crate::trial::{Fragile, Heard, Row, Told, Trial, caught, thrown};

/// What is the user's in a durable task.
#[derive(Clone, Copy, PartialEq)]
enum In {
    Key,
    EncodeInput,
    DropInput,
    Handle,
    EncodeValue,
    DropValue,
    DecodeValue,
    Accept,
}

/// `Deserialize` is given nothing of ours, so it finds the trial and the function that panics here.
static NOW: Mutex<Option<(Trial, In)>> = Mutex::new(None);

fn now() -> (Trial, In) {
    NOW.lock().expect("nothing panics here").clone().expect("the row has set it")
}

fn touch(place: In) {
    let (trial, panics) = now();
    if panics == place {
        trial.touch();
    }
}

struct Key(usize);

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        touch(In::Key);
        write!(formatter, "{}", self.0)
    }
}

/// One in whose drop the panic is, or one without.
enum Piece {
    Sound(Counted),
    Fragile(Fragile),
}

impl Piece {
    fn new(drops: In) -> Self {
        let (trial, panics) = now();
        if panics == drops { Self::Fragile(trial.fragile()) } else { Self::Sound(trial.item(0)) }
    }

    fn number(&self) -> u64 {
        match self {
            Self::Sound(item) => item.number,
            Self::Fragile(item) => item.number(),
        }
    }
}

struct Input(Piece);

impl Serialize for Input {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        touch(In::EncodeInput);
        serializer.serialize_u64(self.0.number())
    }
}

struct Value(Piece);

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        touch(In::EncodeValue);
        serializer.serialize_u64(self.0.number())
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        touch(In::DecodeValue);
        u64::deserialize(deserializer).map(|_| Self(Piece::new(In::DropValue)))
    }
}

type Square = Handler<Input, Value>;
type End = Result<Value, DurableError>;

fn called(end: Result<Value, CallError<Input>>) -> End {
    end.map_err(|error| match error {
        CallError::Ended(error) => error,
        other => panic!("{other}"),
    })
}

/// What came of a call: an end, nothing for whoever did not ask, or a panic.
enum Came {
    End(End),
    Nothing,
    Thrown(Heard),
}

const TAKEN: &str = "nothing refuses it";

/// Every way to call a handler and to have its end; the key is the number of the way.
fn ways(square: &Square, pool: &ThreadPool, is_first: bool) -> Vec<Came> {
    let token = CancellationToken::new();
    let input = || Input(Piece::new(In::DropInput));
    let forms: [&dyn Fn(Key) -> Option<End>; 9] = [
        &|key| Some(square.submit(pool, key, input()).expect(TAKEN).wait()),
        &|key| Some(square.try_submit(pool, key, input()).expect(TAKEN).wait()),
        &|key| Some(square.submit_timeout(pool, key, input(), Duration::MAX).expect(TAKEN).wait()),
        &|key| Some(square.submit_with(pool.task(), key, input()).expect(TAKEN).wait()),
        &|key| Some(square.run(key, input()).expect(TAKEN).wait()),
        &|key| Some(square.run_with(&token, key, input()).expect(TAKEN).wait()),
        &|key| Some(called(square.call(key, input()))),
        &|key| Some(called(square.call_with(&token, key, input()))),
        // Nobody takes the first result, and who would have is gone before there is one.
        &|key| {
            if is_first {
                pool.pause();
                let handle = square.submit(pool, key, input());
                drop(handle.expect(TAKEN));
                pool.resume();
                return None;
            }
            Some(square.submit(pool, key, input()).expect(TAKEN).wait())
        },
    ];
    let one = |(number, form): (usize, &&dyn Fn(Key) -> Option<End>)| {
        let mut came = Came::Nothing;
        let heard = caught(|| {
            came = form(Key(number)).map_or(Came::Nothing, Came::End);
            None
        });
        heard.map_or(came, Came::Thrown)
    };
    forms.iter().enumerate().map(one).collect()
}

/// Opens it; whoever ran the last task may be about to let go of it.
fn open(folder: &TempDir) -> Journal {
    loop {
        match Journal::open(folder.path().join("batch.journal")) {
            Err(error) if error.kind() == JournalErrorKind::Held => thread::yield_now(),
            opened => return opened.expect("it opens"),
        }
    }
}

/// All ways with nothing recorded, all again in another process's place, and all once more with nothing that panics.
fn durable(t: &Trial, panics: In) -> Option<Heard> {
    *NOW.lock().expect("nothing panics here") = Some((t.clone(), panics));
    let folder = tempfile::tempdir().expect("a folder");
    let (mut told, mut threw): (Vec<_>, Vec<_>) = Default::default();
    for round in 0..3 {
        if round == 2 {
            t.defuse();
        }
        let journal = open(&folder);
        let pool = ThreadPool::builder().workers(t.workers).build().expect("good settings");
        let scope = journal.scope("batch");
        let options = HandlerOptions::new();
        // What looks at a value has to read it at once, so nothing else can be shown with it.
        let options = if panics == In::Accept {
            options.accept_if(|_: &Value| {
                touch(In::Accept);
                true
            })
        } else {
            options
        };
        let square: Square = scope.handler_with(options, "square", 1, |_, _: &Input| {
            touch(In::Handle);
            Ok(Value(Piece::new(In::DropValue)))
        });
        for (way, came) in ways(&square, &pool, round == 0).into_iter().enumerate() {
            match came {
                // It goes here, as the caller's own would.
                Came::End(Ok(value)) => _ = thrown(|| drop(value)),
                Came::End(Err(error)) => match error.kind() {
                    DurableErrorKind::Panicked { message } => {
                        assert!(error.is_recorded() && error.key() == way.to_string(), "{error}");
                        told.push((round, way, Heard::named(error.handler(), message)));
                    }
                    other => panic!("{other:?}"),
                },
                Came::Thrown(heard) => threw.push((round, heard)),
                Came::Nothing => {}
            }
        }
        drop(pool);
        journal.flush().expect("no fault of the disk");
        assert!(journal.verify().expect("it can be read").is_sound());
        drop((square, scope));
        journal.close().expect("nothing is lost");
    }
    assert!(threw.iter().all(|(round, _)| *round < 2), "{threw:?}");
    // A panic that is recorded is told again, and again.
    let ways_in = |wanted: i32| {
        let here = told.iter().filter(|(round, ..)| *round == wanted);
        here.map(|(_, way, _)| *way).collect::<Vec<_>>()
    };
    assert_eq!(ways_in(1), ways_in(2));
    assert!(ways_in(0).iter().all(|way| ways_in(1).contains(way)));
    told.pop().map(|(.., heard)| heard).or_else(|| threw.pop().map(|(_, heard)| heard))
}

/// A journal with some entries, for what reads it.
fn full(body: impl FnOnce(&Journal) -> Option<Heard>) -> Option<Heard> {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = open(&folder);
    let square = journal.scope("batch").handler("square", 1, |_, number: &u64| Ok(number * number));
    for number in 0..3 {
        square.call(number, number).expect("a value");
    }
    let heard = body(&journal);
    assert_eq!(journal.statistics().expect("it can be read").total().entries(), 3);
    assert!(journal.verify().expect("it can be read").is_sound());
    heard
}

struct Writer<'a>(&'a Trial);

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.touch();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const HANDLER: &[&str] = &["journal::Scope::handler", "journal::Scope::handler_with"];
const KEYS: &[&str] = &[
    "journal::Handler::submit",
    "journal::Handler::try_submit",
    "journal::Handler::submit_timeout",
    "journal::Handler::submit_with",
    "journal::Handler::run",
    "journal::Handler::run_with",
    "journal::Handler::call",
    "journal::Handler::call_with",
];

pub(super) const ROWS: &[Row] = &[
    Row { name: "the handler", of: HANDLER, told: Told::Error("square"), run: |t| durable(t, In::Handle) },
    Row {
        name: "the encoding of what a handler returns",
        of: &[],
        told: Told::Error("square"),
        run: |t| durable(t, In::EncodeValue),
    },
    Row {
        name: "the decoding of what is recorded",
        of: &[],
        told: Told::Caller,
        run: |t| durable(t, In::DecodeValue),
    },
    Row {
        name: "the encoding of an input",
        of: &[],
        told: Told::Caller,
        run: |t| durable(t, In::EncodeInput),
    },
    Row { name: "a key's Display", of: KEYS, told: Told::Caller, run: |t| durable(t, In::Key) },
    Row {
        name: "accept_if",
        of: &["journal::HandlerOptions::accept_if"],
        told: Told::Caller,
        run: |t| durable(t, In::Accept),
    },
    Row { name: "the drop of an input", of: &[], told: Told::Hook, run: |t| durable(t, In::DropInput) },
    Row { name: "the drop of a value", of: &[], told: Told::Hook, run: |t| durable(t, In::DropValue) },
    Row {
        name: "the scopes that are kept",
        of: &["journal::Keep::scopes"],
        told: Told::Caller,
        run: |t| {
            full(|journal| {
                let names = ["batch", "other"].into_iter().inspect(|_| t.touch());
                thrown(|| journal.collect_garbage(&Keep::everything().scopes(names)))
            })
        },
    },
    Row {
        name: "what an export is written to",
        of: &[],
        told: Told::Caller,
        run: |t| full(|journal| thrown(|| journal.export(&Selection::all(), Writer(t)))),
    },
];
