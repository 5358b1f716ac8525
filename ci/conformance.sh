#!/usr/bin/env bash
# The ordinary tests pass on the model channel with real threads: it behaves as crossbeam's does.
source "$(dirname "$0")/common.sh"

mapfile -t tests < <(real_thread_tests)
run env CARGO_TARGET_DIR=$builds/model-std RUSTFLAGS="--cfg gristmill_model_std" \
    cargo test --no-fail-fast --lib "${tests[@]}"
# Its thread that cannot be created is counted here only.
run env CARGO_TARGET_DIR=$builds/model-std RUSTFLAGS="--cfg gristmill_model_std" \
    cargo test --features journal --test faults spawns
