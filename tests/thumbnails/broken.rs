//! What is no image, is not whole, or cannot be written.

use std::fs;

use crate::example::{Tree, outcome};
use crate::support::{files, png, run, thumbnails};

#[test]
fn broken_images_are_named_in_order_and_the_others_are_written() {
    let tree = Tree::new();
    let whole = png(64, 64);
    tree.file("in/1 good.png", &whole);
    tree.file("in/2 cut off.png", &whole[..whole.len() / 2]);
    tree.file("in/3 text.jpg", "this is no image");
    tree.file("in/4 empty.png", "");
    tree.file("in/folder/5 good.png", &whole);
    let (last, stderr, status) = run(&tree, &[]);
    assert_eq!(status, Some(1));
    assert_eq!(last, "2 thumbnails written, 3 images could not be read");
    assert_eq!(files(&tree.path("out")), ["1 good.png", "folder/5 good.png"]);
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{stderr}");
    assert!(lines[0].starts_with("thumbnails: 2 cut off.png: ") && lines[0].len() > 30, "{stderr}");
    assert_eq!(lines[1], "thumbnails: 3 text.jpg: is not a PNG or JPEG image");
    assert_eq!(lines[2], "thumbnails: 4 empty.png: is not a PNG or JPEG image");
}

#[test]
fn image_that_claims_to_be_huge_does_not_take_the_memory() {
    // The header of a PNG: 60000 by 60000 pixels of four bytes. Its checksum is that of the `png` crate.
    let mut huge = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    for side in [60_000_u32, 60_000] {
        huge.extend_from_slice(&side.to_be_bytes());
    }
    huge.extend_from_slice(&[8, 6, 0, 0, 0]);
    let mut sum = flate2::Crc::new();
    sum.update(&huge[12..]);
    huge.extend_from_slice(&sum.sum().to_be_bytes());
    huge.extend_from_slice(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    let tree = Tree::new();
    tree.file("in/huge.png", huge);
    let (_, stderr, status) = run(&tree, &[]);
    let said = "thumbnails: huge.png: takes 14400000000 bytes of memory, more than 536870912\n";
    assert_eq!((stderr.as_str(), status), (said, Some(1)));
}

#[test]
fn file_without_an_end_is_not_read() {
    let tree = Tree::new();
    tree.endless_file("in/endless.jpg");
    let (_, stderr, status) = run(&tree, &[]);
    let said = "thumbnails: endless.jpg: is a file of 1099511627776 bytes, more than 536870912\n";
    assert_eq!((stderr.as_str(), status), (said, Some(1)));
}

#[test]
fn thumbnail_that_cannot_be_written_ends_the_run() {
    let tree = Tree::new();
    tree.file("in/folder/a.png", png(10, 10));
    tree.file("out/folder", "is in the way");
    let (last, stderr, status) = run(&tree, &[]);
    assert_eq!((last.as_str(), status), ("0 thumbnails written, 0 images could not be read", Some(1)));
    assert!(stderr.starts_with("thumbnails: ") && stderr.contains("/out/folder/a.png: "), "{stderr}");
    assert_eq!(fs::read(tree.path("out/folder")).expect("it is still there"), b"is in the way");
}

#[test]
fn source_that_is_missing_or_a_file_is_said() {
    let tree = Tree::new();
    tree.file("file", "");
    for (source, said) in [("missing", "No such file or directory"), ("file", "not a directory")] {
        let mut command = thumbnails([source, "out"]);
        command.current_dir(tree.root());
        let expected = format!("thumbnails: {source}: {said}\n");
        assert_eq!(outcome(command), (String::new(), expected, Some(1)));
    }
}
