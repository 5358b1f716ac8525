//! Progress bars of pipelines and pools: the counts at every moment and at the end, on whatever they are drawn.
#![cfg(not(any(gristmill_shuttle, gristmill_loom, gristmill_model_std)))]
#![allow(clippy::unwrap_used)] // helpers are test code too
#![allow(clippy::disallowed_methods)] // real threads, clocks and unbounded channels of tests are not the library's

#[path = "support/gate.rs"]
mod gate;

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use gristmill::pipeline::PipelineMonitor;
use gristmill::{CancelOutcome, CancellationToken, Pipeline, Progress, ThreadPool};
use indicatif::{InMemoryTerm, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::gate::{Gate, LONG, ended};

fn hidden() -> ProgressBar {
    ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
}

/// A bar that shows its counts on a terminal in memory.
fn in_memory() -> (ProgressBar, InMemoryTerm) {
    let terminal = InMemoryTerm::new(10, 80);
    let bar = ProgressBar::with_draw_target(
        None,
        ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255),
    );
    bar.set_style(ProgressStyle::with_template("{msg}{pos} of {len}").unwrap());
    (bar, terminal)
}

/// Waits until it is so.
fn until(what: impl Fn() -> bool) {
    let limit = Instant::now() + LONG;
    while !what() {
        assert!(Instant::now() < limit, "it never comes true");
        std::thread::yield_now();
    }
}

#[test]
fn bar_of_a_pipeline_shows_what_has_left_of_what_the_source_will_give() {
    let (bar, terminal) = in_memory();
    let monitor = PipelineMonitor::new();
    let shown = Progress::of_pipeline(&monitor, &bar).unwrap();
    let (open, opened) = mpsc::channel::<()>();
    let seen = bar.clone();
    let report = std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            Pipeline::from_slice(&[0; 10])
                .workers(2)
                .window(2)
                .monitored_by(&monitor)
                .for_each("sink", move |_| _ = opened.recv())
                .run(&CancellationToken::new())
        });
        for finished in 0..10 {
            // Items in flight are not done, however far they have come.
            until(|| monitor.snapshot().finished() == finished && seen.length() == Some(10));
            assert!(seen.position() <= finished);
            until(|| seen.position() == finished && terminal.contents() == format!("{finished} of 10"));
            open.send(()).unwrap();
        }
        run.join().unwrap().unwrap()
    });
    assert!(!bar.is_finished());
    shown.stop().unwrap();
    assert_eq!(
        (report.finished(), bar.position(), bar.length(), bar.is_finished()),
        (10, 10, Some(10), true)
    );
    assert_eq!(terminal.contents(), "10 of 10");
}

#[test]
fn items_that_are_dropped_on_the_way_are_done_too() {
    let (bar, monitor) = (hidden(), PipelineMonitor::new());
    let shown = Progress::of_pipeline(&monitor, &bar).unwrap();
    Pipeline::from_iter(0..1000)
        .monitored_by(&monitor)
        .filter("even", |number| number % 2 == 0)
        .flat_map("twice", |number| [number; 2])
        .batch(7)
        .for_each("sink", drop)
        .run(&CancellationToken::new())
        .unwrap();
    drop(shown);
    assert_eq!((bar.position(), bar.length()), (1000, Some(1000)));
}

#[test]
fn run_that_ends_early_leaves_the_bar_where_it_was() {
    for cancels in [false, true] {
        let (bar, terminal) = in_memory();
        let (monitor, token) = (PipelineMonitor::new(), CancellationToken::new());
        let shown = Progress::of_pipeline(&monitor, &bar).unwrap();
        let outcome = Pipeline::from_iter(0..1000)
            .monitored_by(&monitor)
            .try_for_each("sink", |number| match number {
                300 if cancels => {
                    token.cancel();
                    Ok(())
                }
                300 => Err("bad"),
                _ => Ok(()),
            })
            .run(&token);
        drop(shown);
        let error = outcome.unwrap_err();
        let expected = if cancels { 301 } else { 300 };
        assert_eq!((error.report().finished(), bar.position()), (expected, expected));
        assert_eq!((bar.length(), bar.is_finished()), (Some(1000), true));
        assert_eq!(terminal.contents(), format!("{expected} of 1000"));
    }
}

