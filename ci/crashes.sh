#!/usr/bin/env bash
# The crash suite of the journal: processes that are killed at random moments, every bit and every byte of a small journal, a full disk, I/O errors at
# every call, two processes.
#
#   ci/crashes.sh                                              # what the gate runs
#   GRISTMILL_KILLS=10000 GRISTMILL_SEED=1 ci/crashes.sh       # more of it; each test prints its seed
source "$(dirname "$0")/common.sh"

export GRISTMILL_KILLS=${GRISTMILL_KILLS:-300} GRISTMILL_EVERY_BIT=${GRISTMILL_EVERY_BIT:-1}
echo "GRISTMILL_KILLS=$GRISTMILL_KILLS GRISTMILL_EVERY_BIT=$GRISTMILL_EVERY_BIT"
run cargo test --release --no-fail-fast --all-features --test journal_store --test journal_look --test journal_tasks -- \
    --nocapture crash damage fault kill full
