//! What becomes of a target when something goes wrong on the way to it.

use std::error::Error as _;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::part::part_path;
use super::{OutputError, OutputFile, WrittenFile};
use crate::sync::thread;

/// Names the target to a child process.
const CHILD: &str = "GRISTMILL_OUTPUT_CHILD";

fn target() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let target = folder.path().join("target.bin");
    (folder, target)
}

fn write(path: &Path, bytes: &[u8]) -> WrittenFile {
    let mut output = OutputFile::create(path).expect("it can be created");
    output.write_all(bytes).expect("it can be written");
    output.finish().expect("it can be finished")
}

/// The names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("it can be read");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("it is there").file_name();
    let mut names: Vec<String> = entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn finished_file_has_what_was_written_and_says_so() {
    let (folder, target) = target();
    for content in [Vec::new(), b"short".to_vec(), vec![7; 300_000]] {
        let mut output = OutputFile::create(&target).unwrap();
        assert_eq!(output.path(), target);
        for chunk in content.chunks(1013) {
            output.write_all(chunk).unwrap();
        }
        output.flush().unwrap();
        let written = output.finish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), content);
        assert_eq!(written.length(), content.len() as u64);
        assert_eq!(written.hash(), blake3::hash(&content).as_bytes());
        assert_eq!(written.hash_hex(), blake3::hash(&content).to_string());
        written.check().unwrap();
        assert_eq!(names(folder.path()), ["target.bin"]);
    }
}

#[test]
fn unfinished_file_leaves_what_was_there_and_nothing_else() {
    let (folder, target) = target();
    fs::write(&target, "old").unwrap();
    let mut output = OutputFile::create(&target).unwrap();
    output.write_all(&vec![1; 200_000]).unwrap();
    assert_eq!(names(folder.path()), [".target.bin.0.gristmill-part", "target.bin"]);
    drop(output);
    let thread = thread::Builder::new();
    let path = target.clone();
    let panicked = thread.spawn(move || {
        let mut output = OutputFile::create(path).unwrap();
        output.write_all(b"half").unwrap();
        panic!("in the middle");
    });
    assert!(panicked.unwrap().join().is_err());
    assert_eq!(names(folder.path()), ["target.bin"]);
    assert_eq!(fs::read_to_string(&target).unwrap(), "old");
}

