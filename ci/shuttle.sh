#!/usr/bin/env bash
# Whole pools and pipelines under seeded random and PCT schedules; GRISTMILL_ITERATIONS of each for every test.
source "$(dirname "$0")/common.sh"

has_tests shuttle || skip "there are no shuttle tests yet"
export GRISTMILL_ITERATIONS=${GRISTMILL_ITERATIONS:-20000}
echo "$GRISTMILL_ITERATIONS executions per test and scheduler"
# With the feature that one of the tests needs: cargo refuses the pattern otherwise.
run env CARGO_TARGET_DIR=$builds/shuttle RUSTFLAGS="--cfg gristmill_shuttle" \
    cargo test --no-fail-fast --release --features journal --test 'shuttle_*'
