//! Reads `src/` for what calls the user's code: every public function that takes a closure, an iterator or anything else of a trait that the user may implement.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use syn::punctuated::Punctuated;
use syn::{
    FnArg, GenericParam, ImplItem, Item, Signature, Token, TraitItem, Type, TypeParamBound, Visibility,
    WherePredicate,
};

/// Traits whose methods the user may write, so that a call of them may panic.
const USERS: [&str; 20] = [
    "Fn",
    "FnMut",
    "FnOnce",
    "Iterator",
    "IntoIterator",
    "ExactSizeIterator",
    "FromIterator",
    "Extend",
    "Ord",
    "PartialOrd",
    "PartialEq",
    "Eq",
    "Hash",
    "Clone",
    "Waitable",
    "Policy",
    "Clock",
    "Measured",
    "Error",
    "Display",
];

/// By `module::Type::function`, the traits of the user's that it takes.
pub(crate) type Callers = BTreeMap<String, Vec<String>>;

/// The public functions that take something of such a trait.
pub(crate) fn callers_of_users_code() -> Callers {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Callers::new();
    for entry in fs::read_dir(&root).expect("the sources are there") {
        let path = entry.expect("an entry").path();
        let module = path.file_stem().expect("a name").to_string_lossy().into_owned();
        // The door to locks and threads is hidden, and not for users.
        if module != "sync" {
            read(&path, &module, &mut found);
        }
    }
    found
}

fn read(path: &Path, module: &str, found: &mut Callers) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder of sources") {
            read(&entry.expect("an entry").path(), module, found);
        }
    } else if !path.ends_with("tests.rs") && !path.components().any(|part| part.as_os_str() == "tests") {
        let text = fs::read_to_string(path).expect("a source is text");
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        file.items.iter().for_each(|item| look_at(item, module, found));
    }
}

/// Modules in a file are those of tests, so they are passed over.
fn look_at(item: &Item, module: &str, found: &mut Callers) {
    let is_public = |visibility: &Visibility| matches!(visibility, Visibility::Public(_));
    let mut add = |of: &str, signature: &Signature| {
        let traits = traits_of(signature);
        if !traits.is_empty() {
            found.insert(format!("{module}::{of}{}", signature.ident), traits);
        }
    };
    match item {
        Item::Fn(item) if is_public(&item.vis) => add("", &item.sig),
        Item::Impl(item) => {
            let Type::Path(of) = &*item.self_ty else { return };
            let of = format!("{}::", of.path.segments.last().expect("a path").ident);
            for inner in &item.items {
                match inner {
                    ImplItem::Fn(inner) if is_public(&inner.vis) => add(&of, &inner.sig),
                    _ => {}
                }
            }
        }
        Item::Trait(item) if is_public(&item.vis) => {
            for inner in &item.items {
                if let TraitItem::Fn(inner) = inner {
                    add(&format!("{}::", item.ident), &inner.sig);
                }
            }
        }
        _ => {}
    }
}

fn traits_of(signature: &Signature) -> Vec<String> {
    let mut traits = Vec::new();
    for parameter in &signature.generics.params {
        if let GenericParam::Type(parameter) = parameter {
            add_bounds(&parameter.bounds, &mut traits);
        }
    }
    for predicate in signature.generics.where_clause.iter().flat_map(|clause| &clause.predicates) {
        if let WherePredicate::Type(predicate) = predicate {
            add_bounds(&predicate.bounds, &mut traits);
        }
    }
    for argument in &signature.inputs {
        if let FnArg::Typed(argument) = argument {
            match &*argument.ty {
                Type::ImplTrait(argument) => add_bounds(&argument.bounds, &mut traits),
                Type::Reference(argument) => match &*argument.elem {
                    Type::ImplTrait(argument) => add_bounds(&argument.bounds, &mut traits),
                    Type::TraitObject(argument) => add_bounds(&argument.bounds, &mut traits),
                    _ => {}
                },
                _ => {}
            }
        }
    }
    traits.sort();
    traits.dedup();
    traits
}

fn add_bounds(bounds: &Punctuated<TypeParamBound, Token![+]>, traits: &mut Vec<String>) {
    for bound in bounds {
        if let TypeParamBound::Trait(bound) = bound {
            let name = bound.path.segments.last().expect("a path").ident.to_string();
            if USERS.contains(&name.as_str()) {
                traits.push(name);
            }
        }
    }
}
