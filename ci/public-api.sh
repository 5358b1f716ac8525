#!/usr/bin/env bash
# The public API is the one that docs/public-api.txt lists, so that a change to it is seen where changes are read. With `--write`, the list is
# written anew.
source "$(dirname "$0")/common.sh"

# These two belong together: what the tool reads is what some nightly toolchains write.
version=0.52.0
format=57
list=docs/public-api.txt

toolchain=$(nightly) || skip "there is no nightly toolchain"
run env CARGO_TARGET_DIR=$builds/public-api cargo "+$toolchain" rustdoc --lib --all-features -- -Zunstable-options --output-format json
json=$builds/public-api/doc/gristmill.json
written=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["format_version"])' "$json")
[[ $written == "$format" ]] ||
    skip "$toolchain writes rustdoc's JSON in format $written, and cargo-public-api $version reads $format"

tools=$builds/tools
PATH=$tools/bin:$PATH
if [[ $(cargo-public-api --version 2>/dev/null) != *" $version" ]]; then
    run env CARGO_TARGET_DIR=$tools/build timeout 900 cargo install --debug --locked --root "$tools" "cargo-public-api@$version" ||
        skip "cargo-public-api $version cannot be installed"
    rm -rf "$tools/build"
fi

# Without blanket and auto traits, which the compiler gives (tests/api.rs looks at those), without the functions of traits that an `impl` says
# already, and each line once, though many types are exported from two modules.
functions='^pub fn .*::(fmt|clone|eq|cmp|partial_cmp|default|drop|from|deref|deref_mut|source|size_hint|serialize|deserialize)(<[^(]*>)?\(|::hash<'
found=$builds/public-api/public-api.txt
cargo-public-api --rustdoc-json "$json" -ss --color never |
    grep -vE "$functions|core::marker::StructuralPartialEq for " | awk '!seen[$0]++' >"$found"
if [[ ${1:-} == --write ]]; then
    cp "$found" "$list"
elif ! diff -u "$list" "$found"; then
    echo "the public API differs from $list; if it is meant to, write the list anew: bash ci/public-api.sh --write"
    exit 1
fi
