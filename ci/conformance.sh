#!/usr/bin/env bash
# The ordinary tests pass on the model channel with real threads: it behaves as crossbeam's does.
source "$(dirname "$0")/common.sh"

run env CARGO_TARGET_DIR=$builds/model-std RUSTFLAGS="--cfg gristmill_model_std" cargo test --lib --tests
