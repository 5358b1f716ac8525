//! Which files appear, stay and go.

use std::fs::{self, FileTimes};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

use crate::example::{Tree, outcome};
use crate::support::{decompressed, member, pgzip, prose, with_input};

/// What lies in a tree, by name.
fn names(tree: &Tree) -> Vec<String> {
    let entries = fs::read_dir(tree.root()).expect("it is there");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Runs in the tree, so that messages name short paths.
fn run(tree: &Tree, arguments: &[&str]) -> (String, String, Option<i32>) {
    let mut command = pgzip(arguments);
    command.current_dir(tree.root());
    outcome(command)
}

const DONE: (&str, &str, Option<i32>) = ("", "", Some(0));

fn as_str(outcome: &(String, String, Option<i32>)) -> (&str, &str, Option<i32>) {
    (&outcome.0, &outcome.1, outcome.2)
}

#[test]
fn files_are_replaced_by_compressed_ones_and_back() {
    let tree = Tree::new();
    tree.file("one", "1");
    tree.file("two.txt", prose(1000));
    assert_eq!(as_str(&run(&tree, &["one", "two.txt"])), DONE);
    assert_eq!(names(&tree), ["one.gz", "two.txt.gz"]);
    assert_eq!(decompressed(&fs::read(tree.path("one.gz")).expect("readable")), b"1");
    assert_eq!(as_str(&run(&tree, &["-d", "one.gz", "two.txt.gz"])), DONE);
    assert_eq!(names(&tree), ["one", "two.txt"]);
    assert_eq!(fs::read(tree.path("two.txt")).expect("readable"), prose(1000));
}

#[test]
fn keep_and_stdout_keep_the_file() {
    let tree = Tree::new();
    tree.file("text", "grist");
    assert_eq!(as_str(&run(&tree, &["-k", "text"])), DONE);
    assert_eq!(names(&tree), ["text", "text.gz"]);
    let (stdout, stderr, status) = run(&tree, &["-dc", "text.gz"]);
    assert_eq!((stdout.as_str(), stderr.as_str(), status), ("grist", "", Some(0)));
    assert_eq!(names(&tree), ["text", "text.gz"]);
}

#[test]
fn several_files_to_stdout_are_members_behind_each_other() {
    let tree = Tree::new();
    tree.file("a", "one ");
    tree.file("b", "two");
    let mut command = pgzip(["-c", "a", "b"]);
    let output = command.current_dir(tree.root()).output().expect("it runs");
    assert_eq!(decompressed(&output.stdout), b"one two");
}

#[test]
fn dash_is_standard_input_and_goes_to_standard_output() {
    let (compressed, stderr, status) = with_input(pgzip(["-"]), b"grist");
    assert_eq!((decompressed(&compressed), stderr.as_str(), status), (b"grist".to_vec(), "", Some(0)));
}

#[test]
fn tgz_is_a_compressed_tar() {
    let tree = Tree::new();
    tree.file("archive.tgz", member(b"tar"));
    assert_eq!(as_str(&run(&tree, &["-d", "archive.tgz"])), DONE);
    assert_eq!(names(&tree), ["archive.tar"]);
}

#[test]
fn new_file_keeps_mode_and_times() {
    let tree = Tree::new();
    let path = tree.file("text", "grist");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("own file");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = fs::File::options().write(true).open(&path).expect("own file");
    file.set_times(FileTimes::new().set_modified(time)).expect("own file");
    assert_eq!(as_str(&run(&tree, &["text"])), DONE);
    let metadata = fs::metadata(tree.path("text.gz")).expect("it is there");
    assert_eq!(
        (metadata.permissions().mode() & 0o777, metadata.modified().expect("it has one")),
        (0o640, time)
    );
}

#[test]
fn file_that_exists_is_overwritten_only_by_force() {
    let tree = Tree::new();
    tree.file("text", "new");
    tree.file("text.gz", "old");
    let refused = run(&tree, &["text"]);
    assert_eq!(as_str(&refused), ("", "pgzip: text: text.gz already exists; not overwritten\n", Some(2)));
    assert_eq!(fs::read(tree.path("text.gz")).expect("readable"), b"old");
    assert_eq!(as_str(&run(&tree, &["-f", "text"])), DONE);
    assert_eq!(names(&tree), ["text.gz"]);
    assert_eq!(decompressed(&fs::read(tree.path("text.gz")).expect("readable")), b"new");
}

#[test]
fn what_should_not_be_done_is_passed_over_and_the_rest_goes_on() {
    let tree = Tree::new();
    tree.file("text", "grist");
    tree.file("done.gz", member(b""));
    tree.directory("folder");
    symlink("text", tree.path("link")).expect("a new link");
    tree.pipe("pipe");
    let outcome = run(&tree, &["done.gz", "folder", "link", "pipe", "text"]);
    let expected = "\
pgzip: done.gz: already has a suffix of compressed files; left as it is
pgzip: folder: is a directory; left as it is
pgzip: link: is a symbolic link; left as it is
pgzip: pipe: is not a regular file; left as it is
";
    assert_eq!(as_str(&outcome), ("", expected, Some(2)));
    assert_eq!(names(&tree), ["done.gz", "folder", "link", "pipe", "text.gz"]);
    for name in ["text", "folder/.gz", ".tgz"] {
        tree.file(name, member(b""));
        let outcome = run(&tree, &["-d", name]);
        let expected = format!("pgzip: {name}: has no suffix of compressed files; left as it is\n");
        assert_eq!(as_str(&outcome), ("", expected.as_str(), Some(2)));
    }
}

#[test]
fn missing_file_is_said_and_counts_more_than_one_passed_over() {
    let tree = Tree::new();
    tree.file("text", "grist");
    tree.directory("folder");
    let outcome = run(&tree, &["missing", "folder", "", "text"]);
    let expected = "\
pgzip: missing: No such file or directory
pgzip: folder: is a directory; left as it is
pgzip: : No such file or directory
";
    assert_eq!(as_str(&outcome), ("", expected, Some(1)));
    assert_eq!(names(&tree), ["folder", "text.gz"]);
}

#[test]
fn folder_that_cannot_be_written_leaves_the_file() {
    let tree = Tree::new();
    let path = tree.file("folder/text", "grist");
    let folder = tree.path("folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).expect("own folder");
    let is_root = fs::write(folder.join("probe"), "").is_ok();
    let outcome = run(&tree, &["folder/text"]);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("own folder");
    if is_root {
        println!("skipped: this user may write everywhere");
        return;
    }
    assert_eq!(as_str(&outcome), ("", "pgzip: folder/text: folder/text.gz: Permission denied\n", Some(1)));
    assert_eq!(fs::read(path).expect("readable"), b"grist");
}
