//! Holds the repository to what its documents say: commands, examples, versions, dependencies.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file of the repository with its text; build output and files that are not text are left out.
fn texts() -> Vec<(String, String)> {
    let mut folders = vec![root().to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            let name = below_root(&path);
            if matches!(name.as_str(), ".git" | "target" | "tools") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                found.push((name, text));
            }
        }
    }
    assert!(found.iter().any(|(name, _)| name == "tests/project.rs"), "the search finds this very file");
    found
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listing = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = listing.map(|entry| entry.expect("an entry is readable").path()).collect();
    paths.sort();
    paths
}

fn below_root(path: &Path) -> String {
    path.strip_prefix(root()).expect("it is below the root").to_string_lossy().replace('\\', "/")
}

/// The lines of the README's first shell block: run the main job, run the tests.
fn readme_commands() -> Vec<String> {
    let readme = read("README.md");
    let block = readme.split("```sh\n").nth(1).expect("the README has a shell block");
    let block = block.split("```").next().expect("the block ends");
    block.lines().map(str::to_owned).collect()
}

fn example_names() -> BTreeSet<String> {
    let folder = root().join("examples");
    let paths = if folder.is_dir() { entries(&folder) } else { Vec::new() };
    let programs = paths.iter().filter(|path| path.join("main.rs").is_file() || path.is_file());
    programs.map(|path| path.file_stem().expect("it has a name").to_string_lossy().into_owned()).collect()
}

/// The dependency names under every heading of the manifest that `is_wanted` accepts.
fn dependencies(is_wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut is_in_section = false;
    for line in read("Cargo.toml").lines() {
        if let Some(heading) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            is_in_section = is_wanted(heading);
        } else if let Some((name, _)) =
            line.split_once(" = ").filter(|_| is_in_section && !line.starts_with('#'))
        {
            names.insert(name.to_owned());
        }
    }
    names
}

fn manifest_value(key: &str) -> String {
    let manifest = read("Cargo.toml");
    let line = manifest.lines().find_map(|line| line.strip_prefix(&format!("{key} = ")));
    line.expect("the manifest has the key").trim_matches('"').to_owned()
}

/// Whether `word` stands in `text` by itself.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |character: Option<char>| character.is_some_and(|it| it.is_alphanumeric() || it == '_');
    text.match_indices(word).any(|(at, _)| {
        !is_part(text[..at].chars().next_back()) && !is_part(text[at + word.len()..].chars().next())
    })
}

/// The absolute paths of somebody's machine in a line.
fn absolute_paths(line: &str) -> bool {
    let folders = ["home", "Users", "root", "work", "tmp", "private/var", "mnt"];
    folders.iter().map(|folder| format!("/{folder}/")).any(|start| {
        line.match_indices(&start).any(|(at, _)| {
            // `src/work/x` and `https://host/home/` are not absolute paths of a machine.
            !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-/}".contains(before))
        })
    })
}

#[test]
fn readme_has_two_commands_and_the_gate_starts_with_the_second() {
    let commands = readme_commands();
    let [job, tests] = commands.as_slice() else { panic!("not two commands: {commands:?}") };
    let job = job.strip_prefix("cargo run --release --example ").expect("the first runs an example");
    assert_eq!(job.split_once(" -- ").map(|(_, arguments)| arguments), Some("PATH"));
    assert!(
        read("ci/test.sh").lines().any(|line| line == format!("check {tests} --no-fail-fast")),
        "ci/test.sh runs {tests}"
    );
    assert_eq!(rungs_of_the_gate().first().map(String::as_str), Some("test"), "the gate's first rung");
}

/// The rungs of all lanes, each written as its name and its minutes.
fn rungs_of_the_gate() -> Vec<String> {
    let gate = read(".ci/run");
    let lanes =
        gate.split("lanes=(\n").nth(1).and_then(|rest| rest.split("\n)").next()).expect("a list of lanes");
    let rungs = lanes.lines().flat_map(|lane| lane.trim().trim_matches('"').split(", "));
    rungs.filter_map(|rung| Some(rung.split_once(' ')?.0.to_owned())).collect()
}

