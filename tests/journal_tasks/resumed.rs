//! Pipelines and groups with a journal that are killed, in the midst of telling their results, and go on in the next process.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::{Mutex, mpsc};

use gristmill::journal::{CallError, DurableError, DurableHandle, Handler, HandlerError, Journal};
use gristmill::{CancellationToken, ErrorGroup, Pipeline};

use crate::Place;
use crate::crashes::start;

const TASKS: u64 = 200;

const FORMS: [&str; 6] = [
    "stage, sink waits",
    "stage, caller waits",
    "stage calls",
    "group hands over",
    "group returns",
    "group calls",
];

fn result(number: u64) -> u64 {
    number * number + 1
}

/// Tells results, one line in one write for each, and stops for good after so many: to be killed there.
struct Teller(Mutex<u64>);

impl Teller {
    fn tell(&self, number: u64, result: u64) {
        // Held while it is stopped, so that nobody tells more.
        let mut left = self.0.lock().expect("no panic while it is held");
        let mut out = std::io::stdout().lock();
        out.write_all(format!("told {number} {result}\n").as_bytes()).expect("a reader");
        out.flush().expect("a reader");
        *left -= 1;
        if *left == 0 {
            // Nothing is ever written to it.
            let _ = std::io::stdin().read_exact(&mut [0]);
        }
    }
}

type Error = CallError<u64>;

/// One run of a form, in a child.
pub(crate) fn run(form: &str, stop: u64, place: &Path) {
    let side = place.with_extension("executed");
    let journal = Journal::builder().queue_bound(8).open(place).expect("it opens");
    let handler = journal.scope("resumed").handler("square", 1, move |_, number: &u64| {
        // In one write each, so that lines of two workers do not mix.
        let mut side = OpenOptions::new().create(true).append(true).open(&side)?;
        side.write_all(format!("{number}\n").as_bytes())?;
        if number % 50 == 49 {
            return Err(HandlerError::terminal("the last of fifty"));
        }
        Ok(result(*number))
    });
    let teller = Teller(Mutex::new(stop));
    match form.split_once(' ') {
        Some(("stage," | "stage", _)) => run_pipeline(form, &handler, &teller),
        _ => run_group(form, &handler, &teller),
    }
    journal.flush().expect("it is well");
    println!("told END -");
}

/// What a task gave, its failure as zero.
fn value(end: Result<u64, DurableError>) -> u64 {
    match end {
        Ok(value) => value,
        Err(error) if error.is_recorded() => 0,
        Err(error) => panic!("{error}"),
    }
}

fn called(end: Result<u64, Error>) -> Result<u64, Error> {
    match end {
        Err(CallError::Ended(error)) if error.is_recorded() => Ok(0),
        end => end,
    }
}

fn run_pipeline(form: &str, square: &Handler<u64, u64>, teller: &Teller) {
    let token = CancellationToken::new();
    let source = || Pipeline::from_iter(0..TASKS).workers(3);
    if form == "stage calls" {
        let run = source()
            .try_map("square", |number| called(square.call(number, number)).map(|result| (number, result)))
            .in_order()
            .for_each("tell", |(number, result)| teller.tell(number, result))
            .run(&token);
        run.expect("all give a result");
        return;
    }
    let handles = source().try_map("square", |number| square.run(number, number)).in_order();
    if form == "stage, sink waits" {
        let mut number = 0;
        let tell = |handle: DurableHandle<u64>| {
            teller.tell(number, value(handle.wait()));
            number += 1;
        };
        handles.for_each("tell", tell).run(&token).expect("all are taken");
    } else {
        let (handles, _) = handles.collect::<Vec<_>>().run(&token).expect("all are taken");
        for (number, handle) in (0..).zip(handles) {
            teller.tell(number, value(handle.wait()));
        }
    }
}

