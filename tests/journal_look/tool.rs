//! The example `journal_tool` on real journals: what it prints, what it leaves, its exit status.

use std::fs;
use std::path::Path;

use gristmill::journal::Journal;

use crate::example;
use crate::support::{KINDS, contents, filled, open, place};

/// Stdout, stderr and status.
fn tool(arguments: &[&str], paths: &[&Path]) -> (String, String, Option<i32>) {
    let mut command = example::command("journal_tool", arguments);
    command.args(paths);
    example::outcome(command)
}

#[test]
fn tool_lists_exports_and_counts() {
    let (_folder, path) = place();
    let (journal, tasks) = filled(&path);
    let mut exported = Vec::new();
    journal.export(&gristmill::journal::Selection::all(), &mut exported).unwrap();
    journal.close().unwrap();
    let (listed, said, status) = tool(&["list", "--scope", "upload", "--failed"], &[&path]);
    assert_eq!((said.as_str(), status), ("", Some(0)));
    let expected: Vec<String> = tasks
        .iter()
        .filter(|task| task.scope == "upload" && (1..=3).contains(&task.kind))
        .map(|task| {
            let kind = KINDS[usize::from(task.kind)];
            format!("{}\t{kind}\tupload\t{}\t{}\t{}\t", task.seq, task.handler, task.version, task.key)
        })
        .collect();
    assert_eq!(listed.lines().count(), expected.len());
    assert!(listed.lines().zip(&expected).all(|(line, start)| line.starts_with(start)), "{listed}");
    let (lines, _, status) = tool(&["export"], &[&path]);
    assert_eq!((lines.as_bytes(), status), (&*exported, Some(0)));
    let (table, _, status) = tool(&["statistics"], &[&path]);
    assert_eq!(status, Some(0));
    assert!(table.lines().any(|line| line.starts_with("total ") && line.contains(" 72 ")), "{table}");
}

#[test]
fn tool_forgets_and_compacts() {
    let (_folder, path) = place();
    let (journal, mut tasks) = filled(&path);
    journal.close().unwrap();
    let (said, _, status) = tool(&["forget", "--handler", "index", "--key", "key 1"], &[&path]);
    assert_eq!(status, Some(0));
    assert!(said.starts_with("2 entries forgotten, with "), "{said}");
    tasks.retain(|task| task.handler != "index" || task.key != "key 1");
    let (_, _, status) = tool(&["retry-failed", "--scope", "render"], &[&path]);
    assert_eq!(status, Some(0));
    tasks.retain(|task| task.scope != "render" || !(1..=3).contains(&task.kind));
    let (_, _, status) = tool(&["collect-garbage", "--latest-versions", "--younger-than", "7d"], &[&path]);
    assert_eq!(status, Some(0));
    tasks.retain(|task| task.version == if task.handler == "thumbnail" { 3 } else { 2 });
    let (said, _, status) = tool(&["compact"], &[&path]);
    assert_eq!(status, Some(0));
    assert!(said.ends_with(" bytes given back\n"), "{said}");
    assert_eq!(contents(&open(&path)), tasks);
    assert_eq!(tool(&["forget", "--all"], &[&path]).2, Some(0));
    assert_eq!(contents(&open(&path)), []);
}

#[test]
fn tool_tells_of_damage_and_salvages() {
    let (folder, path) = place();
    let (journal, tasks) = filled(&path);
    journal.close().unwrap();
    let (said, _, status) = tool(&["verify"], &[&path]);
    assert_eq!(status, Some(0));
    assert!(said.starts_with("72 entries are whole, ") && said.ends_with("; no damage\n"), "{said}");
    let mut bytes = fs::read(&path).unwrap();
    let key = &tasks[30].payload;
    let places: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(key)).collect();
    for at in places {
        bytes[at] ^= 1;
    }
    fs::write(&path, &bytes).unwrap();
    let (said, _, status) = tool(&["verify"], &[&path]);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains(&format!("record {}, key {:?}\n", tasks[30].seq, tasks[30].key)), "{said}");
    let new = folder.path().join("new.journal");
    let (said, _, status) = tool(&["salvage"], &[&path, &new]);
    assert_eq!(status, Some(3));
    assert!(said.ends_with("bytes of payload\n") && said.contains("71 entries are salvaged"), "{said}");
    assert_eq!(contents(&open(&new)).len(), 71);
    let (_, said, status) = tool(&["salvage"], &[&path, &new]);
    assert_eq!(status, Some(1));
    assert!(said.contains("is there already"), "{said}");
}

#[test]
fn tool_says_what_is_wrong() {
    let (folder, path) = place();
    let (_, said, status) = tool(&["list"], &[&path]);
    assert_eq!(status, Some(1));
    assert!(said.contains("there is no such journal"), "{said}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let journal: Journal = open(&path);
    for command in ["statistics", "verify", "compact"] {
        let (_, said, status) = tool(&[command], &[&path]);
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains(&std::process::id().to_string()), "it names the holder: {said}");
    }
    journal.close().unwrap();
    // What would forget everything by mistake is asked about.
    for wrong in [
        &["forget"][..],
        &["forget", "--all", "--failed"],
        &["collect-garbage"],
        &["list", "--older-than", "7"],
    ] {
        let (_, said, status) = tool(wrong, &[&path]);
        assert_eq!(status, Some(2), "{said}");
        assert!(said.starts_with("error: "), "{said}");
    }
}
