//! Processes that are killed at random moments, that hold the journal, and whose disk is full.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use gristmill::journal::probe::{self, Claimed, Probe};
use gristmill::journal::{Journal, JournalError, JournalErrorKind};

use crate::support::{Dice, fresh, open, place, read, result_of, run};

const WORKERS: usize = 3;
const QUEUE: usize = 16;
const TASKS: usize = 400;

fn say(line: &str) {
    // One write for a line, past the capture of the test harness.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(format!("> {line}\n").as_bytes());
    let _ = out.flush();
}

/// Runs all tasks that are not recorded, reads the others, and says each delivery. Does nothing unless it is started by a test.
#[test]
fn child() {
    let Some(path) = std::env::var_os("GRISTMILL_JOURNAL") else { return };
    let path = Path::new(&path);
    let size = std::env::var("GRISTMILL_PAYLOAD").map_or(0, |size| size.parse().expect("a number"));
    let journal = match Journal::builder().queue_bound(QUEUE).open(path) {
        Ok(journal) => journal,
        Err(error) => return say(&format!("refused {error}")),
    };
    say(&format!("open {} {}", journal.opening().records, journal.opening().lost));
    if std::env::var_os("GRISTMILL_HOLD").is_some() {
        let _ = std::io::stdin().read_line(&mut String::new());
        return;
    }
    let probe = run(&journal);
    if let Ok(key) = std::env::var("GRISTMILL_POISON") {
        let Claimed::Fresh(work) = probe.claim(&key, b"") else { panic!("it was never recorded") };
        probe.begin(&work, true);
        std::process::abort();
    }
    if std::env::var_os("GRISTMILL_LINE").is_some() {
        let line = ["a", "b", "c"].map(|key| fresh(probe.claim(key, b"")));
        probe.begin(&line[0], false);
        std::process::abort();
    }
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let probe = &probe;
            scope.spawn(move || work(probe, path, worker, size));
        }
        for _ in 0..TASKS {
            say_what_is_told(probe.told());
        }
    });
    journal.close().expect("it closes");
    say("end");
}

fn say_what_is_told(told: probe::Told) {
    match told.outcome {
        Ok((seq, _)) => say(&format!("told {seq} {}", told.key)),
        Err(error) => fail(&error),
    }
}

fn fail(error: &JournalError) -> ! {
    say(&format!("failed {:?}", error.kind()));
    std::process::exit(3);
}

fn work(probe: &Probe, path: &Path, worker: usize, size: usize) {
    let mut log = OpenOptions::new();
    let mut log = log.create(true).append(true).open(path.with_extension("log")).expect("a log");
    for number in (worker..TASKS).step_by(WORKERS) {
        let key = number.to_string();
        match probe.claim(&key, key.as_bytes()) {
            Claimed::Fresh(work) => {
                probe.begin(&work, number % 2 == 0);
                log.write_all(format!("{key}\n").as_bytes()).expect("writable");
                let mut payload = result_of(&key);
                payload.resize(payload.len().max(size), 7);
                probe.rest(&work);
                probe.record(work, payload);
            }
            Claimed::Recorded(again) => probe.read(&again),
            Claimed::Failed(error) => {
                // What was told before has its place before the end, also if nobody has come to say it.
                while let Some(told) = probe.told_so_far() {
                    say_what_is_told(told);
                }
                fail(&error);
            }
            other => panic!("{other:?}"),
        }
    }
}

fn start(path: &Path, limit: Option<&str>, variables: &[(&str, &str)]) -> Child {
    let test = std::env::current_exe().expect("this test");
    let mut command = if let Some(limit) = limit {
        let mut shell = Command::new("sh");
        // The signal would kill it; without it the write fails.
        shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\"")]).arg(test);
        shell
    } else {
        Command::new(test)
    };
    command.args(["--exact", "kills::child", "--nocapture"]).env("GRISTMILL_JOURNAL", path);
    command
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command.spawn().expect("it starts")
}

/// What a batch has told so far, over all of its processes.
#[derive(Default)]
struct Told {
    numbers: BTreeMap<String, u64>,
    /// Who ran in the last process.
    ran: Vec<String>,
}

