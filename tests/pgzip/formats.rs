//! What is written is read by others, and what others write is read.

use std::process::{Command, Stdio};

use crate::example::{Tree, tool};
use crate::support::{BLOCK, decompressed, member, noise, pgzip, prose, with_input};

fn compressed(arguments: &[&str], bytes: &[u8]) -> Vec<u8> {
    let (compressed, stderr, status) = with_input(pgzip(arguments), bytes);
    assert_eq!((stderr.as_str(), status), ("", Some(0)), "{arguments:?}");
    compressed
}

#[test]
fn every_size_around_a_block_comes_back() {
    for length in [0, 1, 2, 100, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 5 * BLOCK + 77] {
        for bytes in [prose(length), noise(length), vec![0; length]] {
            let compressed = compressed(&["-p", "3"], &bytes);
            assert!(decompressed(&compressed) == bytes, "{length} bytes");
            let (again, stderr, status) = with_input(pgzip(["-d"]), &compressed);
            assert_eq!((stderr.as_str(), status), ("", Some(0)), "{length} bytes");
            assert!(again == bytes, "{length} bytes");
        }
    }
}

#[test]
fn every_level_comes_back_and_the_best_is_smaller_than_the_fastest() {
    let bytes = prose(3 * BLOCK);
    let of = |level: &str| compressed(&[level], &bytes);
    let sizes: Vec<usize> = (1..=9)
        .map(|level| {
            let compressed = of(&format!("-{level}"));
            assert!(decompressed(&compressed) == bytes, "level {level}");
            compressed.len()
        })
        .collect();
    assert!(sizes[8] < sizes[0], "{sizes:?}");
    assert_eq!((of("--fast"), of("--best")), (of("-1"), of("-9")));
    assert_eq!(compressed(&[], &bytes), of("-6"));
    assert_eq!(compressed(&["-9", "-1"], &bytes), of("-1"), "the last one counts");
}

#[test]
fn same_content_gives_the_same_bytes_with_any_number_of_threads() {
    let bytes = prose(40 * BLOCK);
    let one = compressed(&["-p", "1", "-1"], &bytes);
    for threads in ["2", "16"] {
        assert!(compressed(&["-p", threads, "-1"], &bytes) == one, "{threads} threads");
    }
}

#[test]
fn blocks_use_what_stands_before_them() {
    // A block of noise that comes twice, half a dictionary apart from the edge: only a dictionary can tell.
    let repeated = noise(8 * 1024);
    let mut bytes = noise(BLOCK - repeated.len());
    bytes.extend_from_slice(&repeated);
    bytes.extend_from_slice(&repeated);
    let compressed = compressed(&[], &bytes);
    assert!(compressed.len() < BLOCK + 2048, "{} bytes", compressed.len());
    assert!(decompressed(&compressed) == bytes);
}

#[test]
fn noise_grows_by_next_to_nothing() {
    let bytes = noise(4 * BLOCK);
    assert!(compressed(&[], &bytes).len() < bytes.len() + bytes.len() / 1000 + 64);
}

#[test]
fn header_and_trailer_are_as_the_format_has_them() {
    let compressed = compressed(&["-9"], b"grist");
    assert_eq!(compressed[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3]);
    let trailer = &compressed[compressed.len() - 8..];
    assert_eq!(trailer[4..], 5_u32.to_le_bytes());
}

#[test]
fn members_of_others_behind_each_other_are_read() {
    let parts = [prose(2 * BLOCK), Vec::new(), noise(BLOCK), b"end".to_vec()];
    let mut input = Vec::new();
    for part in &parts {
        input.extend_from_slice(&member(part));
    }
    let (bytes, stderr, status) = with_input(pgzip(["-d"]), &input);
    assert_eq!((stderr.as_str(), status), ("", Some(0)));
    assert!(bytes == parts.concat());
}

#[test]
fn name_comment_and_extra_field_in_a_header_are_read_over() {
    let mut encoder = flate2::GzBuilder::new()
        .filename("some name")
        .comment("said about it")
        .extra(vec![7; 300])
        .mtime(1)
        .write(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, b"content").expect("it goes to memory");
    let input = encoder.finish().expect("it goes to memory");
    assert_eq!(with_input(pgzip(["-d"]), &input), (b"content".to_vec(), String::new(), Some(0)));
}

#[test]
fn gzip_reads_what_is_written_and_is_read() {
    let Some(mut gzip) = tool("gzip") else { return };
    let tree = Tree::new();
    let bytes = prose(3 * BLOCK + 5);
    let path = tree.file("text", &bytes);
    assert!(pgzip([&path]).status().expect("it runs").success());
    let compressed = tree.path("text.gz");
    assert!(gzip.arg("-t").arg(&compressed).status().expect("gzip runs").success());
    let listed = tool("gzip").expect("as before").arg("-l").arg(&compressed).output().expect("gzip runs");
    assert!(String::from_utf8_lossy(&listed.stdout).contains(&bytes.len().to_string()), "{listed:?}");
    let gunzipped = tool("gzip").expect("as before").arg("-dc").arg(&compressed).output().expect("gzip runs");
    assert!(gunzipped.stdout == bytes);

    let other = tree.file("other", &bytes);
    assert!(tool("gzip").expect("as before").arg(&other).status().expect("gzip runs").success());
    assert!(pgzip(["-d"]).arg(tree.path("other.gz")).status().expect("it runs").success());
    assert!(std::fs::read(other).expect("it is back") == bytes);
}

#[test]
fn what_pigz_writes_is_read() {
    if !Command::new("pigz").arg("-V").stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("skipped: pigz is not installed");
        return;
    }
    let bytes = prose(5 * BLOCK);
    for flags in [["-p2", "-c"], ["-ip2", "-c"], ["-p1", "-c"]] {
        let mut pigz = Command::new("pigz");
        pigz.args(flags);
        let (compressed, _, status) = with_input(pigz, &bytes);
        assert_eq!(status, Some(0));
        let (again, stderr, status) = with_input(pgzip(["-d"]), &compressed);
        assert_eq!((stderr.as_str(), status), ("", Some(0)), "{flags:?}");
        assert!(again == bytes, "{flags:?}");
    }
}
