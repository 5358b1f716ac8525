//! Lines of logs.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use crate::example::{Running, Tree, outcome};
use crate::support::{table, wordcount};

/// The lines and the exit status for a log in a file.
fn counted(field: &str, log: impl AsRef<[u8]>) -> (String, String, Option<i32>) {
    let tree = Tree::new();
    let mut command = wordcount(["--log", field, "-n", "0"]);
    command.arg(tree.file("log", log));
    outcome(command)
}

#[test]
fn levels_are_counted_by_whatever_name_they_have() {
    let log = "\
2026-01-02T03:04:05Z INFO wheel turns
2026-01-02T03:04:05Z [warning] sack is low
<3> err: no water
W: Warn of an error later in the line
information for you
nothing to see

terror is no level";
    let (stdout, stderr, status) = counted("level", log);
    assert_eq!(stdout, "      2 INFO\n      2 WARN\n      1 ERROR\n");
    let said = "wordcount: 5 lines with a level, 3 different; 2 without\n";
    assert_eq!((stderr.as_str(), status), (said, Some(0)));
}

const ACCESS: &str = "\
203.0.113.9 - - [02/Jan/2026:03:04:05 +0000] \"GET /mill?wheel=2 HTTP/1.1\" 200 5120 \"-\" \"agent\"
203.0.113.9 - - [02/Jan/2026:03:04:06 +0000] \"POST /mill HTTP/2.0\" 404 0
203.0.113.9 - - [02/Jan/2026:03:04:07 +0000] \"GET / HTTP/1.0\" 200 12\r
203.0.113.9 - - [02/Jan/2026:03:04:08 +0000] \"\" 400 0
203.0.113.9 - - [02/Jan/2026:03:04:09 +0000] \"not a request\" oops 0
no quotes
";

#[test]
fn paths_are_counted_without_their_queries() {
    let (stdout, stderr, _) = counted("path", ACCESS);
    assert_eq!(stdout, "      2 /mill\n      1 /\n");
    assert_eq!(stderr, "wordcount: 3 lines with a path, 2 different; 3 without\n");
}

#[test]
fn answers_are_counted_by_status() {
    let (stdout, stderr, _) = counted("status", ACCESS);
    assert_eq!(stdout, "      2 200\n      1 400\n      1 404\n");
    assert_eq!(stderr, "wordcount: 4 lines with a status, 3 different; 2 without\n");
}

#[test]
fn many_blocks_are_counted_as_in_a_loop() {
    // Lines of many lengths, so that the edges of blocks fall anywhere.
    let line = |index: u32| {
        let path = index.wrapping_mul(2_654_435_761) >> 24;
        format!("host \"GET /{path:x}?{} HTTP/1.1\" 200 1\n", "q".repeat(path as usize))
    };
    let log: String = (0..4000).map(line).collect();
    assert!(log.len() > 8 * 64 * 1024, "{} bytes", log.len());
    let expected =
        table((0..4000_u32).map(|index| format!("/{:x}", index.wrapping_mul(2_654_435_761) >> 24)));
    let tree = Tree::new();
    let path = tree.file("log", log);
    for workers in ["1", "2", "7"] {
        let mut command = wordcount(["--log", "path", "-n", "0", "--workers", workers]);
        command.arg(&path);
        assert!(outcome(command).0 == expected, "{workers} workers");
    }
}

#[test]
fn line_without_an_end_counts_once_by_its_beginning() {
    let mut log = b"INFO ".to_vec();
    log.extend_from_slice(&vec![b'x'; 3 << 20]);
    log.extend_from_slice(b" ERROR\nWARN last");
    assert_eq!(counted("level", log).0, "      1 INFO\n      1 WARN\n");
}

#[test]
fn files_and_standard_input_come_one_after_the_other_and_what_is_missing_is_named() {
    let tree = Tree::new();
    tree.file("one", "INFO\n");
    tree.file("two", "INFO\nERROR");
    let mut command = wordcount(["--log", "level", "one", "missing", "-", "two"]);
    command.current_dir(tree.root()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut run = Running::start(command);
    run.child().stdin.take().expect("it is piped").write_all(b"WARN\nWARN\nWARN").expect("it is read");
    let (stdout, stderr, status) = run.finish();
    assert_eq!(stdout, "      3 WARN\n      2 INFO\n      1 ERROR\n");
    let said = "\
wordcount: missing: No such file or directory
wordcount: 6 lines with a level, 3 different; 0 without
";
    assert_eq!((stderr.as_str(), status), (said, Some(1)));
}

#[test]
fn report_names_the_stages() {
    let tree = Tree::new();
    let mut command = wordcount(["--log", "level", "--report"]);
    command.arg(tree.file("log", "INFO"));
    let stderr = outcome(command).1;
    for stage in ["source", "count", "merge"] {
        assert!(stderr.lines().any(|line| line.starts_with(stage)), "{stage}: {stderr}");
    }
}

#[test]
fn memory_stays_bounded_on_a_long_stream() {
    let mut command = wordcount(["--log", "level", "--workers", "2"]);
    command.stdin(Stdio::piped());
    let mut run = Running::start(command);
    let mut stdin = run.child().stdin.take().expect("it is piped");
    let lines = "2026-01-02T03:04:05Z INFO the wheel turns and turns and turns\n".repeat(1000);
    let count = (24 << 20) / lines.len();
    for _ in 0..count {
        stdin.write_all(lines.as_bytes()).expect("it reads");
    }
    let status = fs::read_to_string(format!("/proc/{}/status", run.child().id()));
    drop(stdin);
    assert_eq!(run.finish().0, format!("{:>7} INFO\n", count * 1000));
    let Ok(status) = status else {
        println!("skipped: no /proc to read the peak from");
        return;
    };
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line with the peak");
    let peak: usize = line.split_whitespace().next().and_then(|it| it.parse().ok()).expect("a number of KiB");
    assert!(peak < 20 * 1024, "{peak} KiB at the peak");
}
