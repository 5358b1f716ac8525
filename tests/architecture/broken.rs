//! Small made-up sources, each breaking one rule or keeping it in an unusual way.

use crate::floors;
use crate::rules;
use crate::source::Tree;

const DOC: &str = "//! A made-up module.\n";

/// A crate of the given files, each with a module doc put before it.
fn tree(files: &[(&str, &str)]) -> Tree {
    Tree::new(files.iter().map(|(path, text)| (*path, format!("{DOC}{text}"))))
}

/// A ground module `sync` and a floor-0 module `panics`, with `text` as one more file.
fn with(path: &str, text: &str) -> Tree {
    let mut files = vec![("lib.rs", "mod sync; mod panics;"), ("sync/mod.rs", ""), ("panics.rs", "")];
    files.retain(|(present, _)| *present != path);
    files.push((path, text));
    tree(&files)
}

fn assert_found(finds: &[String], expected: &str) {
    assert!(finds.iter().any(|find| find.contains(expected)), "expected {expected:?} in {finds:?}");
}

#[test]
fn module_that_is_on_no_floor_is_found() {
    let finds = rules::unlisted_or_missing(&with("attic/mod.rs", ""));
    assert_found(&finds, "src/attic stands on no floor");
}

#[test]
fn floor_without_its_module_is_found() {
    let finds = rules::unlisted_or_missing(&tree(&[("lib.rs", ""), ("panics.rs", "")]));
    assert_found(&finds, "sync is on a floor but not in src/");
}

#[test]
fn upward_import_is_found_in_every_spelling() {
    for text in [
        "use crate::panics::Panic;",
        "use crate::{panics};",
        "use crate::{sync::Mutex, panics::{self, Panic}};",
        "use super::super::panics as other;",
        "fn f() { crate::panics::catch(); }",
        "fn f() -> Result<(), crate::panics::Panic> { Ok(()) }",
        "fn f() { assert!(crate::panics::holds(1)); }",
        "macro_rules! m { () => { $crate::panics::catch() }; }",
        "mod inner { fn f() { super::super::super::panics::catch(); } }",
        "use crate::panics; fn f() { panics::catch(); }",
        "pub(crate) use crate::panics::Panic;",
        "#[cfg(test)] mod tests { use crate::panics::Panic; }",
    ] {
        let finds = rules::imports_up_or_sideways(&with("sync/real.rs", text));
        assert_found(&finds, "sync imports up from crate::panics");
        assert_found(&finds, "src/sync/real.rs:2:");
    }
}

#[test]
fn import_through_the_root_counts_as_import_from_where_it_is_defined() {
    let files = [
        ("lib.rs", "mod sync; mod panics; pub use panics::Panic;"),
        ("sync/mod.rs", "use crate::Panic;"),
        ("panics.rs", "pub struct Panic;"),
    ];
    assert_found(&rules::imports_up_or_sideways(&tree(&files)), "sync imports up from crate::Panic");
}

#[test]
fn import_of_the_whole_root_is_found() {
    let finds = rules::imports_up_or_sideways(&with("panics.rs", "use crate as gristmill;"));
    assert_found(&finds, "names the crate's root");
    let finds = rules::imports_up_or_sideways(&with("panics.rs", "use crate::Nowhere;"));
    assert_found(&finds, "crate::Nowhere is in no module");
}

#[test]
fn import_between_modules_of_one_height_is_sideways() {
    // Neither module is on the list, so both have the same height.
    let files =
        [("lib.rs", ""), ("left.rs", "use crate::right::Thing;"), ("right/mod.rs", "pub struct Thing;")];
    assert_found(&rules::imports_up_or_sideways(&tree(&files)), "left imports sideways");
}

#[test]
fn downward_imports_strings_comments_and_restrictions_are_no_finds() {
    let text = r#"
        use crate::sync::{Mutex, thread};
        // use crate::pool::ThreadPool;
        /// ```
        /// use crate::pool::ThreadPool;
        /// ```
        pub(in crate::panics) fn f() -> &'static str { "crate::pool::ThreadPool" }
        crate::sync::thread_local! { static X: u8 = 0; }
    "#;
    assert!(rules::imports_up_or_sideways(&with("panics.rs", text)).is_empty());
    assert!(rules::around_the_door(&with("panics.rs", text)).is_empty());
}

