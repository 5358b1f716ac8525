#!/usr/bin/env bash
# The documentation builds without warnings, as users see it and with the private items.
source "$(dirname "$0")/common.sh"

export RUSTDOCFLAGS="-D warnings"
check cargo doc --no-deps --all-features
check env CARGO_TARGET_DIR=$builds/private-docs cargo doc --no-deps --all-features --document-private-items
checked
