//! Processes that are killed, and what the next one finds. The child is this program again, at [`child`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write as _};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gristmill::combine::as_completed;
use gristmill::journal::{DurableErrorKind, HandlerError, HandlerOptions, Journal, Selection};
use gristmill::{ThreadPool, Waitable};

use crate::Place;

const ROLE: &str = "GRISTMILL_TEST_ROLE";

pub(crate) fn start(role: &str, place: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["crashes::child", "--exact", "--nocapture", "--test-threads=1"]);
    child
        .env(ROLE, role)
        .env("GRISTMILL_TEST_PLACE", place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    child.spawn().expect("this program runs again")
}

/// Does nothing unless it is a child.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let place = PathBuf::from(std::env::var_os("GRISTMILL_TEST_PLACE").expect("a place"));
    match role.split_once(' ') {
        Some(("batch", seed)) => run_batch(&place, seed.parse().expect("a seed")),
        Some(("queue", limit)) => run_queue(&place, limit.parse().expect("a limit")),
        Some(("again", how)) => run_again(&place, how),
        Some(("loop", limit)) => run_poison(&place, limit.parse().expect("a limit")),
        Some(("resumed", rest)) => {
            let (stop, form) = rest.split_once(' ').expect("a form");
            crate::resumed::run(form, stop.parse().expect("a number"), &place);
        }
        _ => panic!("{role}"),
    }
    std::process::exit(0);
}

/// Numbers that look random, from a seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)) % below
    }
}

const TASKS: u64 = 400;

/// What a task gives: some are long, some fail for good, some panic.
fn task(number: u64) -> Result<Vec<u8>, HandlerError> {
    match number % 41 {
        7 => Err(HandlerError::terminal_with_code(3, format!("bad {number}"))),
        11 => panic!("no {number}"),
        _ => Ok(number.to_le_bytes().repeat(usize::try_from(number % 97).expect("small"))),
    }
}

fn line_of(number: u64) -> String {
    match std::panic::catch_unwind(|| task(number)) {
        Ok(Ok(bytes)) => format!("{:x?}", blake(&bytes)),
        Ok(Err(error)) => format!("failed {} {error}", error.code()),
        Err(_) => format!("panicked no {number}"),
    }
}

