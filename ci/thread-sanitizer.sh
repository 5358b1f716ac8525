#!/usr/bin/env bash
# The tests on real threads under ThreadSanitizer.
#
# With the standard library's source, all of it is instrumented and nothing is suppressed. Without it, the locks inside
# the precompiled library are invisible to the sanitizer, and ci/thread-sanitizer.suppressions names what it then
# takes for races; a race in our own code is still found.
source "$(dirname "$0")/common.sh"

toolchain=$(nightly) || skip "there is no nightly toolchain"
host=$(rustc "+$toolchain" --version --verbose | sed -n 's/^host: //p')
case $host in
x86_64-unknown-linux-gnu | aarch64-unknown-linux-gnu | x86_64-apple-darwin | aarch64-apple-darwin) ;;
*) skip "ThreadSanitizer does not support $host" ;;
esac

mapfile -t tests < <(sanitized_tests)
tests+=(--features progress,tracing)
export CARGO_TARGET_DIR=$builds/thread-sanitizer
# The sanitizer looks for races in the paths taken; the plain run checks the answers on many more cases.
export PROPTEST_CASES=24
if has_component "$toolchain" rust-src; then
    export RUSTFLAGS="-Zsanitizer=thread"
    build_std=(-Zbuild-std)
else
    echo "rust-src cannot be installed for $toolchain: falling back to suppressions"
    export RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer"
    export TSAN_OPTIONS="suppressions=$PWD/ci/thread-sanitizer.suppressions ${TSAN_OPTIONS:-}"
    build_std=()
fi
# Its shadow memory takes more room than the one test that limits the memory of its process leaves.
run cargo "+$toolchain" test --no-fail-fast "${build_std[@]}" --target "$host" --lib "${tests[@]}" -- --test-threads=1 \
    --skip million --skip long_backlog --skip threads_for_which_there_is_no_memory
