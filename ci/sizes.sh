#!/usr/bin/env bash
# What the core costs a program that uses it: crates, time to build, and size, beside rayon and crossbeam. No part of the gate, since times
# are only worth something on a machine that does nothing else; docs/performance.md has the table.
#
#   ci/sizes.sh
#
# Each program does the same parallel map and is built as a newcomer builds it, from nothing: `cargo build --release`, stripped. What has to be fetched is
# fetched before.
source "$(dirname "$0")/common.sh"

here=$PWD
crates=$(realpath -m "$builds")/sizes
rm -rf "$crates"

# Makes the crate of that name, with that line of dependencies; its program is on the standard input.
crate() {
    local name=$1 dependency=${2:-}
    mkdir -p "$crates/$name/src"
    cat >"$crates/$name/Cargo.toml" <<MANIFEST
[package]
name = "sizes-$name"
version = "0.0.0"
edition = "2024"

[dependencies]
$dependency

[profile.release]
strip = true

[workspace]
MANIFEST
    cp Cargo.lock "$crates/$name/Cargo.lock"
    cat >"$crates/$name/src/main.rs"
}

crate empty <<'RUST'
fn main() {
    println!("{}", (0..1_000_000).map(|number: u64| number * number % 7).sum::<u64>());
}
RUST

crate gristmill "gristmill = { path = \"$here\" }" <<'RUST'
use gristmill::{CancellationToken, Pipeline};

fn main() -> Result<(), gristmill::PipelineError> {
    let (sum, _) = Pipeline::from_iter(0..1_000_000)
        .map("square", |number: u64| number * number % 7)
        .fold("add", 0, |sum, square| sum + square)
        .run(&CancellationToken::new())?;
    println!("{sum}");
    Ok(())
}
RUST

crate rayon 'rayon = "1"' <<'RUST'
use rayon::prelude::*;

fn main() {
    println!("{}", (0..1_000_000).into_par_iter().map(|number: u64| number * number % 7).sum::<u64>());
}
RUST

# Unbounded work is cut into chunks by hand, as whoever writes this soon finds out.
crate crossbeam-channel 'crossbeam-channel = "0.5"' <<'RUST'
use std::thread;

fn main() {
    let workers = thread::available_parallelism().map_or(1, |cores| cores.get());
    let (feed, work) = crossbeam_channel::bounded::<u64>(1024);
    let sum: u64 = thread::scope(|scope| {
        let square = |first: u64| (first..first + 1000).map(|number| number * number % 7).sum::<u64>();
        let add = |_| {
            let work = work.clone();
            scope.spawn(move || work.iter().map(square).sum::<u64>())
        };
        let threads: Vec<_> = (0..workers).map(add).collect();
        drop(work);
        (0..1_000_000).step_by(1000).for_each(|first| feed.send(first).unwrap());
        drop(feed);
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("{sum}");
}
RUST

rows=() expected=
for name in empty crossbeam-channel rayon gristmill; do
    manifest=$crates/$name/Cargo.toml log=$crates/$name.log
    cargo fetch --quiet --manifest-path "$manifest"
    TIMEFORMAT='%R %U %S'
    took=$({ time env -u RUSTFLAGS CARGO_INCREMENTAL=0 CARGO_TARGET_DIR="$crates/$name/target" \
        cargo build --release --offline --manifest-path "$manifest" >"$log" 2>&1; } 2>&1) || { cat "$log"; exit 1; }
    program=$crates/$name/target/release/sizes-$name
    sum=$("$program")
    expected=${expected:-$sum}
    [[ $sum == "$expected" ]] || { echo "$name gives $sum, and not $expected"; exit 1; }
    # The program itself is not counted.
    dependencies=$(($(grep -c '^ *Compiling ' "$log") - 1))
    rows+=("$name $dependencies $took $(wc -c <"$program")")
done

echo
echo "$(rustc --version), $(nproc) cores"
echo
echo "| program with      | crates that are built | wall s |  CPU s | stripped KiB | over the empty one |"
echo "|-------------------|----------------------:|-------:|-------:|-------------:|-------------------:|"
printf '%s\n' "${rows[@]}" | awk '
    NR == 1 { empty = $6 }
    { printf "| %-17s | %21d | %6.1f | %6.1f | %12d | %18d |\n", $1, $2, $3, $4 + $5, $6 / 1024, ($6 - empty) / 1024 }'
echo