fn blake(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

fn run_batch(place: &Path, seed: u64) {
    let side = place.with_extension("executed");
    let mut numbers = Numbers(seed);
    let journal = Journal::open(place).expect("it opens");
    let scope = journal.scope("batch");
    // Among hundreds of kills, a task is running in three in a row now and then.
    let options = HandlerOptions::new().crash_limit(NonZeroU32::MAX);
    let handler = scope.handler_with(options, "task", 1, move |_, number: &u64| {
        // In one write each, so that lines of two workers do not mix.
        let mut side = OpenOptions::new().create(true).append(true).open(&side)?;
        side.write_all(format!("{number}\n").as_bytes())?;
        let until = Instant::now() + Duration::from_micros(number % 150);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        task(*number)
    });
    let pool = ThreadPool::builder().workers(2).build().expect("a pool");
    let mut order: Vec<u64> = (0..TASKS).collect();
    for place in (1..order.len()).rev() {
        order.swap(place, usize::try_from(numbers.next(place as u64 + 1)).expect("small"));
    }
    let timer = scope.after("timer", Duration::from_millis(3)).expect("a timer");
    let started = order.iter().map(|&number| {
        let handle = handler.submit(&pool, number, number).expect("it is taken");
        let replayed = handle.is_replayed();
        let told = handle.map(move |end| {
            let what = match end {
                Ok(bytes) => format!("{:x?}", blake(&bytes)),
                Err(error) => match error.into_kind() {
                    DurableErrorKind::Failed { code, message } => format!("failed {code} {message}"),
                    DurableErrorKind::Panicked { message } => format!("panicked {message}"),
                    other => panic!("{other}"),
                },
            };
            format!("{number} {what} {}", if replayed { "replayed" } else { "run" })
        });
        Box::new(told) as Box<dyn Waitable<Output = String>>
    });
    let timer = timer.map(|end| format!("timer {} -", if end.is_ok() { "fired" } else { "lost" }));
    let ends = as_completed(started.chain([Box::new(timer) as Box<dyn Waitable<Output = String>>]));
    let mut out = std::io::stdout().lock();
    for (_, line) in ends {
        // In one write each, so that whoever kills this sees whole lines.
        out.write_all(format!("told {line}\n").as_bytes()).expect("a reader");
        out.flush().expect("a reader");
    }
    out.write_all(b"told END - -\n").expect("a reader");
    out.flush().expect("a reader");
    drop(out);
    // What a batch does at its end now and then, also to be killed in.
    if numbers.next(2) == 0 {
        journal.compact().expect("it compacts");
    }
    if numbers.next(3) == 0 {
        let _ = journal.forget(&Selection::all().scope("batch").key("timer")).expect("it forgets");
    }
}

/// Lines that the child tells, until it ends or `limit` is over; then it is killed.
fn told(mut child: Child, limit: Option<Duration>) -> Vec<String> {
    let out = child.stdout.take().expect("piped");
    let reader = std::thread::spawn(move || {
        let lines = BufReader::new(out).lines().map_while(Result::ok);
        lines.filter_map(|line| line.split_once("told ").map(|(_, line)| line.to_owned())).collect::<Vec<_>>()
    });
    if let Some(limit) = limit {
        let until = Instant::now() + limit;
        while Instant::now() < until && child.try_wait().expect("a child").is_none() {
            std::thread::yield_now();
        }
        let _ = child.kill();
    }
    let end = child.wait().expect("a child");
    let lines = reader.join().expect("it reads");
    assert!(limit.is_some() || end.success(), "the child failed after {lines:?}");
    lines
}

#[test]
fn batch_that_is_killed_again_and_again_goes_on_where_it_was() {
    let kills: u32 = std::env::var("GRISTMILL_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(40);
    let mut seed =
        std::env::var("GRISTMILL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
            now.as_secs()
        });
    println!("GRISTMILL_SEED={seed} GRISTMILL_KILLS={kills}");
    let mut killed = 0;
    while killed < kills {
        killed += one_batch(seed, kills - killed);
        seed = seed.wrapping_add(1);
    }
}

/// Runs one batch to its end, killing it up to so many times; how often it was.
fn one_batch(seed: u64, most: u32) -> u32 {
    let place = Place::new();
    let mut numbers = Numbers(seed);
    let mut known: Vec<String> = Vec::new();
    let mut killed = 0;
    let mut rounds = 0_u32;
    loop {
        rounds += 1;
        assert!(rounds < 500, "seed {seed}: the batch does not come to its end");
        let is_last_chance = killed >= most;
        // Longer from round to round: on a slow machine a child needs more than that to come to its first task.
        let longest = 60_000 * (1 + u64::from(rounds) / 10);
        let limit = (!is_last_chance).then(|| Duration::from_micros(2_000 + numbers.next(longest)));
        let child = start(&format!("batch {}", numbers.next(u64::MAX)), &place.path());
        let lines = told(child, limit);
        let has_ended = lines.last().is_some_and(|line| line.starts_with("END"));
        // Earlier deliveries are a prefix of later ones, or the other way round, with the same bytes; all that was told before is replayed.
        for (index, (before, now)) in known.iter().zip(&lines).enumerate() {
            let what = |line: &str| line.rsplit_once(' ').map(|(what, _)| what.to_owned());
            assert_eq!(what(before), what(now), "seed {seed}, line {index}");
            assert!(!now.ends_with("run"), "seed {seed}: told before and run again: {now}");
        }
        if lines.len() > known.len() {
            known.clone_from(&lines);
        }
        if has_ended {
            break;
        }
        killed += 1;
    }
    check(seed, &known, &place, killed);
    killed
}

/// Every key once, with its value; and no more runs than a kill may cost.
fn check(seed: u64, known: &[String], place: &Place, killed: u32) {
    let mut left: BTreeMap<u64, String> = (0..TASKS).map(|number| (number, line_of(number))).collect();
    let mut timers = 0;
    for line in &known[..known.len() - 1] {
        let (name, rest) = line.split_once(' ').expect("a name");
        let (what, _) = rest.rsplit_once(' ').expect("a value");
        if name == "timer" {
            assert_eq!(what, "fired");
            timers += 1;
            continue;
        }
        let number = name.parse().expect("a number");
        assert_eq!(left.remove(&number).as_deref(), Some(what), "seed {seed}, task {number}");
    }
    assert!(left.is_empty() && timers == 1, "seed {seed}: {left:?} {timers}");
    let executed = fs::read_to_string(place.path().with_extension("executed")).expect("a list");
    let executed: Vec<&str> = executed.lines().collect();
    let different: BTreeSet<&&str> = executed.iter().collect();
    assert_eq!(different.len() as u64, TASKS, "seed {seed}");
    // Two workers, the queue of the committer, and what it had taken out of it.
    let again = executed.len() - different.len();
    let most = killed as usize * (2 + 2 * 256);
    assert!(again <= most, "seed {seed}: {again} runs more after {killed} kills");
}

/// The third of four tasks ends the process.
fn run_poison(place: &Path, limit: u32) {
    let journal = Journal::open(place).expect("it opens");
    let options = HandlerOptions::new().crash_limit(NonZeroU32::new(limit).expect("not zero"));
    let handler = journal.scope("batch").handler_with(options, "task", 1, |context, number: &u64| {
        println!("told began {number} {}", context.crashes());
        if *number == 2 {
            std::process::abort();
        }
        Ok(*number)
    });
    let mut told = String::new();
    for number in 0..4_u64 {
        let end = handler.call(number, number);
        let shown = match end {
            Ok(number) => number.to_string(),
            Err(error) => error.to_string(),
        };
        writeln!(told, "told {number} {shown}").expect("a string");
    }
    println!("{told}told END");
}

#[test]
fn task_that_kills_the_process_is_set_aside_and_the_batch_goes_on() {
    for limit in [1, 2, 3] {
        let place = Place::new();
        let role = format!("loop {limit}");
        for crash in 0..limit {
            let lines = told(start(&role, &place.path()), Some(Duration::from_secs(60)));
            let began: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("began ")).collect();
            let last = format!("2 {crash}");
            assert_eq!(began.last().copied(), Some(last.as_str()), "crash {crash} of {limit}: {lines:?}");
        }
        for round in 0..2 {
            let lines = told(start(&role, &place.path()), Some(Duration::from_secs(60)));
            assert_eq!(lines.last().map(String::as_str), Some("END"), "{lines:?}");
            assert!(!lines.iter().any(|line| line.starts_with("began 2")), "{lines:?}");
            let set_aside = format!("the process died {limit} times in a row");
            assert!(
                lines.iter().any(|line| line.starts_with("2 ") && line.contains(&set_aside)),
                "{lines:?}"
            );
            assert_eq!(lines.iter().filter(|line| line.starts_with("began")).count(), 1 - round, "{lines:?}");
        }
        // Re-armed, it runs, and ends the process, again.
        {
            let journal = place.open();
            assert_eq!(journal.retry_failed(&Selection::all()).expect("it re-arms").entries, 1);
        }
        let lines = told(start(&role, &place.path()), Some(Duration::from_secs(60)));
        assert_eq!(lines.last().map(String::as_str), Some("began 2 0"), "{lines:?}");
    }
}

