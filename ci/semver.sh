#!/usr/bin/env bash
# Whether the public API has changed, since a commit, in a way that a user's program may not survive. No part of the gate.
#
#     bash ci/semver.sh [REV]
#
# REV is the commit to compare with, by default the last tag.
source "$(dirname "$0")/common.sh"

base=${1:-$(git describe --tags --abbrev=0 2>/dev/null)} || skip "there is no tag to compare with: name a commit"

tools=$builds/tools
PATH=$tools/bin:$PATH
if ! has_cargo_command semver-checks; then
    run env CARGO_TARGET_DIR=$tools/build cargo install --locked --root "$tools" cargo-semver-checks ||
        skip "cargo-semver-checks cannot be installed"
    rm -rf "$tools/build"
fi

# The baseline's own folder: the tool builds both in the same place otherwise, and the second time everything.
run env CARGO_TARGET_DIR=$builds/semver cargo semver-checks --all-features --baseline-rev "$base"