#[test]
fn circle_between_modules_is_found() {
    let files = [
        ("lib.rs", ""),
        ("sync/mod.rs", "fn f() { crate::panics::catch(); }"),
        ("panics.rs", "use crate::sync::Mutex;"),
    ];
    assert_found(&rules::circular_imports(&tree(&files)), "panics -> sync -> panics");
}

#[test]
fn circle_between_files_is_found_through_the_face_too() {
    for (left, right) in [
        ("use super::right::Right;", "use super::left::Left;"),
        ("use super::Right;", "use crate::sync::Left;"),
        ("use super::super::sync::right;", "fn f(_: super::left::Left) {}"),
    ] {
        let files = [
            ("lib.rs", "mod sync;"),
            ("sync/mod.rs", "mod left; mod right; pub use left::Left; pub(crate) use self::right::Right;"),
            ("sync/left.rs", left),
            ("sync/right.rs", right),
        ];
        assert_found(&rules::circular_imports(&tree(&files)), "sync::left -> sync::right -> sync::left");
    }
}

#[test]
fn circle_between_a_face_and_its_file_is_found() {
    let files = [
        ("lib.rs", "mod sync;"),
        ("sync/mod.rs", "mod left; pub struct Face(left::Left);"),
        ("sync/left.rs", "pub struct Left(Option<Box<super::Face>>);"),
    ];
    assert_found(&rules::circular_imports(&tree(&files)), "sync -> sync::left -> sync");
}

#[test]
fn tests_beside_the_code_make_no_circle() {
    let files = [
        ("lib.rs", "mod sync;"),
        ("sync/mod.rs", "mod left; mod right; mod tests; pub use left::Left;"),
        ("sync/left.rs", "pub struct Left; #[cfg(test)] mod tests { use super::super::right::Right; }"),
        ("sync/right.rs", "use super::left::Left; #[cfg(test)] mod tests { use super::*; }"),
        ("sync/tests.rs", "use super::*; use super::left::Left;"),
    ];
    let finds = rules::circular_imports(&tree(&files));
    assert!(finds.is_empty(), "{finds:?}");
}

#[test]
fn file_that_opens_with_anything_but_a_module_doc_is_found() {
    for text in ["use std::fmt;\n", "//!\n//! Late.\n", "// Plain.\n", ""] {
        let finds = rules::without_module_doc(&Tree::new([("lib.rs", text)]));
        assert_found(&finds, "src/lib.rs:1: does not open with a module doc");
    }
}

#[test]
fn file_of_401_lines_is_found_and_tests_are_excepted() {
    let long = "\n".repeat(400);
    assert!(rules::too_long(&with("panics.rs", &long[1..])).is_empty());
    assert_found(&rules::too_long(&with("panics.rs", &long)), "src/panics.rs:401: longer than 400 lines");
    assert!(rules::too_long(&with("sync/tests.rs", &long)).is_empty());
    assert!(rules::too_long(&with("sync/tests/channel.rs", &long)).is_empty());
}

#[test]
fn way_around_the_door_is_found_in_every_spelling() {
    for text in [
        "use parking_lot::Mutex;",
        "use crossbeam_channel as channel;",
        "extern crate crossbeam_channel;",
        "use std::sync::atomic::AtomicBool;",
        "use std::sync::{Arc, atomic::{AtomicBool, Ordering}};",
        "use core::sync::atomic::AtomicBool;",
        "fn f() { std::thread::yield_now(); }",
        "use std::{sync::{self, Arc}, thread};",
        "use std::sync; fn f() { let lock = sync::Mutex::new(0); }",
        "use std as standard; type Lock = standard::sync::RwLock<u8>;",
        "use std::sync::*;",
        "use std::sync::mpsc::channel;",
        "type Wake = std::sync::Condvar;",
        "use std::time::Instant; fn f() { Instant::now(); }",
        "use std::time::Instant as Clock; fn f() { Clock::now(); }",
        "fn f() { crate::sync::time::Instant::now(); }",
        "use std::time::SystemTime;",
        "thread_local! { static X: u8 = 0; }",
        "std::thread_local! { static X: u8 = 0; }",
        "fn f() { assert!(std::thread::panicking()); }",
        "#[cfg(test)] mod tests { use std::sync::mpsc; }",
    ] {
        assert_found(&rules::around_the_door(&with("panics.rs", text)), "belongs behind sync");
        assert!(rules::around_the_door(&with("sync/real.rs", text)).is_empty(), "{text}");
    }
}

