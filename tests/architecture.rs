//! Holds `src/` to its architecture: floors without circles, one door, one idea per file.
//!
//! `broken` shows for each rule a source that breaks it, so that no rule can pass by looking at nothing.

#[path = "architecture/broken.rs"]
mod broken;
#[path = "architecture/floors.rs"]
mod floors;
#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/source.rs"]
mod source;

use std::path::Path;
use std::sync::LazyLock;

use source::Tree;

static CRATE: LazyLock<Tree> = LazyLock::new(|| {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    read_folder(&src, &src, &mut files);
    files.sort();
    Tree::new(files)
});

fn read_folder(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry of src/ is readable").path();
        if path.is_dir() {
            read_folder(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file is UTF-8");
            let below = path.strip_prefix(root).expect("it was found below the root");
            files.push((below.to_string_lossy().replace('\\', "/"), text));
        }
    }
}

fn assert_none(finds: &[String]) {
    assert!(finds.is_empty(), "\n{}\n", finds.join("\n"));
}

#[test]
fn every_module_stands_on_a_floor_and_every_floor_is_built() {
    assert_none(&rules::unlisted_or_missing(&CRATE));
}

#[test]
fn no_module_imports_upward_or_sideways() {
    assert_none(&rules::imports_up_or_sideways(&CRATE));
}

#[test]
fn no_modules_and_no_files_import_in_a_circle() {
    assert_none(&rules::circular_imports(&CRATE));
}

#[test]
fn every_file_opens_with_a_module_doc() {
    assert_none(&rules::without_module_doc(&CRATE));
}

#[test]
fn no_file_is_longer_than_400_lines() {
    assert_none(&rules::too_long(&CRATE));
}

#[test]
fn only_sync_names_locks_atomics_channels_threads_and_the_clock() {
    assert_none(&rules::around_the_door(&CRATE));
}

#[test]
fn only_panics_touches_an_unwind_or_the_panic_hook() {
    assert_none(&rules::unwinding_outside_panics(&CRATE));
}

#[test]
fn only_trace_names_the_tracing_crate() {
    assert_none(&rules::tracing_outside_trace(&CRATE));
}

#[test]
fn no_file_uses_the_select_macro() {
    assert_none(&rules::select_macros(&CRATE));
}

#[test]
fn no_comment_draws_a_banner() {
    assert_none(&rules::banner_comments(&CRATE));
}

#[test]
fn lib_holds_no_logic() {
    assert_none(&rules::logic_in_the_root(&CRATE));
}

#[test]
fn front_page_prints_the_floor_list() {
    assert_none(&rules::diagram_differs(&CRATE));
}
