//! The rules: each takes the sources and returns what breaks it, one line per find.

use std::collections::{BTreeMap, BTreeSet};

use crate::floors::{self, FLOORS};
use crate::source::{Form, Module, Name, Source, Tree};

/// The longest source file; a file of tests may be longer.
const LINES: usize = 400;

/// Locks, atomics, channels, threads and the clock, by the start of their path.
const BEHIND_THE_DOOR: &[&str] = &[
    "parking_lot",
    "crossbeam_channel",
    "crossbeam",
    "crossbeam_utils",
    "num_cpus",
    "shuttle",
    "loom",
    "std::sync::atomic",
    "core::sync::atomic",
    "std::sync::Mutex",
    "std::sync::Condvar",
    "std::sync::RwLock",
    "std::sync::Barrier",
    "std::sync::mpsc",
    "std::thread",
    "std::thread_local",
    "thread_local",
];

/// The clock, by the end of its path, however it was imported.
const CLOCK: &[&str] = &["Instant::now", "SystemTime", "SystemTime::now"];

/// What catches or resumes an unwind, or decides what a panic prints.
const UNWINDING: &[&str] = &["catch_unwind", "resume_unwind", "set_hook", "take_hook", "update_hook"];

fn find(source: &Source, line: usize, what: &str) -> String {
    format!("src/{}:{line}: {what}", source.file)
}

/// The list and `src/` name the same top modules.
pub(crate) fn unlisted_or_missing(tree: &Tree) -> Vec<String> {
    let present: BTreeSet<&str> = tree.sources.iter().filter_map(Source::top_module).collect();
    let listed: BTreeSet<&str> =
        FLOORS.iter().flat_map(|floor| floor.modules).map(|(module, _)| *module).collect();
    let unlisted = present.difference(&listed).map(|module| format!("src/{module} stands on no floor"));
    let missing = listed.difference(&present).map(|module| format!("{module} is on a floor but not in src/"));
    unlisted.chain(missing).collect()
}

/// The top module that a name of this crate is imported from, or why it cannot be told.
fn imported_module(tree: &Tree, name: &Name) -> Option<Result<String, String>> {
    if name.path[0] != "crate" {
        return None;
    }
    let Some(top) = name.path.get(1) else {
        return Some(Err("names the crate's root: name the module".to_owned()));
    };
    if tree.modules.contains(std::slice::from_ref(top)) {
        return Some(Ok(top.clone()));
    }
    let by_reexport = tree.defining_module(&name.path);
    let by_macro =
        || tree.sources.iter().find(|source| source.macros.contains(top))?.top_module().map(str::to_owned);
    let module = by_reexport.first().cloned().or_else(by_macro);
    Some(module.ok_or_else(|| format!("crate::{top} is in no module: name the module it is in")))
}

/// A module imports from lower floors and its own folder only.
pub(crate) fn imports_up_or_sideways(tree: &Tree) -> Vec<String> {
    let mut finds = Vec::new();
    for source in &tree.sources {
        let Some(importer) = source.top_module() else { continue };
        for name in &source.names {
            match imported_module(tree, name) {
                Some(Err(reason)) => finds.push(find(source, name.line, &reason)),
                Some(Ok(target)) if target != importer => {
                    let direction = match floors::height(&target).cmp(&floors::height(importer)) {
                        std::cmp::Ordering::Less => continue,
                        std::cmp::Ordering::Equal => "sideways",
                        std::cmp::Ordering::Greater => "up",
                    };
                    let text = format!("{importer} imports {direction} from {}", name.path.join("::"));
                    finds.push(find(source, name.line, &text));
                }
                _ => {}
            }
        }
    }
    finds
}

/// No circle among top modules, and none among the files of one folder.
///
/// A face that only hands on what its files define does not import from them. Tests may look at everything beside them.
pub(crate) fn circular_imports(tree: &Tree) -> Vec<String> {
    let mut between_modules: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    let mut between_files: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for source in tree.sources.iter().filter(|source| !source.module.is_empty()) {
        let top = &source.module[..1];
        for name in &source.names {
            let Some(Ok(imported)) = imported_module(tree, name) else { continue };
            if imported != top[0] {
                between_modules.entry(top.to_vec()).or_default().insert(vec![imported]);
            } else if !name.is_reexport && !name.is_test && !source.is_test_file() {
                let target = tree.defining_module(&name.path);
                if target != source.module {
                    between_files.entry(source.module.clone()).or_default().insert(target);
                }
            }
        }
    }
    [between_modules, between_files].iter().filter_map(circle).collect()
}

/// One circle in a graph, written as a chain, if there is any.
fn circle(graph: &BTreeMap<Module, BTreeSet<Module>>) -> Option<String> {
    fn visit<'a>(
        graph: &'a BTreeMap<Module, BTreeSet<Module>>,
        at: &'a Module,
        chain: &mut Vec<&'a Module>,
        done: &mut BTreeSet<&'a Module>,
    ) -> bool {
        if let Some(start) = chain.iter().position(|module| *module == at) {
            chain.drain(..start);
            chain.push(at);
            return true;
        }
        if done.contains(at) {
            return false;
        }
        chain.push(at);
        if graph.get(at).into_iter().flatten().any(|next| visit(graph, next, chain, done)) {
            return true;
        }
        chain.pop();
        done.insert(at);
        false
    }
    let (mut chain, mut done) = (Vec::new(), BTreeSet::new());
    let found = graph.keys().any(|start| visit(graph, start, &mut chain, &mut done));
    let text: Vec<String> = chain.iter().map(|module| module.join("::")).collect();
    found.then(|| format!("circular import: {}", text.join(" -> ")))
}

