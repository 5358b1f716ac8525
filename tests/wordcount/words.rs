//! Words of files below a directory.

use crate::example::{Tree, outcome};
use crate::support::{PIECE, prose, table, wordcount, words};

/// Everything, however many threads count it.
fn counted(tree: &Tree, workers: &str) -> (String, String, Option<i32>) {
    let mut command = wordcount(["-n", "0", "--workers", workers]);
    command.arg(tree.root());
    outcome(command)
}

/// Holds the program to the plain loop over the same texts.
fn assert_as_in_a_loop(texts: &[&[u8]]) {
    let tree = Tree::new();
    for (index, text) in texts.iter().enumerate() {
        tree.file(format!("folder {}/{index}", index % 3), text);
    }
    let all: Vec<String> = texts.iter().flat_map(|text| words(text)).collect();
    let total = all.len();
    let expected = table(all);
    let said = format!("wordcount: {total} words, {} different\n", expected.lines().count());
    for workers in ["1", "2", "5"] {
        let (stdout, stderr, status) = counted(&tree, workers);
        assert!(stdout == expected, "{workers} workers");
        assert_eq!((stderr.as_str(), status), (said.as_str(), Some(0)), "{workers} workers");
    }
}

#[test]
fn many_files_are_counted_as_in_a_loop() {
    let large = prose(PIECE);
    let texts: Vec<_> = large.chunks(9973).collect();
    assert_as_in_a_loop(&texts);
}

#[test]
fn large_file_in_pieces_is_counted_as_in_a_loop() {
    assert_as_in_a_loop(&[&prose(2 * PIECE + 777)]);
}

#[test]
fn words_at_the_edge_of_a_piece_are_counted_once() {
    let texts: Vec<Vec<u8>> = (0..7)
        .map(|shift| {
            let mut text = vec![b'.'; PIECE - shift];
            text.extend_from_slice(b"one two three");
            text
        })
        .collect();
    assert_as_in_a_loop(&texts.iter().map(Vec::as_slice).collect::<Vec<_>>());
}

#[test]
fn word_longer_than_a_piece_is_one_word() {
    let mut text = b"before ".to_vec();
    text.extend_from_slice(&vec![b'a'; PIECE + PIECE / 2]);
    text.extend_from_slice(b" after");
    assert_as_in_a_loop(&[&text]);
}

#[test]
fn every_script_and_what_is_no_text_is_counted_as_in_a_loop() {
    assert_as_in_a_loop(&[
        "Mühle MÜHLE mühle, мельница Мельница; 水車—水車。ΜΎΛΟΣ".as_bytes(),
        "don't 'don't' DON'T ''' rock'n'roll it's".as_bytes(),
        b"latin1 m\xfchle \xff\xfe broken\xe6\xb0 \xe6\xb0\xb4 end",
        b"\0\0binary\0data\x7f",
        b"",
    ]);
}

#[test]
fn most_frequent_come_first_and_equal_ones_in_byte_order() {
    let tree = Tree::new();
    tree.file("text", "b a c b a d b");
    let printed = |top: &str| {
        let mut command = wordcount(["--top", top]);
        command.arg(tree.root());
        outcome(command).0
    };
    assert_eq!(printed("2"), "      3 b\n      2 a\n");
    assert_eq!(printed("0"), "      3 b\n      2 a\n      1 c\n      1 d\n");
}

#[test]
fn current_directory_is_counted_where_no_path_is_given() {
    let tree = Tree::new();
    tree.file("folder/text", "grist");
    let mut command = wordcount([""; 0]);
    command.current_dir(tree.root());
    assert_eq!(outcome(command).0, "      1 grist\n");
}

#[test]
fn what_cannot_be_read_is_named_in_order_and_the_rest_is_counted() {
    let tree = Tree::new();
    tree.file("text", "grist");
    let mut command = wordcount(["z missing", "text", "a missing", ""]);
    command.current_dir(tree.root());
    let expected = "\
wordcount: z missing: No such file or directory
wordcount: a missing: No such file or directory
wordcount: : No such file or directory
wordcount: 1 words, 1 different
";
    assert_eq!(outcome(command), ("      1 grist\n".to_owned(), expected.to_owned(), Some(1)));
}
