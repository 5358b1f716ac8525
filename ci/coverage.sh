#!/usr/bin/env bash
# Which lines and branches of src/ the tests go through, by module, and which they do not.
#
#     ci/coverage.sh [arguments of `cargo test`...]     the tests of the rungs `test` and `shuttle` if none is given
#
# Only this crate is instrumented, so what it depends on is taken as `cargo test` has built it.
source "$(dirname "$0")/common.sh"

toolchain=$(rustup show active-toolchain 2>/dev/null | cut -d ' ' -f 1) && [[ -n $toolchain ]] || skip "rustup is not there"
has_component "$toolchain" llvm-tools || skip "the component llvm-tools cannot be installed for $toolchain"
host=$(rustc -vV | sed -n 's/^host: //p')
tools=$(rustc --print sysroot)/lib/rustlib/$host/bin

[[ $builds == /* ]] || builds=$PWD/$builds
work=$builds/coverage
mkdir -p "$work"
rm -rf "$work/profiles" "$work/binaries"
# Branches are counted by a flag that is not stable yet: hence the variable, for this crate alone.
printf '#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec "$@" -Cinstrument-coverage -Zcoverage-options=branch\n' >"$work/rustc"
chmod +x "$work/rustc"
export RUSTC_WORKSPACE_WRAPPER=$work/rustc CARGO_INCREMENTAL=0

# Builds and runs tests, and notes their binaries: build folder, compiler flags, arguments of `cargo test`.
covered() {
    local folder=$1 flags=$2
    shift 2
    echo "cargo test $*"
    env CARGO_TARGET_DIR="$folder" RUSTFLAGS="$flags" cargo test --no-run --message-format=json "$@" 2>"$work/build.log" |
        sed -n 's/.*"executable":"\([^"]*\)".*"fresh".*/\1/p' >>"$work/binaries" || {
        cat "$work/build.log"
        exit 1
    }
    env CARGO_TARGET_DIR="$folder" RUSTFLAGS="$flags" LLVM_PROFILE_FILE="$work/profiles/%m_%p.profraw" \
        cargo test --no-fail-fast "$@" >"$work/tests.log" 2>&1 || failures=$((failures + 1))
    grep -E '^test result|FAILED|panicked' "$work/tests.log" | sort | uniq -c | sort -rn | sed -n 1,20p
}

if (($# > 0)); then
    covered "$builds" "" "$@"
else
    mapfile -t plain < <(real_thread_tests)
    covered "$builds" "" --lib "${plain[@]}"
    # The same tests of the features as in the gate.
    read -ra with_features < <(sed -n 's/^check cargo test --no-fail-fast --all-features/--all-features/p' ci/test.sh)
    covered "$builds" "" "${with_features[@]}"
    # In the folder of the rung `shuttle`, and with few schedules; with fewer still, tests that want to see both outcomes would fail.
    export GRISTMILL_ITERATIONS=${GRISTMILL_ITERATIONS:-300}
    covered "$builds/shuttle" "--cfg gristmill_shuttle" --release --features journal --test 'shuttle_*'
fi

find "$work/profiles" -name '*.profraw' >"$work/list"
"$tools/llvm-profdata" merge --sparse --input-files="$work/list" --output="$work/all.profdata"
objects=()
while read -r binary; do
    objects+=(--object "$binary")
done < <(sort -u "$work/binaries")
"$tools/llvm-cov" export --format=lcov --instr-profile="$work/all.profdata" "${objects[@]}" --sources "$PWD/src" >"$work/all.lcov"
python3 ci/coverage.py "$work/all.lcov"
checked