#[test]
fn time_of_the_bar_begins_anew_with_each_run_that_the_monitor_is_given() {
    let (bar, monitor) = (hidden(), PipelineMonitor::new());
    let run = |items: u64, wait: mpsc::Receiver<()>| {
        let run = Pipeline::from_iter(0..items).workers(1).window(1).monitored_by(&monitor);
        run.for_each("sink", move |_| _ = wait.recv()).run(&CancellationToken::new()).unwrap();
    };
    let (open, opened) = mpsc::channel();
    drop(open);
    run(7, opened);
    let shown = Progress::of_pipeline(&monitor, &bar).unwrap();
    until(|| (bar.position(), bar.length()) == (7, Some(7)));
    let between = Instant::now();
    std::thread::scope(|scope| {
        let (open, opened) = mpsc::channel();
        scope.spawn(move || run(10, opened));
        until(|| (bar.position(), bar.length()) == (0, Some(10)));
        let elapsed = bar.elapsed();
        assert!(elapsed <= between.elapsed(), "{elapsed:?}, though the second run began later");
        drop(open);
    });
    shown.stop().unwrap();
    assert_eq!((bar.position(), bar.length()), (10, Some(10)));
}

#[test]
fn time_of_the_bar_begins_with_a_run_and_goes_on_as_long_as_that_does() {
    const HOUR: Duration = Duration::from_secs(3600);
    let bar = hidden().with_elapsed(HOUR);
    let monitor = PipelineMonitor::new();
    let shown = Progress::of_pipeline(&monitor, &bar).unwrap();
    let (open, opened) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let run = Pipeline::from_iter(0..10).workers(1).window(1).monitored_by(&monitor);
            run.for_each("sink", move |_| _ = opened.recv()).run(&CancellationToken::new()).unwrap();
        });
        until(|| bar.length() == Some(10));
        assert!(bar.elapsed() < HOUR, "the run has just begun");
        // The next looks are at the same run: were the time to begin anew at one of them, this hour would be gone.
        drop(bar.clone().with_elapsed(HOUR));
        open.send(()).unwrap();
        until(|| bar.position() == 1);
        assert!(bar.elapsed() >= HOUR);
        drop(open);
    });
    shown.stop().unwrap();
    assert_eq!((bar.position(), bar.length()), (10, Some(10)));
}

#[test]
fn unknown_length_stays_what_the_user_says() {
    for length in [None, Some(50)] {
        let (bar, monitor) = (hidden(), PipelineMonitor::new());
        if let Some(length) = length {
            bar.set_length(length);
        }
        let shown = Progress::of_pipeline(&monitor, &bar).unwrap();
        let source = (0..40).filter(|_| true);
        let run = Pipeline::from_iter(source).monitored_by(&monitor).for_each("sink", drop);
        run.run(&CancellationToken::new()).unwrap();
        drop(shown);
        assert_eq!((bar.position(), bar.length()), (40, length));
    }
}

#[test]
fn bar_of_a_run_that_never_came_is_left_at_its_place() {
    let bar = hidden().with_position(7);
    bar.set_length(9);
    let monitor = PipelineMonitor::new();
    drop(Progress::of_pipeline(&monitor, &bar).unwrap());
    assert_eq!((bar.position(), bar.length(), bar.is_finished()), (7, Some(9), true));
}

#[test]
fn bar_of_a_pool_shows_ended_of_accepted_tasks_however_they_ended() {
    let (bar, terminal) = in_memory();
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    let shown = Progress::of_pool(&pool, &bar).unwrap();
    let (gate, pass) = Gate::new();
    let held = pool.submit(pass).unwrap();
    gate.wait();
    let tasks = [pool.submit(|| ()).unwrap(), pool.submit(|| panic!("bad")).unwrap()];
    let cancelled = pool.submit(|| ()).unwrap();
    assert_eq!(cancelled.cancel(), CancelOutcome::Prevented);
    until(|| (bar.position(), bar.length()) == (1, Some(4)) && terminal.contents() == "1 of 4");
    gate.open();
    ended(held).unwrap();
    let [fine, bad] = tasks;
    ended(fine).unwrap();
    ended(bad).unwrap_err();
    shown.stop().unwrap();
    assert_eq!((bar.position(), bar.length(), bar.is_finished()), (4, Some(4), true));
    assert_eq!(terminal.contents(), "4 of 4");
}

