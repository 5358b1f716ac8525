//! Places that cannot be written: opening there says where and what helps, and changes nothing.
//!
//! The superuser may write what the modes forbid, so that a file system is mounted read-only in a namespace of its own, or the modes are looked at by
//! another user, in a child process: [`child`].

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use gristmill::journal::{Journal, JournalError, JournalErrorKind, Selection};

use crate::support::{open, place, record, run};

/// Neither the superuser nor anybody who owns something.
const NOBODY: u32 = 65_534;

/// What the child says of an opening.
fn said(what: &str, opened: Result<String, JournalError>) -> String {
    match opened {
        Ok(opened) => format!("> {what} opened {opened}"),
        Err(error) => {
            let is_whole = error.to_string().contains(&error.path().display().to_string())
                && error.to_string().ends_with(error.cure())
                && !error.cure().is_empty();
            format!("> {what} {:?} {is_whole} {} {error}", error.kind(), error.path().display())
        }
    }
}

/// Opens the paths that it is told, and salvages the first if it is told where to. Does nothing unless it is started by a test.
#[test]
fn child() {
    let Some(paths) = std::env::var_os("GRISTMILL_READ_ONLY") else { return };
    let paths: Vec<_> = std::env::split_paths(&paths).collect();
    let mut lines = String::new();
    for path in &paths {
        let opened = Journal::open(path).map(|journal| journal.opening().records.to_string());
        writeln!(lines, "{}", said("open", opened)).expect("a string");
    }
    if let Some(to) = std::env::var_os("GRISTMILL_SALVAGED") {
        let (from, to) = (&paths[0], Path::new(&to));
        let salvaged = Journal::salvage(from, to).map(|salvaged| salvaged.entries.to_string());
        writeln!(lines, "{}", said("salvage", salvaged)).expect("a string");
    }
    println!("{lines}> end");
}

/// The child's lines, if it came to its end.
fn lines(mut command: Command) -> Result<Vec<String>, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let lines: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_once("> ").map(|(_, line)| line.to_owned()))
        .collect();
    if lines.last().is_some_and(|line| line == "end") {
        Ok(lines)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("it did not run").to_owned())
    }
}

fn skip(why: &str) {
    eprintln!("skipped: {why}");
}

/// Arguments that have this test's program run the child.
const CHILD: [&str; 3] = ["--exact", "read_only::child", "--nocapture"];

fn this_test() -> std::path::PathBuf {
    std::env::current_exe().expect("this test")
}

/// A command in a mount namespace of its own, in which `script` has run: its `$1` is the folder. Nothing is left of it afterwards.
fn in_namespace(script: &str, folder: &Path) -> Command {
    let mut command = Command::new("unshare");
    let is_root = fs::metadata("/proc/self").is_ok_and(|of| of.uid() == 0);
    command.arg(if is_root { "-m" } else { "-rm" });
    command.args(["sh", "-c", &format!("set -e\n{script}\nshift\nexec \"$@\""), "sh"]).arg(folder);
    command.arg(this_test()).args(CHILD);
    command
}

/// A line of the child about a refusal: that kind, that path, with a cure.
#[track_caller]
fn assert_refused(line: &str, what: &str, path: &Path) {
    let kinds = [JournalErrorKind::Place, JournalErrorKind::Io];
    let is_meant =
        kinds.iter().any(|kind| line.starts_with(&format!("{what} {kind:?} true {} ", path.display())));
    assert!(is_meant, "{}: {line}", path.display());
}

/// What the files of a folder hold.
fn contents(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path());
    let mut contents: Vec<_> =
        entries.map(|path| (path.clone(), fs::read(path).expect("readable"))).collect();
    contents.sort();
    contents
}

#[test]
fn read_only_directory_is_refused_with_a_journal_and_without_and_after_a_kill() {
    let (source, path) = place();
    record(&run(&open(&path)), ["a", "b"]);
    let mounted = tempfile::tempdir().expect("a directory");
    // As a killed process leaves it: with its log and its lock.
    let killed = source.path().join("killed.journal");
    let journal = open(&killed);
    record(&run(&journal), ["a", "b"]);
    for end in ["", "-wal", ".lock"] {
        let name = |stem: &str| source.path().join(format!("{stem}.journal{end}"));
        fs::copy(name("killed"), name("left")).expect("writable");
    }
    drop(journal);
    let new = mounted.path().join("new.journal");
    let [closed, left] = ["batch.journal", "left.journal"].map(|name| mounted.path().join(name));
    let script = format!(
        "mount -t tmpfs none \"$1\"\ncp -a '{}'/. \"$1\"\nmount -o remount,ro \"$1\"\n[ ! -w \"$1\" ]",
        source.path().display()
    );
    let mut command = in_namespace(&script, mounted.path());
    command.env("GRISTMILL_READ_ONLY", std::env::join_paths([&closed, &new, &left]).expect("no colons"));
    command.env("GRISTMILL_SALVAGED", source.path().join("salvaged.journal"));
    let lines = match lines(command) {
        Ok(lines) => lines,
        Err(why) => return skip(&format!("no read-only file system: {why}")),
    };
    for (line, path) in lines.iter().zip([&closed, &new, &left]) {
        assert_refused(line, "open", path);
    }
    // Whether somebody has it open cannot be told there: it is to be copied to a place where that can.
    assert_refused(&lines[3], "salvage", &closed);
}

