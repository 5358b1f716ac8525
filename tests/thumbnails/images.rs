//! What becomes of good images.

use std::os::unix::fs::PermissionsExt;

use image::{DynamicImage, GenericImageView, ImageBuffer, ImageFormat, Luma, Rgba, RgbaImage};

use crate::example::Tree;
use crate::support::{BLUE, RED, encoded, files, is_close, open, png, red_and_blue, run};

const ALL_WELL: (&str, Option<i32>) = ("", Some(0));

#[test]
fn images_fit_into_the_size_and_keep_folders_names_and_shape() {
    let tree = Tree::new();
    tree.file("in/wide.png", png(400, 100));
    tree.file("in/a/tall.JPG", encoded(red_and_blue(30, 90), ImageFormat::Jpeg));
    tree.file("in/a/b/square.jpeg", encoded(red_and_blue(64, 64), ImageFormat::Jpeg));
    tree.file("in/notes.txt", "no image, and no error");
    let (last, stderr, status) = run(&tree, &["--size", "40"]);
    assert_eq!((stderr.as_str(), status), ALL_WELL);
    assert_eq!(last, "3 thumbnails written, 0 images could not be read");
    assert_eq!(files(&tree.path("out")), ["a/b/square.jpeg", "a/tall.JPG", "wide.png"]);
    let size = |name: &str| open(&tree, name).dimensions();
    assert_eq!(size("out/wide.png"), (40, 10));
    assert_eq!(size("out/a/tall.JPG"), (13, 40));
    assert_eq!(size("out/a/b/square.jpeg"), (40, 40));
    let wide = open(&tree, "out/wide.png").into_rgb8();
    assert!(is_close(*wide.get_pixel(5, 5), RED) && is_close(*wide.get_pixel(35, 5), BLUE));
}

#[test]
fn small_image_is_not_made_larger() {
    let tree = Tree::new();
    tree.file("in/small.png", png(7, 5));
    assert_eq!(run(&tree, &[]).2, Some(0));
    assert_eq!(open(&tree, "out/small.png").into_rgb8(), red_and_blue(7, 5));
}

#[test]
fn format_is_read_from_the_content_and_written_by_the_name() {
    let tree = Tree::new();
    tree.file("in/really-png.jpg", png(50, 50));
    assert_eq!(run(&tree, &[]).2, Some(0));
    let bytes = std::fs::read(tree.path("out/really-png.jpg")).expect("it is written");
    assert_eq!(image::guess_format(&bytes).expect("an image"), ImageFormat::Jpeg);
}

#[test]
fn transparency_and_depth_are_kept_where_the_format_can() {
    let tree = Tree::new();
    let clear = RgbaImage::from_pixel(200, 200, Rgba([9, 99, 199, 77]));
    let deep: ImageBuffer<Luma<u16>, Vec<u16>> = ImageBuffer::from_pixel(200, 200, Luma([0x1234]));
    tree.file("in/clear.png", encoded(clear.clone(), ImageFormat::Png));
    tree.file("in/clear.jpg", encoded(clear, ImageFormat::Png));
    tree.file("in/deep.png", encoded(deep, ImageFormat::Png));
    let (_, stderr, status) = run(&tree, &["--size", "10"]);
    assert_eq!((stderr.as_str(), status), ALL_WELL);
    assert_eq!(open(&tree, "out/clear.png").into_rgba8().get_pixel(5, 5), &Rgba([9, 99, 199, 77]));
    assert!(matches!(open(&tree, "out/clear.jpg"), DynamicImage::ImageRgb8(_)));
    assert!(matches!(open(&tree, "out/deep.png"), DynamicImage::ImageLuma16(_)));
}

#[test]
fn image_is_turned_the_way_it_was_taken() {
    // The camera was held upright and said so: a quarter turn to the right, number 6 of Exif.
    let exif = [
        &b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0"[..],
        b"\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0",
    ]
    .concat();
    let plain = encoded(red_and_blue(80, 40), ImageFormat::Jpeg);
    let turned = [&plain[..2], &exif, &plain[2..]].concat();
    let tree = Tree::new();
    tree.file("in/turned.jpg", turned);
    assert_eq!(run(&tree, &["--size", "20"]).2, Some(0));
    let image = open(&tree, "out/turned.jpg").into_rgb8();
    assert_eq!(image.dimensions(), (10, 20));
    assert!(
        is_close(*image.get_pixel(5, 3), RED) && is_close(*image.get_pixel(5, 16), BLUE),
        "left is up now"
    );
}

#[test]
fn any_number_of_workers_writes_the_same() {
    let tree = Tree::new();
    for index in 0..30 {
        tree.file(format!("in/{index}.png"), png(20 + index, 31));
    }
    let written = |workers: &str| {
        assert_eq!(run(&tree, &["--size", "16", "--workers", workers]).2, Some(0));
        let names = files(&tree.path("out"));
        let bytes = |name: &String| std::fs::read(tree.path(format!("out/{name}"))).expect("it is written");
        names.iter().map(|name| (name.clone(), bytes(name))).collect::<Vec<_>>()
    };
    let one = written("1");
    assert_eq!(one.len(), 30);
    assert!(written("5") == one);
}

#[test]
fn thumbnails_of_an_earlier_run_are_replaced_and_not_taken_for_images() {
    let tree = Tree::new();
    tree.file("in/a.png", png(100, 100));
    for size in ["50", "20"] {
        let mut command = crate::support::thumbnails(["--size", size, "in", "in/small"]);
        command.current_dir(tree.root());
        assert_eq!(crate::example::outcome(command).2, Some(0));
    }
    assert_eq!(files(&tree.path("in")), ["a.png", "small/a.png"]);
    assert_eq!(open(&tree, "in/small/a.png").dimensions(), (20, 20));
}

#[test]
fn new_files_are_readable_by_whom_the_user_lets_read() {
    let tree = Tree::new();
    tree.file("in/a.png", png(10, 10));
    assert_eq!(run(&tree, &[]).2, Some(0));
    let usual = tree.file("usual", "").metadata().expect("it is there").permissions().mode();
    let mode = tree.path("out/a.png").metadata().expect("it is there").permissions().mode();
    assert_eq!(mode, usual);
}
