#!/usr/bin/env bash
# The tests on real threads under AddressSanitizer, with LeakSanitizer at the end of each test program.
source "$(dirname "$0")/common.sh"

toolchain=$(nightly) || skip "there is no nightly toolchain"
host=$(rustc "+$toolchain" --version --verbose | sed -n 's/^host: //p')
case $host in
x86_64-unknown-linux-gnu | aarch64-unknown-linux-gnu) ;;
*) skip "AddressSanitizer does not find leaks on $host" ;;
esac

# Without the one that builds an example, and starts it.
mapfile -t tests < <(sanitized_tests | sed '/^--test$/{N;/metrics_publisher$/d}')
export CARGO_TARGET_DIR=$builds/address-sanitizer
# The sanitizer looks at the paths taken; the plain run checks the answers on many more cases.
export PROPTEST_CASES=24
# The standard library comes as it is: its allocations are seen all the same.
export RUSTFLAGS="-Zsanitizer=address -Cunsafe-allow-abi-mismatch=sanitizer"
export ASAN_OPTIONS="detect_leaks=1 ${ASAN_OPTIONS:-}"
export LSAN_OPTIONS="suppressions=$PWD/ci/address-sanitizer.suppressions ${LSAN_OPTIONS:-}"
run cargo "+$toolchain" test --no-fail-fast --target "$host" --all-features --lib "${tests[@]}" -- --test-threads=1 \
    --skip million --skip long_backlog