#[test]
fn what_cannot_be_a_target_is_refused() {
    let (folder, target) = target();
    let refused = |path: &Path| OutputFile::create(path).expect_err("it cannot be a target");
    for path in ["", "/", "..", "a/..", "a/b/"] {
        let error = refused(Path::new(path));
        assert!(matches!(error, OutputError::NoName { .. }), "{path}: {error}");
        assert_eq!(error.path(), Path::new(path));
    }
    let error = refused(folder.path());
    assert!(matches!(error, OutputError::NotAFile { .. }));
    assert_eq!(error.to_string(), format!("{} is there, and is not a file", folder.path().display()));
    let missing = folder.path().join("no/such.bin");
    let error = refused(&missing);
    assert!(
        matches!(&error, OutputError::Create { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    );
    assert_eq!(
        error.to_string(),
        format!("no file could be created beside {}, which is as it was", missing.display())
    );
    assert!(error.source().is_some());
    // It becomes a directory while the file is written.
    let mut output = OutputFile::create(&target).unwrap();
    output.write_all(b"x").unwrap();
    fs::create_dir(&target).unwrap();
    let error = output.finish().unwrap_err();
    assert!(matches!(&error, OutputError::Finish { .. }), "{error}");
    assert!(target.is_dir());
    assert_eq!(names(folder.path()), ["target.bin"]);
}

#[cfg(unix)]
#[test]
fn device_is_not_replaced_and_a_symbolic_link_is() {
    let error = OutputFile::create("/dev/null").expect_err("it is a device");
    assert!(matches!(error, OutputError::NotAFile { .. }));
    let (folder, target) = target();
    let other = folder.path().join("other");
    fs::write(&other, "kept").unwrap();
    std::os::unix::fs::symlink(&other, &target).unwrap();
    write(&target, b"new");
    assert!(target.symlink_metadata().unwrap().is_file());
    assert_eq!(fs::read_to_string(other).unwrap(), "kept");
}

#[test]
fn several_at_once_are_whole_and_the_last_stays() {
    let (folder, target) = target();
    let mut first = OutputFile::create(&target).unwrap();
    let mut second = OutputFile::create(&target).unwrap();
    first.write_all(b"first").unwrap();
    second.write_all(b"second, longer").unwrap();
    let second = second.finish().unwrap();
    assert!(second.is_intact());
    let first = first.finish().unwrap();
    assert!(first.is_intact());
    assert!(matches!(second.check(), Err(OutputError::OtherLength { recorded: 14, found: 5, .. })));
    assert_eq!(names(folder.path()), ["target.bin"]);

    thread::scope(|scope| {
        for number in 0..4_u8 {
            let target = &target;
            let work = move || {
                for round in 0..100 {
                    let content = vec![number; 1000 + usize::from(number)];
                    if round % 7 == 0 {
                        let mut output = OutputFile::create(target).unwrap();
                        output.write_all(&content).unwrap();
                        continue;
                    }
                    write(target, &content);
                    let now = fs::read(target).unwrap();
                    assert_eq!(now, vec![now[0]; 1000 + usize::from(now[0])], "it is one of them, whole");
                }
            };
            thread::Builder::new().spawn_scoped(scope, work).unwrap();
        }
    });
    assert_eq!(names(folder.path()), ["target.bin"]);
}

#[test]
fn what_a_killed_process_left_is_used_again_or_removed() {
    let (folder, target) = target();
    for number in 0..3 {
        fs::write(part_path(&target, number), "left over and longer than what comes").unwrap();
    }
    assert!(write(&target, b"new").is_intact());
    assert_eq!(fs::read(&target).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["target.bin"]);

    // One that is being written is not touched.
    let mut first = OutputFile::create(&target).unwrap();
    first.write_all(b"first").unwrap();
    fs::write(part_path(&target, 1), "left over").unwrap();
    let second = OutputFile::create(&target).unwrap();
    assert_eq!(names(folder.path()).len(), 3);
    drop(second);
    assert!(first.finish().unwrap().is_intact());
    assert_eq!(names(folder.path()), ["target.bin"]);
}

/// Not a test by itself: writes half of a file, says so, and waits to be killed.
#[test]
fn half_of_a_file_in_a_child_process() {
    let Some(target) = std::env::var_os(CHILD) else { return };
    let mut output = OutputFile::create(target).unwrap();
    output.write_all(&vec![1; 100_000]).unwrap();
    let mut line = String::new();
    println!("\nhalf");
    std::io::stdin().read_line(&mut line).unwrap();
}

#[test]
fn killed_process_leaves_what_was_there() {
    let (folder, target) = target();
    fs::write(&target, "old").unwrap();
    let name = "journal::output::tests::half_of_a_file_in_a_child_process";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, &target)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert!(lines.any(|line| line.is_ok_and(|line| line == "half")));
    // Its part is locked, so that another one is made.
    assert!(write(&target, b"meanwhile").is_intact());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(names(folder.path()), [".target.bin.0.gristmill-part", "target.bin"]);
    assert_eq!(fs::read_to_string(&target).unwrap(), "meanwhile");
    assert!(write(&target, b"new").is_intact());
    assert_eq!(names(folder.path()), ["target.bin"]);
}

#[cfg(target_os = "linux")]
#[test]
fn full_disk_leaves_what_was_there_and_the_file_cannot_be_finished() {
    // A limit is of the process: in one of its own.
    const LIMITED: &str = "GRISTMILL_OUTPUT_LIMITED";
    let Some(target) = std::env::var_os(LIMITED).map(PathBuf::from) else {
        let (folder, target) = target();
        fs::write(&target, "old").unwrap();
        let name = "journal::output::tests::full_disk_leaves_what_was_there_and_the_file_cannot_be_finished";
        let program = std::env::current_exe().unwrap();
        // The signal would end the process; ignored, the write fails.
        let script = format!("trap '' XFSZ; exec '{}' {name} --exact --nocapture", program.display());
        // What it says must not go into a file that is longer than its limit already.
        let output = Command::new("sh").args(["-c", &script]).env(LIMITED, &target).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");
        assert_eq!(names(folder.path()), ["target.bin"]);
        return;
    };
    let limit = rustix::process::Rlimit { current: Some(100_000), maximum: None };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
    // Seen at a write.
    let mut output = OutputFile::create(&target).unwrap();
    let error = (0..10).find_map(|_| output.write_all(&vec![1; 50_000]).err()).expect("there is no space");
    assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
    assert!(error.to_string().contains("target.bin could not be written; it is as it was"), "{error}");
    let _ = output.flush();
    let refused = output.finish().unwrap_err();
    assert!(matches!(refused, OutputError::Incomplete { .. }), "{refused}");
    // Seen at the end only.
    let mut output = OutputFile::create(&target).unwrap();
    output.write_all(&vec![1; 60_000]).unwrap();
    output.write_all(&vec![1; 50_000]).unwrap();
    let refused = output.finish().unwrap_err();
    assert!(matches!(refused, OutputError::Write { .. }), "{refused}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "old");
    assert!(write(&target.with_file_name("small"), b"fits").is_intact());
    fs::remove_file(target.with_file_name("small")).unwrap();
}

// Elsewhere it is not tried.
#[cfg(unix)]
#[test]
fn directory_that_cannot_be_brought_to_the_disk_is_an_error() {
    let (folder, target) = target();
    super::sync_directory(&target).unwrap();
    let error = super::sync_directory(&folder.path().join("gone").join("target.bin")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn relative_path_without_a_parent_is_in_the_directory_of_the_process() {
    let name = format!("gristmill-output-test-{}.tmp", std::process::id());
    let written = write(Path::new(&name), b"here");
    assert_eq!(written.path(), Path::new(&name));
    let intact = written.is_intact();
    fs::remove_file(&name).unwrap();
    assert!(intact);
    assert!(matches!(written.check(), Err(OutputError::Missing { .. })));
}

#[test]
fn changes_are_told_apart() {
    let (_folder, target) = target();
    let written = write(&target, b"content");
    let now = |content: &str| {
        fs::write(&target, content).unwrap();
        written.check()
    };
    now("content").unwrap();
    let error = now("con-ent").unwrap_err();
    assert!(matches!(error, OutputError::OtherContent { .. }) && error.is_changed());
    let error = now("content!").unwrap_err();
    assert!(matches!(error, OutputError::OtherLength { recorded: 7, found: 8, .. }) && error.is_changed());
    assert!(error.to_string().ends_with("target.bin has 8 bytes, and had 7 when it was written"));
    fs::remove_file(&target).unwrap();
    let error = written.check().unwrap_err();
    assert!(matches!(error, OutputError::Missing { .. }) && error.is_changed() && !written.is_intact());
    fs::create_dir(&target).unwrap();
    assert!(matches!(written.check(), Err(OutputError::NotAFile { .. })));
}

#[test]
fn long_and_strange_names_have_parts() {
    let (folder, _) = target();
    for name in ["x".repeat(255), "a b\u{1F980}".to_owned(), ".hidden".to_owned(), "-rf".to_owned()] {
        assert!(write(&folder.path().join(&name), b"x").is_intact());
        assert!(names(folder.path()).contains(&name));
    }
    assert_eq!(names(folder.path()).len(), 4);
}

#[test]
fn written_file_is_the_same_after_serialization_and_its_form_is_stable() {
    let written = WrittenFile::new("out/a.png".into(), 5, *blake3::hash(b"hello").as_bytes());
    let text = serde_json::to_string(&written).unwrap();
    let expected = "{\"path\":\"out/a.png\",\"length\":5,\
        \"hash\":\"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f\"}";
    assert_eq!(text, expected);
    assert_eq!(serde_json::from_str::<WrittenFile>(&text).unwrap(), written);
    let error = serde_json::from_str::<WrittenFile>(&text.replace("ea8f", "ea8g")).unwrap_err();
    assert!(error.to_string().contains("64 hexadecimal digits"), "{error}");
    let bytes = postcard::to_allocvec(&written).unwrap();
    assert_eq!(bytes.len(), 1 + 9 + 1 + 32);
    assert_eq!(postcard::from_bytes::<WrittenFile>(&bytes).unwrap(), written);
}
