#!/usr/bin/env bash
# What would be published holds what users need, nothing else, and builds by itself.
source "$(dirname "$0")/common.sh"

files=$(cargo package --list --allow-dirty)
echo "$files"
for file in README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE src/lib.rs; do
    grep -qx "$file" <<<"$files" || { echo "$file is missing from the package"; exit 1; }
done
if grep -E '^(\.ci|ci|\.config|target|tools)/' <<<"$files"; then
    echo "the package holds files that are only for working on the crate"
    exit 1
fi
run env CARGO_TARGET_DIR=$builds/package cargo package --allow-dirty