#[test]
fn what_needs_no_door_is_no_find() {
    let text = "use std::sync::{Arc, Weak, OnceLock}; use std::time::{Duration, Instant}; use std::fmt::*;
        use crate::sync::{Mutex, thread}; fn f(at: Instant, lock: &Mutex<u8>) { thread::park(); lock.lock(); }";
    let finds = rules::around_the_door(&with("panics.rs", text));
    assert!(finds.is_empty(), "{finds:?}");
}

#[test]
fn unwinding_outside_panics_is_found() {
    for text in [
        "fn f() { let _ = std::panic::catch_unwind(|| ()); }",
        "use std::panic::{self, resume_unwind};",
        "use std::panic; fn f() { panic::set_hook(todo!()); }",
        "use std::panic::*;",
        "fn f() { drop(std::panic::take_hook()); }",
    ] {
        assert_found(&rules::unwinding_outside_panics(&with("sync/real.rs", text)), "belongs behind panics");
        assert!(rules::unwinding_outside_panics(&with("panics.rs", text)).is_empty(), "{text}");
    }
}

#[test]
fn tracing_outside_trace_is_found() {
    for text in [
        "use tracing::Span;",
        "fn f() { tracing::info!(\"ground\"); }",
        "fn f() -> tracing::Span { ::tracing::Span::none() }",
        "#[cfg(feature = \"tracing\")] use tracing as spans;",
    ] {
        assert_found(&rules::tracing_outside_trace(&with("panics.rs", text)), "belongs behind trace");
        assert!(rules::tracing_outside_trace(&with("trace/on.rs", text)).is_empty(), "{text}");
    }
    let text = "use crate::trace::TaskSpan;";
    assert!(rules::tracing_outside_trace(&with("panics.rs", text)).is_empty());
}

#[test]
fn select_macro_is_found_and_the_select_type_is_not() {
    for text in
        ["fn f() { select! { recv(a) -> b => {} } }", "fn f() { crossbeam_channel::select!(default => {}); }"]
    {
        assert_found(&rules::select_macros(&with("sync/real.rs", text)), "select!");
    }
    let text = "fn f(select: Select) -> bool { select.ready() != 0 && select != other }";
    assert!(rules::select_macros(&with("sync/real.rs", text)).is_empty());
}

#[test]
fn banner_comment_is_found_in_every_shape() {
    for text in [
        "// ----\n",
        "// ---- tests ----\n",
        "// The rest ======\n",
        "//////////////\n",
        "/* **** */\n",
        "const NAME: &str = \"gr\u{fc}n\"; // ____ after text that is not ASCII\n",
    ] {
        assert_found(&rules::banner_comments(&with("panics.rs", text)), "src/panics.rs:2: banner comment");
    }
}

#[test]
fn drawings_in_documentation_and_strings_are_no_banners() {
    let text = "//! ```text\n//! ---- a picture ----\n//! ```\n/// |---|---|\nconst LINE: &str = \"// ----\";\n// a -- b\n";
    assert!(rules::banner_comments(&with("panics.rs", text)).is_empty());
}

#[test]
fn logic_in_the_root_is_found() {
    for text in ["pub fn run() {}", "mod inner { }", "const BOUND: usize = 1;", "macro_rules! m { () => {} }"]
    {
        assert_found(&rules::logic_in_the_root(&with("lib.rs", text)), "src/lib.rs:2: lib.rs holds only");
    }
    let bare =
        "#![forbid(unsafe_code)]\n#[doc(hidden)]\npub mod sync;\nmod panics;\npub use panics::Panic;\n";
    assert!(rules::logic_in_the_root(&with("lib.rs", bare)).is_empty());
}

#[test]
fn diagram_that_differs_from_the_list_is_found() {
    let page = |diagram: &str| {
        let lines: Vec<String> = diagram.lines().map(|line| format!("//! {line}")).collect();
        with("lib.rs", &format!("//!\n//! ```text\n{}\n//! ```\nmod sync;", lines.join("\n")))
    };
    assert!(rules::diagram_differs(&page(&floors::diagram())).is_empty());
    assert_found(&rules::diagram_differs(&page("ground   panics")), "is not the floor list");
    assert_found(&rules::diagram_differs(&with("lib.rs", "mod sync;")), "is not the floor list");
}
