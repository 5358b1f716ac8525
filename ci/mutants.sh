#!/usr/bin/env bash
# Breaks the sources in small ways, one at a time, and shows which breakages no test notices.
#
#     ci/mutants.sh [module...]     all of src but the door to threads if none is named
#
# What is broken, and how, is cargo-mutants' list. It builds the crate anew for each of them, four to six seconds for some eleven thousand; here all
# are built at once, each behind a switch, and a test that comes by it runs with that one switched on.
# GRISTMILL_SHARD=k/n takes every n-th, as a sample. What was found is kept in target/mutants and added to, until the sources change.
source "$(dirname "$0")/common.sh"

has_cargo_command mutants || skip "cargo-mutants is not installed (cargo install --locked cargo-mutants)"

[[ $builds == /* ]] || builds=$PWD/$builds
work=$builds/mutants
mkdir -p "$work"
run cargo build --release --quiet --manifest-path ci/mutants/Cargo.toml --target-dir "$builds/tools/mutants"
mutants() {
    run python3 ci/mutants.py "$builds/tools/mutants/release/switched-mutations" "$work" "$@"
}

sources=$(git ls-files -z --cached --others --exclude-standard src tests ci/mutants* | xargs -0 sha256sum | sha256sum)
if [[ $(cat "$work/sources" 2>/dev/null) != "$sources" ]]; then
    rm -f "$work/sources" "$work/results.jsonl"
    mutants prepare
    mutants build
    mutants trace
    echo "$sources" >"$work/sources"
fi
mutants run "${GRISTMILL_SHARD:-0/1}" "$@"
mutants missed "$@"
mutants score
