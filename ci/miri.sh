#!/usr/bin/env bash
# The unit tests in Miri: undefined behaviour in what we depend on, leaks, threads left running.
source "$(dirname "$0")/common.sh"

toolchain=$(nightly) || skip "there is no nightly toolchain"
has_component "$toolchain" miri || skip "the component miri cannot be installed for $toolchain"
has_component "$toolchain" rust-src || skip "the component rust-src cannot be installed for $toolchain"
# Permissive: parking_lot keeps pointers in integers (its `word_lock`), which strict provenance rejects.
export CARGO_TARGET_DIR=$builds/miri MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-permissive-provenance"
# Miri is some hundred times slower than the machine.
export PROPTEST_CASES=2
# What goes through a million of something looks at memory in the long run, and the properties compare answers, for minutes; neither goes
# a way that the other tests do not go.
# The arithmetic of the figures has neither threads nor memory of its own, and runs over a million numbers.
run cargo "+$toolchain" miri test --no-fail-fast --lib -- --skip million --skip long_backlog --skip property \
    --skip pipeline::timed --skip pipeline::queues --skip pipeline::timeline --skip step::draws --skip observe::histogram