/// Every file opens with `//!` and a sentence.
pub(crate) fn without_module_doc(tree: &Tree) -> Vec<String> {
    let has_doc = |source: &Source| {
        let first = source.text.lines().next().unwrap_or_default();
        first.strip_prefix("//!").is_some_and(|sentence| !sentence.trim().is_empty())
    };
    let bare = tree.sources.iter().filter(|source| !has_doc(source));
    bare.map(|source| find(source, 1, "does not open with a module doc")).collect()
}

/// No file is longer than one idea.
pub(crate) fn too_long(tree: &Tree) -> Vec<String> {
    let checked = tree.sources.iter().filter(|source| !source.is_test_file());
    let long =
        checked.map(|source| (source, source.text.lines().count())).filter(|(_, lines)| *lines > LINES);
    long.map(|(source, lines)| find(source, lines, &format!("longer than {LINES} lines"))).collect()
}

/// Nothing but `sync` names locks, atomics, channels, threads or the clock.
pub(crate) fn around_the_door(tree: &Tree) -> Vec<String> {
    outside(tree, "sync", |name| {
        let path = name.path.join("::");
        let starts = |of: &str, with: &str| of == with || of.starts_with(&format!("{with}::"));
        let through_glob = name.form == Form::Glob && BEHIND_THE_DOOR.iter().any(|door| starts(door, &path));
        let by_start = BEHIND_THE_DOOR.iter().any(|door| starts(&path, door));
        let by_end = CLOCK.iter().any(|clock| path == *clock || path.ends_with(&format!("::{clock}")));
        by_start || by_end || through_glob
    })
}

/// Nothing but `panics` touches an unwind or the panic hook.
pub(crate) fn unwinding_outside_panics(tree: &Tree) -> Vec<String> {
    outside(tree, "panics", |name| {
        let through_glob =
            name.form == Form::Glob && matches!(name.path.join("::").as_str(), "std" | "std::panic");
        through_glob || name.path.iter().any(|part| UNWINDING.contains(&part.as_str()))
    })
}

/// Nothing but `trace` names the crate `tracing`: what is there without the feature stands in its place, and no other module asks.
pub(crate) fn tracing_outside_trace(tree: &Tree) -> Vec<String> {
    outside(tree, "trace", |name| name.path[0] == "tracing")
}

fn outside(tree: &Tree, owner: &str, is_kept: impl Fn(&Name) -> bool) -> Vec<String> {
    let mut finds = Vec::new();
    for source in tree.sources.iter().filter(|source| source.top_module() != Some(owner)) {
        for name in source.names.iter().filter(|name| is_kept(name)) {
            finds.push(find(source, name.line, &format!("{} belongs behind {owner}", name.path.join("::"))));
        }
    }
    finds
}

/// `select!` expands to crossbeam's internals, so code that uses it cannot run on the model channel.
pub(crate) fn select_macros(tree: &Tree) -> Vec<String> {
    let is_select = |name: &&Name| {
        name.form == Form::MacroCall
            && matches!(name.path.last().map(String::as_str), Some("select" | "select_biased"))
    };
    let finds = tree.sources.iter().flat_map(|source| {
        let calls = source.names.iter().filter(is_select);
        calls.map(move |name| find(source, name.line, "select!: use Select::ready and try_recv or try_send"))
    });
    finds.collect()
}

/// A comment that draws a line divides a file that should be two.
pub(crate) fn banner_comments(tree: &Tree) -> Vec<String> {
    let is_banner = |comment: &str| {
        let text = comment.trim_start_matches("/*").trim_start_matches("//").trim_end_matches("*/").trim();
        let drawn = |mark: char| {
            let run = mark.to_string().repeat(4);
            text.starts_with(&run) || text.ends_with(&run)
        };
        comment.starts_with("////") || ['-', '=', '*', '#', '~', '_', '+'].into_iter().any(drawn)
    };
    let finds = tree.sources.iter().flat_map(|source| {
        let banners = source.comments.iter().filter(|(_, comment)| is_banner(comment));
        banners.map(move |(line, _)| find(source, *line, "banner comment: split the file"))
    });
    finds.collect()
}

/// `lib.rs` holds documentation, attributes, `mod` and `use`, nothing else.
pub(crate) fn logic_in_the_root(tree: &Tree) -> Vec<String> {
    let Some(root) = tree.source_of(&[]) else { return vec!["src/lib.rs is missing".to_owned()] };
    let file = syn::parse_file(&root.text).unwrap_or_else(|error| panic!("src/lib.rs: {error}"));
    let is_bare = |item: &syn::Item| match item {
        syn::Item::Use(_) => true,
        syn::Item::Mod(module) => module.content.is_none(),
        _ => false,
    };
    let others = file.items.iter().filter(|item| !is_bare(item));
    others
        .map(|item| {
            let line = syn::spanned::Spanned::span(item).start().line;
            find(root, line, "lib.rs holds only documentation, attributes, `mod` and `use`")
        })
        .collect()
}

/// The front page prints the floor list as it is.
pub(crate) fn diagram_differs(tree: &Tree) -> Vec<String> {
    let Some(root) = tree.source_of(&[]) else { return vec!["src/lib.rs is missing".to_owned()] };
    let docs: Vec<&str> =
        root.text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim_end).collect();
    let printed: Vec<&str> = docs
        .iter()
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .skip_while(|line| *line != "```text")
        .skip(1)
        .take_while(|line| *line != "```")
        .collect();
    let expected = floors::diagram();
    if printed.join("\n") == expected {
        Vec::new()
    } else {
        vec![format!("the first text block of src/lib.rs is not the floor list; it must read:\n{expected}")]
    }
}