/// Short tasks in a long queue, one of which ends the process.
fn run_queue(place: &Path, limit: u32) {
    let journal = Journal::open(place).expect("it opens");
    let options = HandlerOptions::new().crash_limit(NonZeroU32::new(limit).expect("not zero"));
    let handler = journal.scope("batch").handler_with(options, "task", 1, |_, number: &u64| {
        if *number == 30 {
            std::process::abort();
        }
        Ok(*number)
    });
    for number in 0..8_u64 {
        handler.call(number, number).expect("a value");
    }
    let pool = ThreadPool::builder().workers(1).build().expect("a pool");
    pool.pause();
    let started: Vec<_> =
        (8..60_u64).map(|number| handler.submit(&pool, number, number).expect("it is taken")).collect();
    pool.resume();
    let ends = as_completed(started).filter(|(_, end)| end.is_err());
    ends.for_each(|(index, end)| println!("told {} {:?}", index + 8, end.map_err(|error| error.to_string())));
    println!("told END");
}

#[test]
fn tasks_that_were_next_in_line_are_not_set_aside_for_the_crash_of_another() {
    for limit in [1, 2] {
        let place = Place::new();
        let role = format!("queue {limit}");
        let mut crashes = 0;
        let lines = loop {
            let lines = told(start(&role, &place.path()), Some(Duration::from_secs(60)));
            if lines.last().is_some_and(|line| line == "END") {
                break lines;
            }
            crashes += 1;
            assert!(crashes <= limit + 1, "{lines:?}");
        };
        assert!(crashes >= limit, "{crashes}");
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("30 ") && lines[0].contains("the process died"), "{lines:?}");
        // All have ended: nobody is under suspicion any more.
        assert_eq!(place.open().statistics().expect("it looks").crashed, 0);
    }
}