/// The scripts that the verification has under "Outside of the gate".
fn scripts_outside_of_the_gate() -> BTreeSet<String> {
    let document = read("docs/verification.md");
    let chapter = document.split("\n## Outside of the gate\n").nth(1).expect("a chapter on the rest");
    let chapter = chapter.split("\n## ").next().expect("the chapter ends");
    let commands = chapter.lines().filter_map(|line| line.strip_prefix("bash ci/"));
    commands.filter_map(|command| Some(command.split_once(".sh")?.0.to_owned())).collect()
}

#[test]
fn every_script_is_a_rung_of_the_gate_or_described_outside_of_it_and_the_other_way_round() {
    let (rungs, outside): (BTreeSet<String>, _) =
        (rungs_of_the_gate().into_iter().collect(), scripts_outside_of_the_gate());
    let paths = entries(&root().join("ci"));
    let names = paths.iter().map(|path| below_root(path));
    let scripts: BTreeSet<String> = names
        .filter_map(|name| Some(name.strip_prefix("ci/")?.strip_suffix(".sh")?.to_owned()))
        // What the others begin with.
        .filter(|name| name != "common")
        .collect();
    assert!(rungs.is_disjoint(&outside), "{rungs:?} and {outside:?}");
    assert_eq!(rungs.union(&outside).cloned().collect::<BTreeSet<_>>(), scripts);
}

#[test]
fn every_example_has_a_row_in_the_readme_and_a_check_in_the_gate() {
    let (readme, checks) = (read("README.md"), read("ci/examples.sh"));
    for name in example_names() {
        assert!(readme.contains(&format!("\n| `{name}` | ")), "README.md has no row for {name}");
        let check = format!("\ncheck_{}() {{\n", name.replace('-', "_"));
        assert!(checks.contains(&check), "ci/examples.sh has no check for {name}");
    }
}

#[test]
fn every_row_of_the_readme_names_an_example_that_exists() {
    let readme = read("README.md");
    let table = readme.split("| Example |").nth(1).expect("the README lists the examples");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with("| "));
    let named: BTreeSet<String> = rows.filter_map(|row| Some(row.split('`').nth(1)?.to_owned())).collect();
    assert_eq!(named, example_names());
}

#[test]
fn changelog_has_an_unreleased_section_with_entries() {
    let changelog = read("CHANGELOG.md");
    let section = changelog.split("\n## [Unreleased]\n").nth(1).expect("an Unreleased section");
    let section = section.split("\n## ").next().expect("it ends");
    assert!(section.lines().any(|line| line.starts_with("- ")), "nothing is listed");
}

#[test]
fn readme_promises_the_compiler_of_the_manifest() {
    let promise = format!("Rust {} and later", manifest_value("rust-version"));
    assert!(read("README.md").contains(&promise), "the README does not say: {promise}");
}

#[test]
fn both_licences_of_the_manifest_are_there() {
    assert_eq!(manifest_value("license"), "MIT OR Apache-2.0");
    assert!(read("LICENSE-MIT").contains("Permission is hereby granted, free of charge"));
    assert!(read("LICENSE-APACHE").contains("END OF TERMS AND CONDITIONS"));
}

#[test]
fn library_depends_on_four_crates_and_with_features_on_those_that_they_name() {
    let expected = [
        "blake3",
        "crc32fast",
        "crossbeam-channel",
        "indicatif",
        "metrics",
        "num_cpus",
        "parking_lot",
        "postcard",
        "rusqlite",
        "serde",
        "serde_json",
        "thiserror",
        "tracing",
    ];
    assert_eq!(dependencies(|heading| heading == "dependencies"), expected.map(str::to_owned).into());
    let manifest = read("Cargo.toml");
    let optional = manifest.lines().filter(|line| line.ends_with("optional = true }"));
    let optional: Vec<&str> = optional.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(
        optional,
        [
            "blake3",
            "crc32fast",
            "indicatif",
            "metrics",
            "postcard",
            "rusqlite",
            "serde",
            "serde_json",
            "tracing",
        ]
    );
}

#[test]
fn unsafe_code_is_forbidden_by_the_manifest() {
    let manifest = read("Cargo.toml");
    let lints = manifest.split("\n[lints.rust]\n").nth(1).and_then(|rest| rest.split("\n[").next());
    let lints = lints.expect("the manifest sets the compiler's lints");
    assert!(
        lints.lines().any(|line| line == "unsafe_code = \"forbid\""),
        "unsafe code is not forbidden: {lints}"
    );
}