impl Told {
    /// One process, killed at a random moment or left to its end; whether it came to its end.
    fn process(&mut self, path: &Path, dice: &mut Dice) -> bool {
        let log = path.with_extension("log");
        let _ = fs::remove_file(&log);
        let mut child = start(path, None, &[]);
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        // At a line, or at a time: the opening is killed as well.
        let at_line = if dice.below(2) == 0 { dice.below(2 * TASKS as u64) } else { u64::MAX };
        let mut child = Some(child);
        let mut said = Vec::new();
        thread::scope(|scope| {
            if at_line == u64::MAX {
                let wait = Duration::from_micros(dice.below(40_000));
                let mut child = child.take().expect("here");
                scope.spawn(move || {
                    thread::park_timeout(wait);
                    let _ = child.kill();
                    child.wait().expect("it ends")
                });
            }
            for line in lines {
                let Ok(line) = line else { break };
                let Some(line) = line.strip_prefix("> ") else { continue };
                said.push(line.to_owned());
                if said.len() as u64 == at_line {
                    let _ = child.as_mut().expect("here").kill();
                }
            }
        });
        if let Some(mut child) = child {
            child.wait().expect("it ends");
        }
        self.check(&said, &fs::read_to_string(&log).unwrap_or_default())
    }

    fn check(&mut self, said: &[String], log: &str) -> bool {
        let ran: Vec<String> = log.split_inclusive('\n').map(|key| key.trim_end().to_owned()).collect();
        for key in &ran {
            assert!(!self.numbers.contains_key(key), "{key} was delivered, and ran again");
        }
        let again = ran.iter().filter(|key| self.ran.contains(key)).count();
        assert!(again <= WORKERS + QUEUE, "{again} tasks ran again");
        let mut last_new = 0;
        for line in said {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["open", records, lost] => {
                    assert_eq!(lost, "0");
                    let records: usize = records.parse().expect("a number");
                    assert!(records >= self.numbers.len(), "fewer records than deliveries");
                }
                ["told", seq, key] => {
                    let seq: u64 = seq.parse().expect("a number");
                    match self.numbers.get(key) {
                        Some(before) => assert_eq!(*before, seq, "{key} has another number"),
                        None if ran.iter().any(|other| other == key) => {
                            assert!(seq > last_new, "{key} is told out of order");
                            last_new = seq;
                        }
                        // Recorded by a process that was killed before it could tell.
                        None => {}
                    }
                    self.numbers.insert(key.to_owned(), seq);
                }
                ["end"] => {
                    assert_eq!(self.numbers.len(), TASKS);
                    return true;
                }
                _ => panic!("{line}"),
            }
        }
        self.ran = ran;
        false
    }
}

#[test]
fn killed_batch_goes_on_and_runs_nothing_again_that_was_delivered() {
    let kills: usize = std::env::var("GRISTMILL_KILLS").map_or(40, |kills| kills.parse().expect("a number"));
    let mut seed = std::env::var("GRISTMILL_SEED").map_or(2_u64, |seed| seed.parse().expect("a number"));
    let (mut killed, mut ended) = (0, 0);
    while killed < kills {
        seed = seed.wrapping_add(1);
        println!("seed {seed}");
        let (_folder, path) = place();
        let (mut told, mut dice) = (Told::default(), Dice(seed));
        while killed < kills && !told.process(&path, &mut dice) {
            killed += 1;
        }
        ended += usize::from(told.numbers.len() == TASKS);
        // What was told is there, with its bytes.
        let journal = open(&path);
        let probe = run(&journal);
        for (key, seq) in &told.numbers {
            assert_eq!(read(&probe, key).expect("recorded"), Ok((*seq, result_of(key))), "seed {seed}");
        }
        let mut seqs: Vec<u64> = told.numbers.values().copied().collect();
        seqs.sort_unstable();
        seqs.dedup();
        assert_eq!(seqs.len(), told.numbers.len(), "one number for each");
    }
    println!("{killed} kills, {ended} batches came to their end");
}

#[test]
fn second_process_is_refused_at_once_and_names_the_holder() {
    let (_folder, path) = place();
    let mut holder = start(&path, None, &[("GRISTMILL_HOLD", "1")]);
    let mut lines = BufReader::new(holder.stdout.take().expect("piped")).lines();
    assert!(lines.any(|line| line.expect("it says").contains("open")));
    let error = Journal::open(&path).expect_err("held");
    assert_eq!(error.kind(), JournalErrorKind::Held);
    assert!(error.to_string().contains(&holder.id().to_string()), "{error}");
    holder.kill().expect("it runs");
    holder.wait().expect("it ends");
    assert!(open(&path).opening().was_killed, "and nothing is to be removed by hand");
}