#[test]
fn bar_of_a_scoped_pool_may_live_longer_than_what_its_tasks_borrow() {
    let bar = hidden();
    let shown = {
        let words = ["grist".to_owned(), "mill".to_owned()];
        ThreadPool::scope(|pool| {
            let shown = Progress::of_pool(pool, &bar).unwrap();
            for word in &words {
                drop(pool.submit(|| word.len()).unwrap());
            }
            shown
        })
        .unwrap()
    };
    shown.stop().unwrap();
    assert_eq!((bar.position(), bar.length()), (2, Some(2)));
}

#[test]
fn bars_of_a_multi_progress_are_drawn_together() {
    let terminal = InMemoryTerm::new(10, 80);
    let bars = MultiProgress::with_draw_target(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
    let style = ProgressStyle::with_template("{msg}: {pos}/{len}").unwrap();
    let add = |name| bars.add(ProgressBar::no_length().with_style(style.clone()).with_message(name));
    let (first, second) = (add("files"), add("tasks"));
    let monitor = PipelineMonitor::new();
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    let shown =
        (Progress::of_pipeline(&monitor, &first).unwrap(), Progress::of_pool(&pool, &second).unwrap());
    let run = Pipeline::from_iter(0..3).monitored_by(&monitor).for_each("sink", drop);
    run.run(&CancellationToken::new()).unwrap();
    ended(pool.submit(|| ()).unwrap()).unwrap();
    drop(shown);
    assert_eq!(terminal.contents(), "files: 3/3\ntasks: 1/1");
}

#[test]
fn bar_that_its_user_has_finished_is_left_alone() {
    let (bar, terminal) = in_memory();
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    bar.finish_and_clear();
    let shown = Progress::of_pool(&pool, &bar).unwrap();
    ended(pool.submit(|| ()).unwrap()).unwrap();
    shown.stop().unwrap();
    assert_eq!((terminal.contents().as_str(), bar.length()), ("", None));
    // And what should be there instead can be said at the end.
    let (bar, terminal) = in_memory();
    Progress::of_pool(&pool, &bar).unwrap().stop().unwrap();
    assert_eq!(terminal.contents(), "1 of 1");
    bar.finish_and_clear();
    assert_eq!(terminal.contents(), "");
}

/// Set where this file runs itself again, to be looked at from outside.
const CHILD: &str = "GRISTMILL_PROGRESS_CHILD";

fn on_standard_error() {
    let (bar, monitor) = (ProgressBar::no_length(), PipelineMonitor::new());
    bar.set_style(ProgressStyle::with_template("ground {pos}/{len}").unwrap());
    let shown = Progress::of_pipeline(&monitor, &bar).unwrap();
    let run = Pipeline::from_iter(0..7).monitored_by(&monitor).for_each("sink", drop);
    run.run(&CancellationToken::new()).unwrap();
    shown.stop().unwrap();
}

#[test]
fn bar_on_standard_error_is_drawn_on_a_terminal_and_writes_no_byte_elsewhere() {
    if std::env::var_os(CHILD).is_some() {
        return on_standard_error();
    }
    let name = "bar_on_standard_error_is_drawn_on_a_terminal_and_writes_no_byte_elsewhere";
    let child = |stderr: Stdio| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", name, "--nocapture"]).env(CHILD, "1").env("TERM", "xterm");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        command
    };
    let piped = child(Stdio::piped()).output().unwrap();
    assert_eq!((piped.status.success(), piped.stderr.as_slice()), (true, [].as_slice()));
    #[cfg(target_os = "linux")]
    {
        let (mut screen, terminal) = terminal();
        // The command keeps its end until it is dropped.
        let status = { child(terminal).status().unwrap() };
        let mut drawn = Vec::new();
        // The other end is closed with the child: after what was written that looks like an error here.
        let _ = screen.read_to_end(&mut drawn);
        let drawn = String::from_utf8_lossy(&drawn);
        assert!(status.success() && drawn.contains("ground 7/7"), "{drawn:?}");
    }
}

/// A pseudoterminal: the side to read from, and the side to write to.
#[cfg(target_os = "linux")]
fn terminal() -> (File, Stdio) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let path = ptsname(&screen, Vec::new()).unwrap();
    let terminal = File::options().read(true).write(true).open(path.to_str().unwrap()).unwrap();
    (File::from(screen), Stdio::from(terminal))
}