#[test]
fn journal_that_is_mounted_read_only_is_refused_and_left_as_it_is() {
    let (folder, path) = place();
    record(&run(&open(&path)), ["a", "b"]);
    let _ = fs::remove_file(folder.path().join("batch.journal.lock"));
    let before = contents(folder.path());
    let new = folder.path().join("new.journal");
    let script = "file=\"$1/batch.journal\"\nmount --bind \"$file\" \"$file\"\nmount -o remount,bind,ro \"$file\"\n[ ! -w \"$file\" ]";
    let mut command = in_namespace(script, folder.path());
    command.env("GRISTMILL_READ_ONLY", &path).env("GRISTMILL_SALVAGED", &new);
    let lines = match lines(command) {
        Ok(lines) => lines,
        Err(why) => return skip(&format!("no read-only file: {why}")),
    };
    assert_refused(&lines[0], "open", &path);
    let after: Vec<_> = contents(folder.path())
        .into_iter()
        .filter(|(path, _)| before.iter().any(|(old, _)| old == path))
        .collect();
    assert_eq!(after, before, "nothing was changed in it");
    assert_refused(&lines[1], "salvage", &path);
    for line in &lines[..2] {
        assert!(line.contains("Place") && line.contains("is read-only"), "{line}");
    }
    assert!(!new.exists());
}

#[test]
fn modes_that_forbid_to_write_are_told_to_who_they_count_for() {
    let (folder, path) = place();
    record(&run(&open(&path)), ["a", "b"]);
    let locked = tempfile::tempdir().expect("a directory");
    let inside = locked.path().join("batch.journal");
    fs::copy(&path, &inside).expect("writable");
    let set =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("own file");
    let is_root = fs::metadata("/proc/self").is_ok_and(|of| of.uid() == 0);
    // A file that can be read only, in a directory that can be written; and one that could be, in a directory that cannot.
    set(&path, 0o444);
    fs::remove_file(folder.path().join("batch.journal.lock")).expect("its own");
    set(folder.path(), if is_root { 0o777 } else { 0o755 });
    set(&inside, 0o666);
    set(locked.path(), 0o555);
    let unreadable = folder.path().join("unreadable.journal");
    fs::copy(&inside, &unreadable).expect("writable");
    set(&unreadable, 0o000);
    let new = locked.path().join("new.journal");
    let mut command = Command::new(this_test());
    if is_root {
        command.uid(NOBODY).gid(NOBODY);
    }
    let paths = [&path, &new, &inside, &unreadable];
    command.args(CHILD).env("GRISTMILL_READ_ONLY", std::env::join_paths(paths).expect("no colons"));
    command.env("GRISTMILL_SALVAGED", &new);
    let lines = lines(command);
    set(locked.path(), 0o755);
    set(&path, 0o644);
    match lines {
        Ok(lines) => {
            for (line, path) in lines.iter().zip(paths) {
                assert_refused(line, "open", path);
            }
            assert_refused(&lines[4], "salvage", &new);
            assert!(lines[0].contains("is read-only"), "{}", lines[0]);
        }
        Err(why) => skip(&format!("this test cannot be run as another user: {why}")),
    }
    let _ = fs::remove_file(folder.path().join("batch.journal.lock"));
    let journal = open(&path);
    assert_eq!(journal.entries(&Selection::all()).count(), 2, "with the right to write, it is as it was");
}

#[test]
fn file_systems_of_the_kernel_are_no_place() {
    for path in ["/proc/batch.journal", "/sys/batch.journal", "/proc/self/batch.journal", "/dev/null"] {
        if !Path::new(path).parent().is_some_and(Path::is_dir) {
            skip(&format!("there is no {path}"));
            continue;
        }
        let error = Journal::open(path).expect_err("nothing can be there");
        assert_eq!(error.path(), Path::new(path));
        assert!(matches!(error.kind(), JournalErrorKind::Place | JournalErrorKind::Io), "{error}");
        let text = error.to_string();
        assert!(text.contains(path) && text.ends_with(error.cure()) && !error.cure().is_empty(), "{error}");
        assert!(!text.contains('\n'), "{error}");
    }
}
