//! Reads Rust source as tokens: which names a file uses, and which plain comments it has.
//!
//! Tokens rather than a syntax tree, because names inside macro calls count too and a tree keeps those as tokens anyway.
//! Strings and doc examples are single tokens, so nothing in them is taken for code.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree, token_stream};

/// A module's path from the crate root: `["pool", "worker"]`.
pub(crate) type Module = Vec<String>;

/// A path as a file uses it.
pub(crate) struct Name {
    pub(crate) line: usize,
    /// Absolute: `["crate", "pool", "worker"]` or `["std", "sync", "Mutex"]`; a local name stays as it is.
    pub(crate) path: Vec<String>,
    pub(crate) form: Form,
    pub(crate) is_reexport: bool,
    /// Inside a module that only tests compile.
    pub(crate) is_test: bool,
}

/// How a path is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `a::b`, in code or in a `use`.
    Plain,
    /// `use a::b::*`.
    Glob,
    /// `a::b!(..)`.
    MacroCall,
}

/// One source file.
pub(crate) struct Source {
    /// The path below `src/`, with `/`.
    pub(crate) file: String,
    pub(crate) module: Module,
    pub(crate) text: String,
    pub(crate) names: Vec<Name>,
    /// What each `use` binds, absolute.
    pub(crate) bindings: BTreeMap<String, Vec<String>>,
    /// The macros that the file defines.
    pub(crate) macros: BTreeSet<String>,
    /// Plain comments (not documentation) with their line.
    pub(crate) comments: Vec<(usize, String)>,
}

impl Source {
    pub(crate) fn top_module(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }

    /// A file that only tests compile: `tests.rs`, or anything in a folder `tests`.
    pub(crate) fn is_test_file(&self) -> bool {
        self.module.iter().any(|part| part == "tests")
    }
}

/// Every file below `src/`.
pub(crate) struct Tree {
    pub(crate) sources: Vec<Source>,
    pub(crate) modules: BTreeSet<Module>,
}

impl Tree {
    /// Reads files given as (path below `src/`, text).
    pub(crate) fn new<P: AsRef<str>, T: Into<String>>(files: impl IntoIterator<Item = (P, T)>) -> Self {
        let files: Vec<(String, String)> =
            files.into_iter().map(|(path, text)| (path.as_ref().to_owned(), text.into())).collect();
        let modules: BTreeSet<Module> = files.iter().map(|(path, _)| module_of(path)).collect();
        let sources = files.into_iter().map(|(path, text)| read(path, text, &modules)).collect();
        Self { sources, modules }
    }

    pub(crate) fn source_of(&self, module: &[String]) -> Option<&Source> {
        self.sources.iter().find(|source| source.module == module)
    }

    /// The module file that really defines what `path` (which starts with `crate`) names, re-exports followed.
    pub(crate) fn defining_module(&self, path: &[String]) -> Module {
        let mut path = path.to_vec();
        for _ in 0..8 {
            let mut known = path.len();
            while !self.modules.contains(&path[1..known]) {
                known -= 1; // ends at the root, which is always known
            }
            let module = path[1..known].to_vec();
            let binding = path
                .get(known)
                .and_then(|item| self.source_of(&module)?.bindings.get(item))
                .filter(|target| target.first().is_some_and(|root| root == "crate"));
            match binding {
                Some(target) if target[..] != path[..=known] => {
                    path = target.iter().chain(&path[known + 1..]).cloned().collect();
                }
                _ => return module,
            }
        }
        path[1..].to_vec()
    }
}

fn module_of(file: &str) -> Module {
    let parts = file.trim_end_matches(".rs").split('/').map(str::to_owned);
    let mut module: Module = parts.collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    module
}

fn read(file: String, text: String, modules: &BTreeSet<Module>) -> Source {
    let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("src/{file}: {error}"));
    let module = module_of(&file);
    let comments = comments(&text, tokens.clone());
    let mut scan = Scan { found: Vec::new(), macros: BTreeSet::new() };
    scan.tokens(tokens, &Place { inner: Vec::new(), is_test: false });

    let resolver = Resolver::new(&scan.found, &module, modules);
    let names = scan.found.iter().map(|raw| resolver.name(raw)).collect();
    let bindings =
        resolver.bindings.iter().map(|(bound, raw)| (bound.clone(), resolver.name(raw).path)).collect();
    Source { file, module, text, names, bindings, macros: scan.macros, comments }
}