/// Records the task that is poison later, while it is not.
fn record_before_it_is_poison(place: &Place, how: &str) {
    let journal = place.open();
    let handler = journal.scope("batch").handler("task", 1, |_, number: &u64| Ok(*number));
    handler.call(30, if how == "input" { 130 } else { 30 }).expect("a value");
    drop(handler);
    journal.close().expect("it closes");
}

/// A recorded task that is run again, for its input or its value, among short ones, and ends the process.
fn run_again(place: &Path, how: &str) {
    let journal = Journal::open(place).expect("it opens");
    let options = HandlerOptions::new().crash_limit(NonZeroU32::new(2).expect("not zero"));
    // A changed input runs again by itself.
    let is_by_value = how == "value";
    let options = options.accept_if(move |value: &u64| !is_by_value || *value != 30);
    let handler = journal.scope("batch").handler_with(options, "task", 1, |context, number: &u64| {
        if *number == 30 {
            println!("told began {}", context.crashes());
            std::process::abort();
        }
        Ok(*number)
    });
    // So that the handler is known to be short; by keys of this process.
    for number in 0..8_u64 {
        handler.call(format!("{} {number}", std::process::id()), number).expect("a value");
    }
    let pool = ThreadPool::builder().workers(1).build().expect("a pool");
    pool.pause();
    let started: Vec<_> =
        (28..40_u64).map(|number| handler.submit(&pool, number, number).expect("it is taken")).collect();
    pool.resume();
    let ends = as_completed(started).filter(|(_, end)| end.is_err());
    ends.for_each(|(index, end)| {
        println!("told {} {:?}", index + 28, end.map_err(|error| error.to_string()));
    });
    println!("told END");
}

#[test]
fn recorded_task_that_kills_the_process_when_it_runs_again_is_set_aside() {
    for how in ["input", "value"] {
        let (place, role) = (Place::new(), format!("again {how}"));
        record_before_it_is_poison(&place, how);
        for crash in 0..2 {
            let lines = told(start(&role, &place.path()), Some(Duration::from_secs(60)));
            assert_eq!(lines, [format!("began {crash}")], "{how}");
        }
        for _ in 0..2 {
            let lines = told(start(&role, &place.path()), Some(Duration::from_secs(60)));
            assert_eq!(lines.len(), 2, "{how}: {lines:?}");
            assert!(
                lines[0].starts_with("30 ") && lines[0].contains("the process died 2 times"),
                "{lines:?}"
            );
        }
        assert_eq!(place.open().statistics().expect("it looks").crashed, 0);
    }
}

#[test]
fn crashes_of_a_task_that_runs_again_are_forgotten_and_its_record_is_not() {
    let place = Place::new();
    record_before_it_is_poison(&place, "input");
    for _ in 0..2 {
        let lines = told(start("again input", &place.path()), Some(Duration::from_secs(60)));
        assert_eq!(lines, ["began 0"]);
        let journal = place.open();
        assert_eq!(journal.opening().crashed, 1);
        let forgotten = journal.retry_failed(&Selection::all().key("30")).expect("it re-arms");
        assert_eq!((forgotten.entries, forgotten.crashes), (0, 1));
        assert_eq!(journal.statistics().expect("it looks").crashed, 0);
        assert_eq!(journal.entries(&Selection::all().key("30")).count(), 1);
        journal.close().expect("it closes");
    }
}
