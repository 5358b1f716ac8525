#!/usr/bin/env bash
# The library compiles on the oldest compiler that Cargo.toml promises.
source "$(dirname "$0")/common.sh"

version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
[[ -n $version ]]
if ! rustup run "$version" cargo --version >/dev/null 2>&1; then
    timeout 180 rustup toolchain install "$version" --profile minimal --no-self-update ||
        skip "Rust $version cannot be installed"
fi
run env CARGO_TARGET_DIR=$builds/minimum-rust cargo "+$version" check --lib --all-features
