#!/usr/bin/env bash
# The README's test command, word for word: what a newcomer runs first.
source "$(dirname "$0")/common.sh"

run cargo test
# The feature has tests of its own.
run cargo test --features serde --test pipeline_data
