#!/usr/bin/env bash
# Every example in the documentation and the README runs, with all features.
source "$(dirname "$0")/common.sh"

run cargo test --doc --all-features
