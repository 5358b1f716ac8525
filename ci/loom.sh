#!/usr/bin/env bash
# Every interleaving of the small protocols with at most LOOM_MAX_PREEMPTIONS preemptions.
#
# Loom aborts the process on some deadlocks, so each model has a process of its own where nextest is installed.
source "$(dirname "$0")/common.sh"

has_tests loom || skip "there are no loom tests yet"
export LOOM_MAX_PREEMPTIONS=${LOOM_MAX_PREEMPTIONS:-2}
export CARGO_TARGET_DIR=$builds/loom RUSTFLAGS="--cfg gristmill_loom -C debug-assertions"
echo "at most $LOOM_MAX_PREEMPTIONS preemptions"
if has_cargo_command nextest; then
    run cargo nextest run --no-fail-fast --release --profile models --test 'loom_*'
else
    run cargo test --no-fail-fast --release --test 'loom_*' -- --test-threads=1
fi
# These protocols are private, so their models are unit tests.
run cargo test --no-fail-fast --release --lib -- --test-threads=1 wakeup::model group::model