fn run_group(form: &str, square: &Handler<u64, u64>, teller: &Teller) {
    let (hand, handed) = mpsc::channel();
    std::thread::scope(|threads| {
        let telling = threads.spawn(move || {
            // In order, as they are waited for.
            let mut handles: Vec<(u64, DurableHandle<u64>)> = handed.iter().collect();
            handles.sort_by_key(|(number, _)| *number);
            for (number, handle) in handles {
                teller.tell(number, value(handle.wait()));
            }
        });
        let group = ErrorGroup::builder().limit(3);
        group
            .scope(|group| {
                for number in 0..TASKS {
                    let (square, hand) = (square.clone(), hand.clone());
                    let spawned = group.spawn(move || -> Result<Option<DurableHandle<u64>>, Error> {
                        match form {
                            "group hands over" => {
                                hand.send((number, square.run(number, number)?)).expect("it is waited for");
                                Ok(None)
                            }
                            // Nobody waits for these: they are recorded all the same.
                            "group returns" if number % 2 == 0 => Ok(Some(square.run(number, number)?)),
                            _ => {
                                teller.tell(number, called(square.call(number, number))?);
                                Ok(None)
                            }
                        }
                    });
                    assert!(spawned.is_ok(), "the group goes on");
                }
                group.wait().expect("all give a result");
            })
            .expect("threads");
        drop(hand);
        telling.join().expect("no panic");
    });
}

/// What a child told until it stopped, and was killed there, or until its end.
fn told(form: &str, stop: u64, place: &Path) -> Vec<(u64, u64)> {
    let mut child = start(&format!("resumed {stop} {form}"), place);
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut told = Vec::new();
    let mut has_ended = false;
    for line in lines {
        let Some((_, line)) = line.split_once("told ") else { continue };
        if line == "END -" {
            has_ended = true;
            break;
        }
        let (number, result) = line.split_once(' ').expect("a result");
        told.push((number.parse().expect("a number"), result.parse().expect("a number")));
        if told.len() as u64 == stop {
            break;
        }
    }
    child.kill().expect("it has not been waited for");
    child.wait().expect("a child");
    assert_eq!(has_ended, stop > TASKS, "{form}: {} were told", told.len());
    told
}

fn executed(place: &Path) -> Vec<u64> {
    let text = fs::read_to_string(place.with_extension("executed")).unwrap_or_default();
    text.lines().map(|line| line.parse().expect("a number")).collect()
}

#[test]
fn killed_pipelines_and_groups_run_nothing_again_whose_result_was_delivered() {
    for form in FORMS {
        let place = Place::new();
        let mut delivered = BTreeSet::new();
        // Half of the tasks of one form are told by nobody.
        let tells = if form == "group returns" { TASKS / 2 } else { TASKS };
        let mut first: Vec<(u64, u64)> = Vec::new();
        for stop in [1, 2, tells / 4, tells / 2, tells, TASKS + 1] {
            let before = executed(&place.path()).len();
            let told = told(form, stop, &place.path());
            assert_eq!(told.len() as u64, stop.min(tells), "{form}");
            for (number, given) in &told {
                let expected = if number % 50 == 49 { 0 } else { result(*number) };
                assert_eq!(*given, expected, "{form}: task {number}");
            }
            if !form.starts_with("group returns") && form != "group calls" {
                // In order: each run tells the same from the start.
                assert!(
                    told.iter().zip(0..).all(|((number, _), place)| *number == place),
                    "{form}: {told:?}"
                );
                assert_eq!(told[..first.len()], first, "{form}");
                first.clone_from(&told);
            }
            let again: Vec<u64> = executed(&place.path()).split_off(before);
            let again: Vec<_> = again.into_iter().filter(|number| delivered.contains(number)).collect();
            assert!(again.is_empty(), "{form}, stopped after {stop}: {again:?} are run again");
            let unique: BTreeSet<_> = told.iter().map(|(number, _)| *number).collect();
            assert_eq!(unique.len(), told.len(), "{form}: each is told once");
            delivered.extend(unique);
        }
        let all: BTreeSet<u64> = executed(&place.path()).into_iter().collect();
        assert_eq!(all, (0..TASKS).collect(), "{form}");
        let journal = place.open();
        assert_eq!(journal.opening().records, TASKS, "{form}");
        assert!(journal.verify().expect("it is open").is_sound(), "{form}");
    }
}
