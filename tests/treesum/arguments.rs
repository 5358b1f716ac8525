//! The command line: what it refuses, and what it says.

use crate::support::{Tree, outcome, treesum};

#[test]
fn bad_arguments_are_refused_with_status_2() {
    let bad: &[&[&str]] = &[
        &["--workers", "0"],
        &["--workers", "-1"],
        &["--workers", "two"],
        &["--workers", "18446744073709551616"],
        &["--workers", "1025"],
        &["--workers"],
        &["--window", "0"],
        &["--window", "18446744073709551615"],
        &["--timeout", "0"],
        &["--timeout", "-1"],
        &["--timeout", "NaN"],
        &["--timeout", "inf"],
        &["--timeout", "1e999"],
        &["--timeout", "soon"],
        &["--progress=sometimes"],
        &["--check", "list", "path"],
        &["--check"],
        &["--no-such-option"],
    ];
    for arguments in bad {
        let (stdout, stderr, status) = outcome(treesum(*arguments));
        assert_eq!((stdout.as_str(), status), ("", Some(2)), "{arguments:?}");
        assert!(stderr.starts_with("error: "), "{arguments:?}: {stderr}");
        assert!(
            stderr.contains(arguments[0].split('=').next().unwrap_or_default()),
            "{arguments:?}: {stderr}"
        );
    }
}

#[test]
fn limits_are_said() {
    let said = |arguments: [&str; 2]| outcome(treesum(arguments)).1;
    assert!(said(["--workers", "0"]).contains("must be a whole number from 1 to 1024"));
    assert!(said(["--window", "0"]).contains("must be a whole number from 1 to 1048576"));
    assert!(said(["--timeout", "-1"]).contains("must be a number of seconds greater than 0"));
}

#[test]
fn help_names_every_option_and_status() {
    let (stdout, stderr, status) = outcome(treesum(["--help"]));
    assert_eq!((stderr.as_str(), status), ("", Some(0)));
    let options =
        ["--check", "--workers", "--window", "--timeout", "--unordered", "--report", "--progress", "--help"];
    for option in options.into_iter().chain(["124", "130", "141", "143", "Symbolic links are not"]) {
        assert!(stdout.contains(option), "{option} is missing:\n{stdout}");
    }
}

#[test]
fn largest_values_work() {
    let tree = Tree::new();
    tree.file("file", "abc");
    let mut command = treesum(["--workers", "1024", "--window", "1048576", "--timeout", "1e18"]);
    command.arg(tree.root());
    let (stdout, stderr, status) = outcome(command);
    assert_eq!((stdout.lines().count(), stderr.as_str(), status), (1, "", Some(0)));
}

#[test]
fn path_may_look_like_an_option() {
    let tree = Tree::new();
    tree.file("--check", "abc");
    let mut command = treesum(["--", "--check"]);
    command.current_dir(tree.root());
    let (stdout, stderr, status) = outcome(command);
    assert!(stdout.ends_with("  --check\n"), "{stdout}");
    assert_eq!((stderr.as_str(), status), ("", Some(0)));
}
