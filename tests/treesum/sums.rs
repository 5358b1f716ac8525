//! What is hashed, in which order, and how its line looks.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, OFlags, mkdirat, mknodat, openat};

use crate::example::program;
use crate::support::{Running, Tree, many_files, outcome, tool, treesum};

const SHA256_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const SHA256_OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// Every regular file below, in the order that is promised.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> =
        fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort_by(|left, right| left.as_os_str().as_bytes().cmp(right.as_os_str().as_bytes()));
    let files_at = |path: PathBuf| match path.symlink_metadata().expect("an entry").file_type() {
        kind if kind.is_dir() => files_below(&path),
        kind if kind.is_file() => vec![path],
        _ => Vec::new(),
    };
    entries.into_iter().flat_map(files_at).collect()
}

/// What `sha256sum` prints for these files.
fn reference_lines(files: &[PathBuf]) -> Option<String> {
    let mut sha256sum = tool("sha256sum")?;
    sha256sum.arg("--").args(files);
    Some(outcome(sha256sum).0)
}

/// Names, sizes and shapes that have tripped programs up.
fn difficult_tree() -> Tree {
    let tree = Tree::new();
    for name in [
        "plain",
        " leading blank",
        "trailing ",
        "-n",
        "a\nb",
        "a\\b",
        "a\rb",
        "tab\there",
        "é",
        "\n",
        "#",
        "*star",
    ] {
        tree.file(name, name);
        tree.file(format!("below/{name}/{name}"), name);
    }
    tree.file(b"\xff\xfe not UTF-8", "1");
    tree.file(b"dir \xff/\xfe", "2");
    tree.file("empty", "");
    for size in [1, 55, 56, 63, 64, 65, 128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, 1_000_003] {
        tree.file(format!("sizes/{size}"), vec![b'x'; size]);
    }
    // Between `dir` and `dir/..` in a plain sort of whole paths.
    tree.file("dir.with.suffix", "3");
    tree.file("dir/inside", "4");
    tree.file("dir-dash", "5");
    tree.directory("nothing here/nor here");
    tree.file("d/".repeat(200) + "deep", "6");
    tree
}

#[test]
fn lines_are_those_of_sha256sum_in_walk_order() {
    let tree = difficult_tree();
    let files = files_below(tree.root());
    let (stdout, stderr, status) = outcome(treesum([tree.root()]));
    assert_eq!((stderr.as_str(), status), ("", Some(0)));
    assert_eq!(stdout.lines().count(), files.len());
    if let Some(expected) = reference_lines(&files) {
        assert_eq!(stdout, expected);
    }
}

#[test]
fn files_are_those_that_find_finds() {
    let tree = difficult_tree();
    let Some(mut find) = tool("find") else { return };
    let found = find.arg(tree.root()).args(["-type", "f", "-print0"]).output().expect("find runs").stdout;
    let mut found: Vec<_> = found.split(|&byte| byte == 0).filter(|name| !name.is_empty()).collect();
    found.sort_unstable();
    let files = files_below(tree.root());
    let mut files: Vec<_> = files.iter().map(|path| path.as_os_str().as_bytes()).collect();
    files.sort_unstable();
    assert_eq!(files, found, "the oracle of this file agrees with find");
}

#[test]
fn output_does_not_depend_on_workers_or_window() {
    let tree = difficult_tree();
    let expected = outcome(treesum([tree.root()]));
    for workers in ["1", "2", "7"] {
        for window in ["1", "2", "3", "1000"] {
            let mut command = treesum(["--workers", workers, "--window", window]);
            command.arg(tree.root());
            assert_eq!(outcome(command), expected, "{workers} workers, a window of {window}");
        }
    }
}

#[test]
fn unordered_run_prints_the_same_lines() {
    let tree = difficult_tree();
    let sorted = |arguments: &[&str]| {
        let mut command = treesum(arguments);
        let (stdout, _, status) = outcome({
            command.arg(tree.root());
            command
        });
        let mut lines: Vec<_> = stdout.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        (lines, status)
    };
    assert_eq!(sorted(&["--unordered", "--workers", "3"]), sorted(&[]));
}

#[test]
fn known_answers_are_right() {
    let tree = Tree::new();
    tree.file("1", "");
    tree.file("2", "abc");
    let mut command = treesum::<[&str; 0]>([]);
    command.current_dir(tree.root());
    let expected = format!("{SHA256_OF_NOTHING}  ./1\n{SHA256_OF_ABC}  ./2\n");
    assert_eq!(outcome(command), (expected, String::new(), Some(0)), "the default is the current directory");
}

#[test]
fn paths_are_named_as_they_were_given() {
    let tree = Tree::new();
    tree.file("d/f", "abc");
    let mut command = treesum(["d/f", "d", "d/", "./d//", "d/f"]);
    command.current_dir(tree.root());
    let names = ["d/f", "d/f", "d/f", "./d//f", "d/f"];
    let expected = names.map(|name| format!("{SHA256_OF_ABC}  {name}\n")).concat();
    assert_eq!(outcome(command), (expected, String::new(), Some(0)));
}

#[test]
fn empty_directory_prints_nothing() {
    let tree = Tree::new();
    assert_eq!(outcome(treesum([tree.root()])), (String::new(), String::new(), Some(0)));
}