#[test]
fn full_disk_fails_the_batch_and_it_goes_on_when_there_is_room() {
    let (_folder, path) = place();
    let mut child = start(&path, Some("300"), &[("GRISTMILL_PAYLOAD", "2000")]);
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let said: Vec<String> = lines.map_while(Result::ok).collect();
    child.wait().expect("it ends");
    let told: Vec<&str> = said.iter().filter_map(|line| line.strip_prefix("> told ")).collect();
    assert!(said.iter().any(|line| line == "> failed Io"), "{said:?}");
    assert!(!told.is_empty() && told.len() < TASKS, "{} were told", told.len());
    let journal = open(&path);
    assert!(journal.opening().records >= told.len() as u64);
    let probe = run(&journal);
    for line in told {
        let (seq, key) = line.split_once(' ').expect("two words");
        let (found, payload) = read(&probe, key).expect("recorded").expect("whole");
        assert_eq!((found.to_string().as_str(), payload.len()), (seq, 2000));
    }
    let kept = journal.opening().records;
    drop((probe, journal));
    let mut child = start(&path, None, &[]);
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "> end"), "it goes on after {kept}");
    child.wait().expect("it ends");
}

#[test]
fn task_that_is_running_when_the_process_is_killed_counts_its_crashes_in_a_row() {
    let (_folder, path) = place();
    for crashes in 0..3 {
        let mut child = start(&path, None, &[("GRISTMILL_POISON", "poison")]);
        child.wait().expect("it ends");
        let journal = open(&path);
        assert_eq!(journal.opening().crashed, 1, "the last run's");
        let probe = run(&journal);
        let Claimed::Fresh(work) = probe.claim("poison", b"") else { panic!("it was never recorded") };
        assert_eq!(work.crashes(), crashes + 1);
    }
    let journal = open(&path);
    let probe = run(&journal);
    let Claimed::Fresh(work) = probe.claim("poison", b"") else { panic!("it was never recorded") };
    assert_eq!(work.crashes(), 3, "openings that end well count nothing and forget nothing");
    probe.record(work, Vec::new());
    assert!(probe.told().outcome.is_ok());
    drop((probe, journal));
    assert_eq!(open(&path).opening().crashed, 0);
}

/// In how many crashes in a row a task was running that was never recorded.
fn crashes(journal: &Journal, key: &str) -> u32 {
    match run(journal).claim(key, b"") {
        Claimed::Fresh(work) => work.crashes(),
        other => panic!("{key}: {other:?}"),
    }
}

#[test]
fn crash_is_counted_once_though_its_marks_are_found_again() {
    let (_folder, path) = place();
    start(&path, None, &[("GRISTMILL_POISON", "poison")]).wait().expect("it ends");
    let lock = path.with_extension("journal.lock");
    let marks = fs::read(&lock).expect("it is left");
    for opening in 0..3 {
        let journal = open(&path);
        assert_eq!(crashes(&journal, "poison"), 1, "opening {opening}");
        assert_eq!(journal.opening().crashed, u64::from(opening == 0), "opening {opening}");
        drop(journal);
        // As if the process had been killed after it counted and before it took the marks away.
        fs::write(&lock, &marks).expect("writable");
    }
}

#[test]
fn crash_in_which_a_task_did_not_run_ends_its_row() {
    let (_folder, path) = place();
    for (poison, expected) in [("a", [1, 0]), ("a", [2, 0]), ("b", [0, 1]), ("b", [0, 2]), ("a", [1, 0])] {
        start(&path, None, &[("GRISTMILL_POISON", poison)]).wait().expect("it ends");
        // Now, and after an end in order.
        for _ in 0..2 {
            let journal = open(&path);
            assert_eq!(["a", "b"].map(|key| crashes(&journal, key)), expected, "{poison} crashed");
        }
    }
}

#[test]
fn tasks_that_were_marked_together_are_not_told_as_having_been_killed() {
    let (_folder, path) = place();
    start(&path, None, &[("GRISTMILL_LINE", "1")]).wait().expect("it ends");
    let journal = open(&path);
    assert_eq!((journal.opening().was_killed, journal.opening().crashed), (true, 0));
}
