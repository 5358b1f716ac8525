#!/usr/bin/env bash
# The library compiles on the oldest compiler that Cargo.toml promises, and with the journal on the one that this needs.
source "$(dirname "$0")/common.sh"

check_on() {
    local version=$1
    shift
    if ! rustup run "$version" cargo --version >/dev/null 2>&1; then
        timeout 180 rustup toolchain install "$version" --profile minimal --no-self-update ||
            skip "Rust $version cannot be installed"
    fi
    run env CARGO_TARGET_DIR=$builds/minimum-rust cargo "+$version" check --lib "$@"
}

version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
[[ -n $version ]]
check_on "$version" --features "$(features | grep -vx journal | paste -sd, -)"
# What the comment at the feature says.
check_on 1.89 --all-features
