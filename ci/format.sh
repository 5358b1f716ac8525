#!/usr/bin/env bash
# The sources are formatted as rustfmt.toml says.
source "$(dirname "$0")/common.sh"

has_cargo_command fmt || skip "rustfmt is not installed"
run cargo fmt --check
