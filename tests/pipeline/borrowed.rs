//! What need not be `'static`, `Send` or spelled out: every source, stage and sink borrows, and error types are inferred.

use std::cell::Cell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::rc::Rc;

use gristmill::{CancellationToken, Pipeline, PipelineError, Report};

#[test]
fn every_source_stage_and_sink_may_borrow() {
    let words: Vec<String> = (0..1000).map(|number| format!("w{number}")).collect();
    let suffix = String::from("!");
    let none = String::new();
    let mut order = Vec::new();
    let mut noted = 0;
    let mut out: Vec<&str> = Vec::new();
    let looked = std::sync::atomic::AtomicUsize::new(0);
    let token = CancellationToken::new();
    let report = Pipeline::from_slice(&words)
        .workers(3)
        .map("str", |word| (word.as_str(), &suffix))
        .filter("some", |(word, _)| *word != none)
        .filter_map("keep", |pair| Some(pair).filter(|(_, suffix)| !suffix.is_empty()))
        .try_map("try", |pair| if pair.0.is_empty() { Err(none.as_str()) } else { Ok(pair) })
        .inspect("look", |_| _ = looked.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
        .map_init("init", || &suffix, |state, (word, _)| (word, state.len()))
        .try_map_init(
            "try init",
            || &none,
            |state, pair| if pair.1 == 0 { Err(state.as_str()) } else { Ok(pair) },
        )
        .flat_map("twice", |(word, _)| [word, word])
        .serial_unordered("note", |word| {
            noted += 1;
            word
        })
        .serial("order", |word| {
            order.push(word);
            word
        })
        .try_serial("try", |word| if word.is_empty() { Err(none.as_str()) } else { Ok(word) })
        .try_for_each("sink", |word| {
            out.push(word);
            Ok(())
        })
        .run(&token)
        .unwrap();
    assert_eq!((report.read(), noted, looked.into_inner()), (1000, 2000, 1000));
    assert!(words.iter().flat_map(|word| [word, word]).eq(out.iter()));
    assert_eq!(order, out);

    let (longest, _) = Pipeline::from_iter(words.iter())
        .reduce("longest", |a, b| if b.len() > a.len() { b } else { a })
        .run(&token)
        .unwrap();
    assert_eq!(longest, Some(&words[100]));
    let (by_word, _) = Pipeline::from_try_iter(words.iter().map(Ok::<_, &str>))
        .map("count", |word| (word.as_str(), word.len()))
        .collect::<HashMap<&str, usize>>()
        .run(&token)
        .unwrap();
    assert_eq!(by_word["w999"], 4);
    let (sender, receiver) = crossbeam_channel::bounded(1000);
    Pipeline::from_slice(&words).send(sender).run(&token).unwrap();
    let (sum, _) =
        Pipeline::from_receiver(receiver).fold("add", 0, |sum, word| sum + word.len()).run(&token).unwrap();
    assert_eq!(sum, words.iter().map(String::len).sum::<usize>());
}

#[test]
fn sink_on_the_callers_thread_needs_no_send() {
    let caller = std::thread::current().id();
    let sum = Rc::new(Cell::new(0));
    for workers in [1, 4] {
        sum.set(0);
        Pipeline::from_iter(0..5000)
            .workers(workers)
            .for_each_local("add", |number| {
                assert_eq!(std::thread::current().id(), caller);
                sum.set(sum.get() + number);
            })
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!(sum.get(), 4999 * 5000 / 2);
        let (rest, outcome) =
            Pipeline::from_iter(0..5000).workers(workers).with_iter(&CancellationToken::new(), |numbers| {
                numbers.map(|number| sum.get() - number).sum::<i64>()
            });
        outcome.unwrap();
        assert_eq!(rest, Some(sum.get() * 4999));
    }
}

fn infallible() -> Result<Report, PipelineError> {
    let outcome: Result<Report, PipelineError<Infallible>> = Pipeline::from_iter(0..3)
        .map("m", |n| n)
        .serial("s", |n| n)
        .for_each("d", drop)
        .run(&CancellationToken::new());
    outcome
}

fn boxed(token: &CancellationToken) -> Result<i64, Box<dyn Error>> {
    infallible()?;
    let (sum, _) = Pipeline::from_iter(["1", "x"])
        .try_map("parse", |text: &str| text.parse::<i64>())
        .fold("add", 0, |sum, number| sum + number)
        .run(token)?;
    Ok(sum)
}

fn boxed_and_shared(token: &CancellationToken) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (_, outcome) = Pipeline::from_iter(0..3).with_iter(token, |numbers| numbers.count());
    outcome?;
    for number in Pipeline::from_iter(0..3).into_iter_with(token)? {
        number?;
    }
    Ok(())
}

#[test]
fn error_type_is_inferred_and_goes_through_the_question_mark() {
    let token = CancellationToken::new();
    assert_eq!(infallible().unwrap().finished(), 3);
    boxed_and_shared(&token).unwrap();
    let error = boxed(&token).unwrap_err();
    assert_eq!(error.to_string(), "parse failed at item 1: invalid digit found in string");
    let error = error.downcast::<PipelineError<std::num::ParseIntError>>().unwrap();
    assert!(error.into_error().is_some());
}

#[test]
fn error_is_send_and_sync_and_an_error() {
    fn check<T: Error + Send + Sync + 'static>() {}
    fn shared<T: Send + Sync>() {}
    check::<PipelineError>();
    check::<PipelineError<std::io::Error>>();
    shared::<PipelineError<String>>();
    shared::<Report>();
}