/// The text between tokens is white space and plain comments; documentation is a token.
fn comments(text: &str, tokens: TokenStream) -> Vec<(usize, String)> {
    let mut spans = Vec::new();
    collect_spans(tokens, &mut spans);
    spans.push(text.len()..text.len());
    let (mut end, mut first, mut found) = (0, 1, Vec::new());
    for span in spans {
        if let Some(gap) = text.get(end..span.start) {
            let lines = gap.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            found.extend(lines.map(|(offset, line)| (first + offset, line.trim().to_owned())));
        }
        let next = end.max(span.end);
        first += text[end..next].matches('\n').count();
        end = next;
    }
    found
}

fn collect_spans(tokens: TokenStream, spans: &mut Vec<std::ops::Range<usize>>) {
    for token in tokens {
        if let TokenTree::Group(group) = token {
            spans.push(group.span_open().byte_range());
            collect_spans(group.stream(), spans);
            spans.push(group.span_close().byte_range());
        } else {
            spans.push(token.span().byte_range());
        }
    }
}

/// A path before it is resolved.
#[derive(Clone)]
struct Raw {
    line: usize,
    place: Place,
    path: Vec<String>,
    /// The name that a `use` binds it to.
    bound: Option<String>,
    form: Form,
    is_reexport: bool,
}

/// Where in a file: the modules written out in it that we are inside of.
#[derive(Clone)]
struct Place {
    inner: Module,
    is_test: bool,
}

type Tokens = Peekable<token_stream::IntoIter>;

struct Scan {
    found: Vec<Raw>,
    macros: BTreeSet<String>,
}

impl Scan {
    fn tokens(&mut self, stream: TokenStream, place: &Place) {
        let mut tokens = stream.into_iter().peekable();
        let mut is_public = false;
        let mut is_test_item = false;
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(word) if word == "pub" => {
                    is_public = true;
                    skip_restriction(&mut tokens);
                    continue;
                }
                TokenTree::Ident(word) if word == "use" && !next_is(&mut tokens, '<') => {
                    self.use_tree(&mut tokens, place, is_public, &[]);
                }
                TokenTree::Ident(word) if word == "mod" => {
                    self.module(&mut tokens, place, is_test_item);
                    is_test_item = false;
                }
                TokenTree::Ident(word) => {
                    let line = word.span().start().line;
                    let path = rest_of_path(word.to_string(), &mut tokens);
                    self.path(line, path, &mut tokens, place);
                }
                TokenTree::Group(group) => {
                    // `#[cfg(test)]` speaks of the item that follows it.
                    match group.delimiter() {
                        Delimiter::Bracket => {
                            is_test_item |= group.stream().to_string().replace(' ', "") == "cfg(test)";
                        }
                        Delimiter::Brace => is_test_item = false,
                        _ => {}
                    }
                    self.tokens(group.stream(), place);
                }
                TokenTree::Punct(mark) => is_test_item &= mark.as_char() != ';',
                TokenTree::Literal(_) => {}
            }
            is_public = false;
        }
    }

    fn module(&mut self, tokens: &mut Tokens, place: &Place, is_test_item: bool) {
        let Some(TokenTree::Ident(name)) = tokens.next() else { return };
        if let Some(TokenTree::Group(body)) = tokens.peek().cloned() {
            tokens.next();
            let mut inner = place.inner.clone();
            inner.push(name.to_string());
            self.tokens(body.stream(), &Place { inner, is_test: place.is_test || is_test_item });
        }
    }

    fn path(&mut self, line: usize, path: Vec<String>, tokens: &mut Tokens, place: &Place) {
        let is_macro_call = next_is(tokens, '!') && {
            let mut ahead = tokens.clone();
            ahead.next();
            match ahead.next() {
                Some(TokenTree::Ident(name)) if path == ["macro_rules"] => {
                    self.macros.insert(name.to_string());
                    true
                }
                Some(TokenTree::Group(_)) => true,
                _ => false,
            }
        };
        let form = if is_macro_call { Form::MacroCall } else { Form::Plain };
        self.found.push(Raw { line, place: place.clone(), path, bound: None, form, is_reexport: false });
    }

    /// One branch of a `use`, up to the `,` or `;` behind it.
    fn use_tree(&mut self, tokens: &mut Tokens, place: &Place, is_reexport: bool, prefix: &[String]) {
        let mut path = prefix.to_vec();
        let (mut line, mut form, mut renamed) = (0, Form::Plain, None);
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    renamed = tokens.next().map(|name| name.to_string());
                }
                TokenTree::Ident(word) => {
                    line = word.span().start().line;
                    if word != "self" || path.is_empty() {
                        path.push(word.to_string());
                    }
                }
                TokenTree::Punct(mark) if mark.as_char() == '*' => {
                    line = mark.span().start().line;
                    form = Form::Glob;
                }
                TokenTree::Punct(mark) if matches!(mark.as_char(), ',' | ';') => break,
                TokenTree::Group(group) => {
                    return self.use_branches(&group, tokens, place, is_reexport, &path);
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
        let bound = if form == Form::Glob { None } else { renamed.or_else(|| path.last().cloned()) };
        let place = place.clone();
        self.found.push(Raw { line, place, path, bound, form, is_reexport });
    }

    fn use_branches(
        &mut self,
        group: &Group,
        behind: &mut Tokens,
        place: &Place,
        is_reexport: bool,
        prefix: &[String],
    ) {
        let mut branches = group.stream().into_iter().peekable();
        while branches.peek().is_some() {
            self.use_tree(&mut branches, place, is_reexport, prefix);
        }
        behind.next(); // the `,` or `;` behind the braces
    }
}

