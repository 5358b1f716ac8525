//! `--check` against `sha256sum --check`: verdicts, warnings, status, and every way in which a line can be wrong.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{Tree, outcome, readable, tool, treesum};

/// Of `abc`, the content of every file here.
const DIGEST: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn tree() -> Tree {
    let tree = Tree::new();
    for name in ["plain", "two words", "a\\b", "new\nline", "c\rr", "pa)ren", " blank", "*star", "it's"] {
        tree.file(name, "abc");
    }
    tree.file(b"\xff\xfe", "abc");
    tree.directory("directory");
    tree
}

fn check(tree: &Tree, list: &[u8]) -> (String, String, Option<i32>) {
    tree.file("list", list);
    let mut command = treesum(["--check", "list"]);
    command.current_dir(tree.root());
    outcome(command)
}

fn reference(tree: &Tree) -> Option<(String, String, Option<i32>)> {
    let mut command = tool("sha256sum")?;
    command.args(["--check", "list"]).current_dir(tree.root());
    Some(outcome(command))
}

/// `D` stands for the digest, `W` for a wrong one, `U` for the digest in capitals.
fn expand(line: &str) -> Vec<u8> {
    let wrong = "0".repeat(64);
    let expanded = line.replace('D', DIGEST).replace('W', &wrong).replace('U', &DIGEST.to_uppercase());
    // The one name here that is not UTF-8.
    expanded
        .replace("\u{fffd}", "\u{1}")
        .into_bytes()
        .iter()
        .flat_map(|&byte| match byte {
            1 => vec![0xff, 0xfe],
            _ => vec![byte],
        })
        .collect()
}

/// Lines alone in a list, malformed ones and ones that only look it.
const LINES: &[&str] = &[
    "D  plain",
    "U  plain",
    "D *plain",
    "D plain",
    "D\tplain",
    "D \tplain",
    "D  \tplain",
    "  D  plain",
    "\t D  plain",
    "W  plain",
    "W *plain",
    "W plain",
    "D  missing",
    "D  directory",
    "D  two words",
    "D  it's",
    "D  \u{fffd}",
    "D   blank",
    "D  *star",
    "D **star",
    "D  pa)ren",
    "D  plain ",
    "D  plain\r",
    "D  plain\r\r",
    // Escaped names, escapes that nobody writes, and backslashes that are none.
    "\\D  a\\\\b",
    "D  a\\b",
    "\\D  a\\b",
    "\\D  new\\nline",
    "\\W  new\\nline",
    "\\D  no\\nne",
    "\\D  c\\rr",
    "\\D  plain",
    "\\D  plain\\",
    "\\\\D  plain",
    " \\D  plain",
    "\\ D  plain",
    "D  \\plain",
    "\\D  \\x",
    // Tagged lines.
    "SHA256 (plain) = D",
    "SHA256 (plain) = U",
    "SHA256 (plain) = W",
    "SHA256(plain)=D",
    "SHA256 (plain)\t= \tD",
    "SHA256  (plain) = D",
    "SHA256 (pa)ren) = D",
    "SHA256 (plain = D",
    "SHA256 plain) = D",
    "SHA256 (plain) D",
    "SHA256 (plain) = D ",
    "SHA256 (plain) = D0",
    "SHA256 (plain) = 00",
    "SHA256 (plain) =",
    "SHA256 () = D",
    "sha256 (plain) = D",
    "SHA1 (plain) = D",
    "SHA512 (plain) = D",
    "SHA256",
    "SHA256 (",
    " SHA256 (plain) = D",
    "\\SHA256 (new\\nline) = D",
    "\\SHA256 (new\\line) = D",
    "SHA256 (new\\nline) = D",
    "SHA256 (two words) = W",
    // Not lines of a list.
    "",
    " ",
    "\r",
    "\r\r",
    "#",
    "# D  plain",
    " # D  plain",
    "#D  plain",
    "junk",
    "D",
    "D ",
    "D  ",
    "D *",
    "D\t",
    "  D",
    "D0  plain",
    "0D  plain",
    "gD  plain",
    "D-plain",
    "D- plain",
    "be78  plain",
    "D  pl\0ain",
    "D  plain\0",
    "\0",
    "\\D  pl\0ain",
    "D \0",
    "(plain) = D",
    "plain  D",
    "-",
    "D  -",
    "D -",
];

#[test]
fn each_line_alone_is_read_as_sha256sum_reads_it() {
    let tree = tree();
    if tool("sha256sum").is_none() {
        return;
    }
    for line in LINES {
        for end in ["\n", "", "\r\n"] {
            let list = [expand(line), end.into()].concat();
            assert_eq!(Some(check(&tree, &list)), reference(&tree), "{line:?} and {end:?}");
        }
    }
}

#[test]
fn each_line_after_another_is_read_as_sha256sum_reads_it() {
    let tree = tree();
    if tool("sha256sum").is_none() {
        return;
    }
    // What the first lines look like decides how later ones are read.
    for first in ["D  plain", "D plain", "SHA256 (plain) = D", "junk"] {
        let lines = std::iter::once(&first).chain(LINES);
        let list: Vec<u8> = lines.flat_map(|line| [expand(line), b"\n".into()].concat()).collect();
        assert_eq!(Some(check(&tree, &list)), reference(&tree), "after {first:?}");
    }
}