#[test]
fn links_and_special_files_are_passed_over() {
    let tree = Tree::new();
    let file = tree.file("file", "abc");
    symlink(&file, tree.path("link to file")).expect("a link");
    symlink(tree.root(), tree.path("link to directory")).expect("a link");
    symlink("nowhere", tree.path("broken link")).expect("a link");
    tree.pipe("pipe");
    // Not by binding one, whose path may not be longer than a hundred bytes.
    mknodat(CWD, tree.path("socket"), FileType::Socket, Mode::from_raw_mode(0o600), 0).expect("a socket");
    let expected = format!("{SHA256_OF_ABC}  {}\n", file.display());
    assert_eq!(outcome(treesum([tree.root()])), (expected, String::new(), Some(0)));
    for name in ["link to file", "link to directory", "broken link", "pipe", "socket"] {
        let given = outcome(treesum([tree.path(name)]));
        assert_eq!(given, (String::new(), String::new(), Some(0)), "{name} on the command line");
    }
}

#[test]
fn missing_path_is_named_and_the_rest_goes_on() {
    let tree = Tree::new();
    tree.file("there", "abc");
    let names = [
        "missing",
        "there",
        "",
        "two words",
        "it's",
        "new\nline",
        "a:b",
        "there/below",
        "[é]",
        "$HOME",
        "\u{1}",
        "a\tb'\u{1b}c",
    ];
    let run = |mut command: Command| {
        command.args(["--"]).args(names).current_dir(tree.root());
        outcome(command)
    };
    let (stdout, stderr, status) = run(treesum::<[&str; 0]>([]));
    assert_eq!((stdout.as_str(), status), (format!("{SHA256_OF_ABC}  there\n").as_str(), Some(1)));
    assert!(stderr.starts_with("treesum: missing: No such file or directory\n"), "{stderr}");
    assert_eq!(stderr.lines().count(), names.len() - 1);
    if let Some(sha256sum) = tool("sha256sum") {
        assert_eq!((stdout, stderr, status), run(sha256sum));
    }
}

#[test]
fn file_that_fails_while_being_read_is_named() {
    // Opens, is a regular file, and fails at its first read.
    let unreadable = "/proc/self/mem";
    if !Path::new(unreadable).exists() {
        println!("skipped: no {unreadable}");
        return;
    }
    let (stdout, stderr, status) = outcome(treesum([unreadable]));
    assert_eq!((stdout.as_str(), status), ("", Some(1)));
    assert_eq!(stderr, "treesum: /proc/self/mem: Input/output error\n");
}

#[test]
fn what_may_not_be_read_is_named() {
    let tree = Tree::new();
    let program_copy = tree.path("program");
    // By another process: a child that another test has just forked would keep the copy open for writing, and it could not be started.
    let copied = Command::new("cp").arg(program("treesum")).arg(&program_copy).status();
    assert!(copied.expect("cp is there").success(), "a copy that other users may run");
    let closed =
        |path: PathBuf| fs::set_permissions(path, fs::Permissions::from_mode(0o000)).expect("own file");
    tree.file("tree/1", "abc");
    closed(tree.file("tree/2", "secret"));
    tree.file("tree/3/inside", "unreachable");
    closed(tree.path("tree/3"));
    tree.file("tree/4", "abc");
    let run = |program: &Path, names: &[&str]| {
        let mut command = Command::new(program);
        command.args(names).env("LC_ALL", "C.UTF-8").current_dir(tree.root());
        if rustix::process::geteuid().is_root() {
            // No permission stops root, so somebody else runs it.
            command.uid(65534).gid(65534);
        }
        outcome(command)
    };
    let result = run(&program_copy, &["tree"]);
    let expected = format!("{SHA256_OF_ABC}  tree/1\n{SHA256_OF_ABC}  tree/4\n");
    let message = "treesum: tree/2: Permission denied\ntreesum: tree/3: Permission denied\n".to_owned();
    assert_eq!(result, (expected, message, Some(1)));
    if tool("sha256sum").is_some() {
        assert_eq!(result, run(Path::new("sha256sum"), &["tree/1", "tree/2", "tree/3", "tree/4"]));
    }
    fs::set_permissions(tree.path("tree/3"), fs::Permissions::from_mode(0o755)).expect("own directory");
}

#[test]
fn file_that_vanishes_during_the_walk_is_named() {
    let tree = Tree::new();
    let files = many_files(&tree);
    let mut command = treesum(["--window", "16"]);
    command.arg(tree.root());
    let mut run = Running::start(command);
    run.read_line();
    // The directory has been read, and the last file is not opened before most lines have been read from the pipe.
    let last = files.last().expect("files");
    fs::remove_file(last).expect("own file");
    let (stdout, stderr, status) = run.finish();
    assert_eq!(stdout.lines().count(), files.len() - 2);
    assert_eq!(stderr, format!("treesum: {}: No such file or directory\n", last.display()));
    assert_eq!(status, Some(1));
}

#[test]
fn deep_tree_needs_few_open_files() {
    let tree = Tree::new();
    tree.file("d/".repeat(500) + "deep", "abc");
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 32 && exec \"$0\" --workers 2 \"$1\""])
        .arg(program("treesum"))
        .arg(tree.root());
    let (stdout, stderr, status) = outcome(command);
    assert_eq!((stdout.lines().count(), stderr.as_str(), status), (1, "", Some(0)));
}

#[test]
fn path_too_long_for_the_system_is_named() {
    let tree = Tree::new();
    tree.file("a", "abc");
    tree.file("z", "abc");
    let name = "d".repeat(200);
    let mut directory = OwnedFd::from(File::open(tree.root()).expect("own directory"));
    for _ in 0..25 {
        mkdirat(&directory, &name, Mode::RWXU).expect("a new directory");
        directory = openat(&directory, &name, OFlags::DIRECTORY, Mode::empty()).expect("the new directory");
    }
    let (stdout, stderr, status) = outcome(treesum([tree.root()]));
    assert_eq!((stdout.lines().count(), status), (2, Some(1)));
    assert!(stderr.ends_with(": File name too long\n") && stderr.lines().count() == 1, "{stderr}");
}
