#!/usr/bin/env bash
# The README's test command, what a newcomer runs first; here it goes on after a failure, so that one run shows all.
source "$(dirname "$0")/common.sh"

check cargo test --no-fail-fast
# The features have tests of their own.
check cargo test --no-fail-fast --all-features --lib --test journal_look --test journal_store --test journal_tasks --test pipeline_data --test metrics_publisher --test progress --test tracing --test treesum
checked
