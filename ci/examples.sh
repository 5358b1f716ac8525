#!/usr/bin/env bash
# Every example does its job on real input: the repository's own files. An example without a check below fails the rung.
source "$(dirname "$0")/common.sh"

scratch=$(mktemp -d)
trap 'status=$?; rm -rf "$scratch"; finish $status' EXIT

# One function per example, `check_<name>`, given the built program.
check_treesum() {
    local treesum=$1
    # The same lines as the tool that people use today, and a list that both accept.
    "$treesum" src tests >"$scratch/ours"
    find src tests -type f -exec sha256sum {} + >"$scratch/theirs"
    diff <(LC_ALL=C sort "$scratch/ours") <(LC_ALL=C sort "$scratch/theirs")
    sha256sum --check --quiet "$scratch/ours"
    "$treesum" --check "$scratch/theirs" >/dev/null
    # A file that does not match its line is noticed.
    sed '1s/^.\{64\}/'"$(printf '0%.0s' {1..64})"'/' "$scratch/theirs" >"$scratch/wrong"
    local status=0
    "$treesum" --check "$scratch/wrong" >/dev/null 2>&1 || status=$?
    [[ $status == 1 ]]
}

check_pool_first_steps() {
    "$1" 2>/dev/null >"$scratch/steps"
    # The numbers of primes are known, and so is the task that panics.
    diff "$scratch/steps" - <<'END'
    4 primes below 10
   25 primes below 100
  168 primes below 1000
 1229 primes below 10000
 2262 primes below 20000
 3245 primes below 30000
divide by nothing: attempt to divide by zero
nested: true
1 panicked
END
}

names=()
for path in examples/*.rs examples/*/main.rs; do
    [[ -e $path ]] || continue
    name=${path#examples/}
    name=${name%.rs}
    names+=("${name%/main}")
done
[[ ${#names[@]} -gt 0 ]] || skip "there are no examples yet"

missing=0
for name in "${names[@]}"; do
    declare -F "check_${name//-/_}" >/dev/null && continue
    echo "examples/$name has no check in ci/examples.sh"
    missing=1
done
((missing == 0))

run cargo build --release --all-features --examples
for name in "${names[@]}"; do
    run "check_${name//-/_}" "$builds/release/examples/$name"
done
