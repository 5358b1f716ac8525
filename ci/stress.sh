#!/usr/bin/env bash
# The storm over all parts on real threads, in release: with twice and with sixteen times as many workers as cores, on all cores and on one.
#
#   ci/stress.sh                                   # what the gate runs: half a minute each, two minutes in all
#   GRISTMILL_STRESS_SECONDS=900 ci/stress.sh      # an hour
source "$(dirname "$0")/common.sh"

export GRISTMILL_STRESS_SECONDS=${GRISTMILL_STRESS_SECONDS:-30}
echo "GRISTMILL_STRESS_SECONDS=$GRISTMILL_STRESS_SECONDS"
# Built as the crash suite is, so that what they share is built once.
storm=(cargo test --release --all-features --test stress)
run "${storm[@]}" --no-run
for workers in 2 16; do
    check env GRISTMILL_STRESS_WORKERS=$workers "${storm[@]}" -- --nocapture
    # Where threads take turns on one core they are interrupted in other places.
    if taskset -c 0 true 2>/dev/null; then
        check env GRISTMILL_STRESS_WORKERS=$workers taskset -c 0 "${storm[@]}" -- --nocapture
    else
        echo "there is no taskset, or no core 0: one core alone is left out"
    fi
done
checked
