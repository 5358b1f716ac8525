#!/usr/bin/env bash
# What the hot paths take in instructions, counted by callgrind, is at most 1 % above what benches/instructions.txt says.
#
#   ci/instructions.sh            # compare
#   ci/instructions.sh --bless    # write the file anew
#
# Counts of another compiler, target, C library or valgrind cannot be compared; the file names those that it was made with.
source "$(dirname "$0")/common.sh"

[[ $(uname -s) == Linux ]] || skip "the clock that repeats is made for Linux"
command -v valgrind >/dev/null || skip "valgrind is not installed"
command -v cc >/dev/null || skip "there is no C compiler, which the clock that repeats needs"

baseline=benches/instructions.txt
made_with() {
    rustc --version | sed 's/^/# compiler: /'
    rustc --version --verbose | sed -n 's/^host: /# target: /p'
    getconf GNU_LIBC_VERSION | sed 's/^/# C library: /'
    valgrind --version | sed 's/^/# valgrind: /'
}
if [[ ${1:-} != --bless ]]; then
    other=$(made_with | grep -vxFf <(grep '^# .*: ' $baseline) | sed 's/^# .*: //' | paste -sd, | sed 's/,/, /g') || true
    [[ -z $other ]] || skip "the counts in $baseline are not for $other"
fi

# A crate of its own, without what benches and tests need; in one unit, so that where the compiler cuts the code has no effect on it.
crate=$(realpath -m "$builds")/instructions
mkdir -p "$crate"
cat >"$crate/Cargo.toml" <<MANIFEST
[package]
name = "instructions"
version = "0.0.0"
edition = "2024"

[[bin]]
name = "instructions"
path = "$PWD/benches/instructions.rs"

[dependencies]
gristmill = { path = "$PWD" }

[profile.release]
codegen-units = 1

[workspace]
MANIFEST
cp Cargo.lock "$crate/Cargo.lock"
run env -u RUSTFLAGS CARGO_INCREMENTAL=0 CARGO_TARGET_DIR="$crate/target" cargo build --release --manifest-path "$crate/Cargo.toml"
run cc -O2 -shared -fPIC -o "$crate/steady-clock.so" ci/steady-clock.c
program=$crate/target/release/instructions

# The instructions of so many calls in a case, those of what goes before and after included.
instructions() {
    local case=$1 step=$2 times=$3 said
    # Which copying of memory the C library takes would else depend on the processor.
    said=$(env -i LD_BIND_NOW=1 LD_PRELOAD="$crate/steady-clock.so" STEADY_CLOCK_STEP="$step" \
        GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-SSSE3,-ERMS,-FSRM \
        valgrind --tool=callgrind --fair-sched=yes --callgrind-out-file=/dev/null --toggle-collect='*within_count*' \
        "$program" "$case" "$times" 2>&1) || { echo "$said" >&2; return 1; }
    sed -n 's/.*Collected : //p' <<<"$said"
}

# Twice as many calls take more by what so many take: start and end are the same.
times=4096
counts=$crate/counts.txt
"$program" --list | while read -r case step; do
    once=$(instructions "$case" "$step" $times)
    twice=$(instructions "$case" "$step" $((2 * times)))
    awk -v case="$case" -v more=$((twice - once)) -v times=$times 'BEGIN { printf "%s %.2f\n", case, more / times }'
done >"$counts"

if [[ ${1:-} == --bless ]]; then
    {
        echo "# Instructions per call, as ci/instructions.sh counts them; written by ci/instructions.sh --bless."
        made_with
        cat "$counts"
    } >$baseline
    cat $baseline
    exit 0
fi

awk '
    FNR == NR { if (!/^#/) was[$1] = $2; next }
    !($1 in was) { printf "%-30s %10s -> %10.2f  not in the file\n", $1, "", $2; bad = 1; next }
    {
        change = ($2 / was[$1] - 1) * 100
        says = change > 1 ? "OVER 1 % ABOVE" : change < -1 ? "over 1 % below: the file may say so" : ""
        printf "%-30s %10.2f -> %10.2f %+7.2f %%  %s\n", $1, was[$1], $2, change, says
        if (change > 1) bad = 1
        delete was[$1]
    }
    END {
        for (gone in was) { printf "%-30s is not counted any more\n", gone; bad = 1 }
        if (bad) print "\nIf it is meant to be so: bash ci/instructions.sh --bless"
        exit bad
    }' $baseline "$counts"
