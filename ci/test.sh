#!/usr/bin/env bash
# The README's test command, word for word: what a newcomer runs first.
source "$(dirname "$0")/common.sh"

run cargo test
# The features have tests of their own.
run cargo test --all-features --lib --test journal_look --test journal_store --test journal_tasks --test pipeline_data --test metrics_publisher --test progress --test tracing --test treesum
