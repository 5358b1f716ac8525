//! Runs with `--journal` that are killed and started again: the bytes of one that was not, and no file is read again whose line was printed.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;

use crate::support::{Running, Tree, many_files, outcome, treesum};

/// Longer than a file has to be unchanged to be recorded.
const OLD: Duration = Duration::from_millis(50);

/// Returns when the file's times tell it from one that is changed from now on. Time is what it depends on, so that is what is waited for.
fn wait_until_old(file: &Path) {
    let metadata = fs::symlink_metadata(file).expect("it is there");
    let nanos = u32::try_from(metadata.ctime_nsec()).expect("below a second");
    let changed = Duration::new(u64::try_from(metadata.ctime()).expect("after 1970"), nanos);
    let is_old = || SystemTime::now() > SystemTime::UNIX_EPOCH + changed + OLD;
    while !is_old() {
        std::thread::yield_now();
    }
}

/// Many files, all of which can be recorded, and a journal that is not among them.
struct Job {
    tree: Tree,
    files: Vec<PathBuf>,
    beside: Tree,
}

impl Job {
    fn new() -> Self {
        let tree = Tree::new();
        let files = many_files(&tree);
        wait_until_old(files.last().expect("many"));
        Self { tree, files, beside: Tree::new() }
    }

    fn plain(&self) -> String {
        let (printed, said, status) = outcome(treesum([self.tree.root()]));
        assert_eq!((said.as_str(), status), ("", Some(0)));
        printed
    }

    fn command(&self) -> Command {
        let mut command = treesum(["--workers", "2", "--journal"]);
        command.arg(self.beside.path("sums.journal")).arg(self.tree.root());
        command
    }

    /// A run to its end: what it printed, and how many files it replayed and read.
    #[track_caller]
    fn finished(&self, arguments: &[&str]) -> (String, usize, usize) {
        let mut command = self.command();
        command.args(arguments);
        let (printed, said, status) = outcome(command);
        assert_eq!(status, Some(0), "{said}");
        let (replayed, read) = counts(&said);
        (printed, replayed, read)
    }
}

/// The two numbers of the report.
#[track_caller]
fn counts(said: &str) -> (usize, usize) {
    let report = said
        .strip_prefix("treesum: ")
        .and_then(|rest| rest.strip_suffix(" read and recorded\n"))
        .and_then(|rest| rest.split_once(" files replayed from the journal, "));
    let (replayed, read) = report.unwrap_or_else(|| panic!("no report: {said:?}"));
    (replayed.parse().expect("a number"), read.parse().expect("a number"))
}

#[test]
fn killed_run_prints_a_prefix_and_the_next_one_all_of_it_without_reading_again_what_was_printed() {
    let job = Job::new();
    let whole = job.plain();
    // More than a pipe holds is left: how many lines that is depends on how long the name of the temporary folder is.
    let late = whole[..whole.len() - 100_000].matches('\n').count();
    // At its start, early, in the midst, and late: one journal for all of them, and then one for each.
    for is_shared in [true, false] {
        let mut printed_before = 0;
        for lines in [0, 1, 400, 1500, late] {
            if !is_shared {
                for end in ["", "-wal", "-shm", ".lock"] {
                    let _ = fs::remove_file(job.beside.path(format!("sums.journal{end}")));
                }
            }
            let mut run = Running::start(job.command());
            let mut printed: String = (0..lines).map(|_| run.read_line()).collect();
            // Nobody reads on, and the rest does not fit into the pipe: it cannot have come to its end.
            run.signal(Signal::KILL);
            let (rest, said, status) = run.finish();
            assert_eq!((said.as_str(), status), ("", None), "killed after {lines} lines");
            printed += &rest;
            assert!(whole.starts_with(&printed), "killed after {lines} lines");
            let printed = printed.matches('\n').count();
            printed_before = if is_shared { printed.max(printed_before) } else { printed };
            if !is_shared {
                let (again, replayed, read) = job.finished(&[]);
                assert!(again == whole, "killed after {lines} lines");
                assert_eq!(replayed + read, job.files.len());
                assert!(replayed >= printed_before, "{replayed} replayed, and {printed_before} were printed");
            }
        }
        let (again, replayed, read) = job.finished(&[]);
        assert!(again == whole);
        assert_eq!(replayed + read, job.files.len());
        assert!(replayed >= printed_before, "{replayed} replayed, and {printed_before} were printed");
        let (again, replayed, read) = job.finished(&[]);
        assert_eq!((again == whole, replayed, read), (true, job.files.len(), 0));
    }
}

#[test]
fn changed_file_is_read_again_and_no_other() {
    let job = Job::new();
    let count = job.files.len();
    let (before, _, read) = job.finished(&[]);
    assert_eq!((before == job.plain(), read), (true, count));
    // Of the same length, and with the same time.
    let secret = &job.files[7];
    let modified = fs::metadata(secret).and_then(|metadata| metadata.modified()).expect("it is there");
    fs::write(secret, "X").expect("writable");
    File::options().write(true).open(secret).and_then(|file| file.set_modified(modified)).expect("own file");
    // Another file under the same name.
    let renamed = &job.files[70];
    fs::write(job.beside.path("new"), "70").expect("writable");
    fs::rename(job.beside.path("new"), renamed).expect("on one file system");
    // Longer, new, and gone.
    fs::write(&job.files[700], "another text").expect("writable");
    let new = job.tree.file("new", "new");
    fs::remove_file(&job.files[1700]).expect("removable");
    for file in [secret, renamed, &job.files[700], &new] {
        wait_until_old(file);
    }
    let (after, replayed, read) = job.finished(&[]);
    assert!(after == job.plain() && after != before);
    assert_eq!((replayed, read), (count - 4, 4));
    let (again, replayed, read) = job.finished(&[]);
    assert_eq!((again == after, replayed, read), (true, count, 0));
    // Back as it was, it is another state all the same.
    fs::write(secret, "7").expect("writable");
    wait_until_old(secret);
    let (again, replayed, read) = job.finished(&[]);
    assert_eq!((again == job.plain(), replayed, read), (true, count - 1, 1));
}

#[test]
fn paranoid_run_reads_all_and_records_it() {
    let job = Job::new();
    let count = job.files.len();
    let (first, ..) = job.finished(&[]);
    let (again, replayed, read) = job.finished(&["--paranoid"]);
    assert_eq!((again == first, replayed, read), (true, 0, count));
    // Killed in the midst, it has lost nothing.
    let mut command = job.command();
    command.arg("--paranoid");
    let mut run = Running::start(command);
    let printed: String = (0..500).map(|_| run.read_line()).collect();
    run.signal(Signal::KILL);
    assert_eq!(run.finish().2, None);
    assert!(first.starts_with(&printed));
    let (again, replayed, read) = job.finished(&[]);
    assert_eq!((again == first, replayed, read), (true, count, 0));
}

#[test]
fn journal_that_cannot_be_used_is_said() {
    let tree = Tree::new();
    tree.file("file", "abc");
    let journal = tree.file("sums.journal", "this is somebody's text and no journal\n".repeat(9));
    for (journal, why) in [(journal, "is not a journal"), (tree.path("none/sums.journal"), "directory")] {
        let mut command = treesum(["--journal"]);
        command.arg(&journal).arg(tree.root());
        let (printed, said, status) = outcome(command);
        assert_eq!((printed.as_str(), status), ("", Some(1)), "{said}");
        assert!(said.contains(&*journal.to_string_lossy()) && said.contains(why), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let (printed, said, status) = outcome(treesum(["--paranoid", "."]));
    assert_eq!((printed.as_str(), status), ("", Some(2)), "{said}");
}