#[test]
fn every_dependency_is_used() {
    let folders = ["src/", "tests/", "benches/", "examples/"];
    let files = texts();
    let is_code = |name: &str| folders.iter().any(|folder| name.starts_with(folder));
    let code: Vec<&String> = files.iter().filter(|(name, _)| is_code(name)).map(|(_, text)| text).collect();
    let all = dependencies(|heading| heading.ends_with("dependencies"));
    assert!(all.contains("syn") && all.contains("shuttle"), "every section is read: {all:?}");
    for name in all {
        let krate = name.replace('-', "_");
        let is_named =
            |text: &&String| text.contains(&format!("{krate}::")) || has_word(text, &format!("use {krate}"));
        assert!(code.iter().any(is_named), "{name} is not used");
    }
}

#[test]
fn no_file_names_a_path_of_somebodys_machine() {
    assert!(absolute_paths("see /home/me/x") && absolute_paths("\"/tmp/x\"") && absolute_paths("=/root/x"));
    assert!(
        !absolute_paths("src/work/x")
            && !absolute_paths("https://host/home/x")
            && !absolute_paths("/usr/bin/env")
    );
    for (name, text) in texts().iter().filter(|(name, _)| name != "tests/project.rs") {
        for (index, line) in text.lines().enumerate() {
            assert!(!absolute_paths(line), "{name}:{}: {line}", index + 1);
        }
    }
}

#[test]
fn no_file_marks_work_that_is_left_undone() {
    let marks = ["TODO", "FIXME", "XXX", "HACK", "WIP", "unimplemented!"];
    assert!(has_word("// TODO: x", "TODO") && !has_word("mapTODOne", "TODO"));
    for (name, text) in texts().iter().filter(|(name, _)| name != "tests/project.rs") {
        for mark in marks {
            assert!(!has_word(text, mark), "{name} says {mark}");
        }
    }
}

#[test]
fn every_link_to_a_file_leads_to_one() {
    let documents =
        ["README.md", "CHANGELOG.md", "docs/design.md", "docs/performance.md", "docs/verification.md"];
    for document in documents {
        let text = read(document);
        let folder = root().join(document).parent().expect("it is in a folder").to_owned();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.starts_with('#')) {
            let path = target.split('#').next().unwrap_or(target);
            assert!(folder.join(path).exists(), "{document} links to {target}");
        }
    }
}

#[test]
fn every_curve_has_its_numbers_and_its_picture_is_shown() {
    let bench = read("benches/curves.rs");
    let list = bench.split("const CURVES").nth(1).and_then(|rest| rest.split(';').nth(1)).expect("a list");
    let listed = list.split("::CURVE").filter_map(|before| before.rsplit('&').next());
    let curves: BTreeSet<String> = listed.map(str::to_owned).filter(|name| !name.contains(']')).collect();
    let mut expected = BTreeSet::new();
    for curve in &curves {
        let shown = format!("](curves/{curve}.svg)");
        assert!(read("docs/performance.md").contains(&shown), "docs/performance.md does not show {curve}");
        expected.extend(["csv", "svg"].map(|kind| format!("docs/curves/{curve}.{kind}")));
    }
    let found = entries(&root().join("docs/curves"));
    assert_eq!(found.iter().map(|path| below_root(path)).collect::<BTreeSet<_>>(), expected);
}

/// One row of the table of promises in `docs/verification.md`.
struct PromiseRow {
    /// What it quotes from the front pages.
    promises: Vec<String>,
    /// Each test with its file.
    tests: Vec<(String, String)>,
}

fn promise_rows() -> Vec<PromiseRow> {
    let document = read("docs/verification.md");
    let table = document.split("\n| Promise | Held by | Not held by a test |\n").nth(1).expect("the table");
    let rows = table.lines().skip(1).take_while(|line| line.starts_with("| "));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [promises, tests, lacks] = cells.as_slice() else { panic!("not three cells: {row}") };
        let (mut file, mut named) = (None, Vec::new());
        for word in tests.split('`').skip(1).step_by(2) {
            if word.contains('/') {
                file = Some(word);
            } else {
                named.push((file.expect("a file stands before its tests").to_owned(), word.to_owned()));
            }
        }
        assert!(!named.is_empty() && !lacks.is_empty(), "nothing is said: {row}");
        let promises = promises.split("<br>").map(str::to_owned).collect();
        PromiseRow { promises, tests: named }
    })
    .collect()
}

