//! The example, and images for it.

use std::ffi::OsStr;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use crate::example::{Tree, command, outcome};

pub(crate) fn thumbnails<I: IntoIterator<Item: AsRef<OsStr>>>(arguments: I) -> Command {
    command("thumbnails", arguments)
}

pub(crate) const RED: Rgb<u8> = Rgb([230, 20, 20]);
pub(crate) const BLUE: Rgb<u8> = Rgb([20, 20, 230]);

/// Red on the left, blue on the right.
pub(crate) fn red_and_blue(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| if x < width / 2 { RED } else { BLUE })
}

pub(crate) fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    image.into().write_to(&mut Cursor::new(&mut bytes), format).expect("it goes to memory");
    bytes
}

pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    encoded(red_and_blue(width, height), ImageFormat::Png)
}

/// Runs from `in` to `out` of the tree; stdout without the table, stderr, and the status.
pub(crate) fn run(tree: &Tree, arguments: &[&str]) -> (String, String, Option<i32>) {
    let mut command = thumbnails(arguments);
    command.args(["in", "out"]).current_dir(tree.root());
    let (stdout, stderr, status) = outcome(command);
    let last = stdout.lines().last().unwrap_or_default().to_owned();
    (last, stderr, status)
}

pub(crate) fn open(tree: &Tree, name: &str) -> DynamicImage {
    image::open(tree.path(name)).expect("a thumbnail")
}

pub(crate) fn is_close(one: Rgb<u8>, other: Rgb<u8>) -> bool {
    one.0.iter().zip(other.0).all(|(one, other)| one.abs_diff(other) < 40)
}

/// All files below a folder, by their names below it.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut folders = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("it is a folder") {
            let path: PathBuf = entry.expect("it is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(folder).expect("below it").to_string_lossy().into_owned());
            }
        }
    }
    files.sort();
    files
}