fn next_is(tokens: &mut Tokens, mark: char) -> bool {
    matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == mark)
}

/// Skips the `(crate)` of `pub(crate)`: it names a place, it does not import from it.
fn skip_restriction(tokens: &mut Tokens) {
    let is_restriction = matches!(tokens.peek(), Some(TokenTree::Group(group)) if {
        let first = group.stream().into_iter().next().map(|token| token.to_string());
        matches!(first.as_deref(), Some("crate" | "self" | "super" | "in"))
    });
    if is_restriction {
        tokens.next();
    }
}

fn rest_of_path(first: String, tokens: &mut Tokens) -> Vec<String> {
    let mut path = vec![first];
    loop {
        let mut ahead = tokens.clone();
        let colons = (ahead.next(), ahead.next());
        let (Some(TokenTree::Punct(left)), Some(TokenTree::Punct(right))) = colons else { return path };
        let Some(TokenTree::Ident(word)) = ahead.next() else { return path };
        if left.as_char() != ':' || right.as_char() != ':' {
            return path;
        }
        path.push(word.to_string());
        *tokens = ahead;
    }
}

/// Turns what is written into absolute paths.
struct Resolver<'a> {
    module: &'a Module,
    modules: &'a BTreeSet<Module>,
    bindings: BTreeMap<String, Raw>,
}

impl<'a> Resolver<'a> {
    fn new(found: &[Raw], module: &'a Module, modules: &'a BTreeSet<Module>) -> Self {
        let bound = found.iter().filter_map(|raw| Some((raw.bound.clone()?, raw.clone())));
        Self { module, modules, bindings: bound.filter(|(name, _)| name != "_").collect() }
    }

    fn name(&self, raw: &Raw) -> Name {
        Name {
            line: raw.line,
            path: self.absolute(raw, 8),
            form: raw.form,
            is_reexport: raw.is_reexport,
            is_test: raw.place.is_test,
        }
    }

    fn absolute(&self, raw: &Raw, depth: usize) -> Vec<String> {
        let here: Module = self.module.iter().chain(&raw.place.inner).cloned().collect();
        let first = raw.path[0].as_str();
        let in_crate = |module: &[String], rest: &[String]| {
            std::iter::once("crate".to_owned())
                .chain(module.iter().cloned())
                .chain(rest.iter().cloned())
                .collect()
        };
        match first {
            "crate" => raw.path.clone(),
            "self" => in_crate(&here, &raw.path[1..]),
            "super" => {
                let ups = raw.path.iter().take_while(|part| *part == "super").count();
                in_crate(&here[..here.len().saturating_sub(ups)], &raw.path[ups..])
            }
            _ => {
                let child: Module = here.iter().cloned().chain([first.to_owned()]).collect();
                if let Some(binding) = self.bindings.get(first).filter(|binding| {
                    // `use std;` binds a name to itself.
                    depth > 0
                        && binding.path != raw.path[..1]
                        && (raw.bound.is_none() || binding.path[0] != first)
                }) {
                    let target = self.absolute(binding, depth - 1);
                    target.into_iter().chain(raw.path[1..].iter().cloned()).collect()
                } else if self.modules.contains(&child) {
                    in_crate(&here, &raw.path)
                } else {
                    raw.path.clone()
                }
            }
        }
    }
}