/// The bold words of the README's promises, and the sentences with which the documentation of the crate begins.
fn promises_of_the_front_pages() -> Vec<String> {
    let readme = read("README.md");
    let list = readme.split("\n## Promises\n").nth(1).and_then(|rest| rest.split("\n## ").next());
    let lines = list.expect("the README says what is promised").lines();
    let titles =
        lines.filter_map(|line| Some(format!("**{}**", line.strip_prefix("- **")?.split_once("**")?.0)));
    let opening = opening_of_the_library();
    let (_title, rest) = opening.split_once("\n\n").expect("a title, and what is promised");
    let text = rest.split("\n\n# ").next().unwrap_or(rest).replace(['(', ')'], "").replace('\n', " ");
    let sentences = text.split(". ").map(|sentence| format!("{}.", sentence.trim().trim_end_matches('.')));
    titles.chain(sentences).collect()
}

/// The documentation of the crate.
fn opening_of_the_library() -> String {
    let library = read("src/lib.rs");
    let lines = library.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Whether a file has a test of that name, written out or as an entry of a macro that makes tests.
fn has_test(text: &str, name: &str) -> bool {
    if text.contains(&format!("\nshape!({name}: ")) {
        return true;
    }
    text.match_indices(&format!("fn {name}(")).any(|(at, _)| {
        let before = &text[..at];
        let is_marked = before.trim_end().ends_with("#[test]");
        // The block that it stands in has begun, and not ended.
        is_marked || before.rsplit("\n}\n").next().is_some_and(|block| block.contains("\nclaims! {\n"))
    })
}

#[test]
fn every_test_that_the_verification_names_is_there() {
    let sample =
        "#[test]\nfn a() {}\nfn b() {}\n\nclaims! {\n    fn c(one, |it| {})\n}\nshape!(d: One);\nfn e() {}\n";
    let found = ["a", "b", "c", "d", "e", "f"].map(|name| has_test(sample, name));
    assert_eq!(found, [true, false, true, true, false, false]);
    for row in promise_rows() {
        for (file, name) in row.tests {
            assert!(root().join(&file).is_file(), "docs/verification.md names {file}, which is not there");
            assert!(has_test(&read(&file), &name), "docs/verification.md names {name}, no test of {file}");
        }
    }
}

#[test]
fn every_promise_of_the_front_pages_has_a_row_in_the_verification_and_the_other_way_round() {
    let promises = promises_of_the_front_pages();
    assert!(promises.len() > 10 && promises.contains(&"**Bounded.**".to_owned()), "{promises:?}");
    let rows: Vec<String> = promise_rows().into_iter().flat_map(|row| row.promises).collect();
    for promise in &promises {
        assert!(rows.contains(promise), "docs/verification.md has no row for: {promise}");
    }
    let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let front_pages = [one_line(read("README.md")), one_line(opening_of_the_library())];
    for row in rows {
        assert!(front_pages.iter().any(|page| page.contains(&row)), "no front page says: {row}");
    }
}

#[test]
fn every_rung_of_the_gate_has_a_section_in_the_verification_with_its_command() {
    let document = read("docs/verification.md");
    let gate = document.split("\n## The gate\n").nth(1).expect("a chapter on the gate");
    let gate = gate.split("\n## ").next().expect("the chapter ends");
    let sections: BTreeSet<String> =
        gate.lines().filter_map(|line| Some(line.strip_prefix("### ")?.to_owned())).collect();
    assert_eq!(sections, rungs_of_the_gate().into_iter().collect());
    for rung in sections {
        let section =
            gate.split(&format!("\n### {rung}\n")).nth(1).and_then(|rest| rest.split("\n### ").next());
        let command = format!("\nbash ci/{rung}.sh\n");
        assert!(section.is_some_and(|section| section.contains(&command)), "no command for {rung}");
    }
}