#[test]
fn verdicts_warnings_and_status_need_no_oracle() {
    let tree = tree();
    let list = expand("D  plain\nW  two words\nW  it's\nD  missing\njunk\n\\W  new\\nline\n");
    let stdout = "plain: OK\ntwo words: FAILED\nit's: FAILED\nmissing: FAILED open or read\n\
                  \\new\\nline: FAILED\n";
    let stderr = "treesum: missing: No such file or directory\n\
                  treesum: WARNING: 1 line is improperly formatted\n\
                  treesum: WARNING: 1 listed file could not be read\n\
                  treesum: WARNING: 3 computed checksums did NOT match\n";
    assert_eq!(check(&tree, &list), (stdout.into(), stderr.into(), Some(1)));
}

#[test]
fn malformed_lines_among_good_ones_do_not_fail_the_check() {
    let tree = tree();
    let (stdout, stderr, status) = check(&tree, &expand("junk\nD  plain\njunk\n"));
    assert_eq!((stdout.as_str(), status), ("plain: OK\n", Some(0)));
    assert_eq!(stderr, "treesum: WARNING: 2 lines are improperly formatted\n");
}

#[test]
fn list_without_a_line_fails() {
    let tree = tree();
    for list in ["", "\n", "# comment\n", "junk\n"] {
        let expected = "treesum: list: no properly formatted checksum lines found\n";
        assert_eq!(check(&tree, list.as_bytes()), (String::new(), expected.into(), Some(1)), "{list:?}");
    }
}

#[test]
fn list_that_cannot_be_read_is_said() {
    let tree = tree();
    for (list, message) in [("nowhere", "No such file or directory"), ("directory", "read error"), ("", "")] {
        let run = |mut command: Command| {
            command.args(["--check", list]).current_dir(tree.root());
            outcome(command)
        };
        if list.is_empty() {
            assert_eq!(run(treesum::<[&str; 0]>([])).2, Some(2), "an empty FILE is refused");
            continue;
        }
        let result = run(treesum::<[&str; 0]>([]));
        assert_eq!(result, (String::new(), format!("treesum: {list}: {message}\n"), Some(1)));
        if let Some(sha256sum) = tool("sha256sum") {
            assert_eq!(result, run(sha256sum));
        }
    }
}

#[test]
fn list_comes_from_standard_input() {
    let tree = tree();
    let run = |mut command: Command, list: &[u8]| {
        command.args(["--check", "-"]).current_dir(tree.root());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        child.stdin.take().expect("stdin is piped").write_all(list).expect("the list is read");
        readable(&child.wait_with_output().expect("the command ends"))
    };
    let good = expand("D  plain\nW  plain\n");
    let result = run(treesum::<[&str; 0]>([]), &good);
    assert_eq!((result.0.as_str(), result.2), ("plain: OK\nplain: FAILED\n", Some(1)));
    // Standard input holds the list, so it cannot be a file on it as well.
    for list in [good, expand("D  -\n"), expand("D  -\nD  plain\n"), expand("junk\n"), Vec::new()] {
        if let Some(sha256sum) = tool("sha256sum") {
            assert_eq!(run(treesum::<[&str; 0]>([]), &list), run(sha256sum, &list));
        }
    }
}

#[test]
fn listed_dash_is_standard_input() {
    let tree = tree();
    tree.file("list", expand("D  -\n"));
    let mut command = treesum(["--check", "list"]);
    command.current_dir(tree.root()).stdin(std::fs::File::open(tree.path("plain")).expect("a file"));
    assert_eq!(outcome(command), ("-: OK\n".into(), String::new(), Some(0)));
}

#[test]
fn own_output_checks() {
    let tree = tree();
    let mut sum = treesum(["."]);
    let sums = sum.current_dir(tree.root()).output().expect("it runs").stdout;
    let (stdout, stderr, status) = check(&tree, &sums);
    assert_eq!((stderr.as_str(), status), ("", Some(0)));
    assert_eq!(stdout.lines().filter(|line| line.ends_with(": OK")).count(), 10);
    if let Some(expected) = reference(&tree) {
        assert_eq!((stdout, stderr, status), expected);
    }
}

#[test]
fn verdicts_keep_the_order_of_the_list() {
    let tree = Tree::new();
    let mut list = Vec::new();
    let mut expected = String::new();
    for index in 0..500 {
        // Sizes that make neighbours end out of turn.
        tree.file(index.to_string(), vec![b'x'; if index % 7 == 0 { 300_000 } else { 1 }]);
        list.extend(expand(&format!("W  {index}\n")));
        expected.extend([&index.to_string(), ": FAILED\n"]);
    }
    assert_eq!(check(&tree, &list).0, expected);
}

#[test]
fn named_pipe_on_the_list_is_read() {
    let tree = Tree::new();
    let pipe = tree.pipe("pipe");
    tree.file("list", expand("D  pipe\n"));
    let mut command = treesum(["--check", "list"]);
    let child = command.current_dir(tree.root()).stdout(Stdio::piped()).spawn().expect("it starts");
    // Opening waits for the reader.
    std::fs::write(pipe, "abc").expect("somebody reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.stdout.as_slice(), output.status.code()), (&b"pipe: OK\n"[..], Some(0)));
}
