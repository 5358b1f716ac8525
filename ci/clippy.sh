#!/usr/bin/env bash
# No warning in any configuration: as shipped, on each model, with each feature alone, and with all. What is no part of the library is looked at with no feature
# and with all: it has no code for one of them alone.
source "$(dirname "$0")/common.sh"

has_cargo_command clippy || skip "clippy is not installed"
export CARGO_TARGET_DIR=$builds
check cargo clippy --all-targets -- -D warnings

features=$(features)
for feature in $features; do
    check cargo clippy --lib --no-default-features --features "$feature" -- -D warnings
done
if [[ -n $features ]]; then
    check cargo clippy --all-targets --all-features -- -D warnings
fi

# The tests for real threads need not compile on a scheduler's types, so each model sees the library and its own tests; what a test of
# real threads has for the model channel, ci/conformance.sh compiles.
check env CARGO_TARGET_DIR=$builds/model-std RUSTFLAGS="--cfg gristmill_model_std" cargo clippy --lib -- -D warnings
for model in shuttle loom; do
    tests=()
    has_tests $model && tests=(--test "${model}_*")
    # The journal is modelled under shuttle, and it is a feature.
    if [[ $model == shuttle ]]; then tests+=(--features journal); fi
    check env CARGO_TARGET_DIR=$builds/$model RUSTFLAGS="--cfg gristmill_$model" \
        cargo clippy --lib "${tests[@]}" -- -D warnings
done
checked
