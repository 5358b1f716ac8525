#!/usr/bin/env bash
# The documentation builds without warnings, as users see it and with the private items.
source "$(dirname "$0")/common.sh"

export RUSTDOCFLAGS="-D warnings"
run cargo doc --no-deps --all-features
CARGO_TARGET_DIR=$builds/private-docs run cargo doc --no-deps --all-features --document-private-items
