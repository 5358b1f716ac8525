#!/usr/bin/env bash
# No misspelt word in any tracked file; typos.toml lists what is meant as it is.
source "$(dirname "$0")/common.sh"

typos=$(command -v typos || true)
if [[ -z $typos ]]; then
    tools=$builds/python-tools
    if [[ ! -x $tools/bin/typos ]]; then
        { python3 -m venv "$tools" && timeout 120 "$tools/bin/pip" install --quiet typos; } ||
            skip "typos is not installed, nor can pip install it"
    fi
    typos=$tools/bin/typos
fi
run "$typos"
