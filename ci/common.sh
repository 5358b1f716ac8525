# Sourced by every rung: goes to the repository's root, says how the rung ended, and finds optional tools.
#
# A rung ends with exit status 0 (passed), 77 (skipped, by `skip` only) or anything else (failed), and its last line
# says the same. Build output goes below `$builds`; each configuration has a folder of its own there, so that no rung
# makes another rebuild.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rung=$(basename "$0" .sh)
builds=${CARGO_TARGET_DIR:-target}
reason=
# Tests that panic on purpose would spend seconds on each backtrace, and minutes under Miri.
export RUST_BACKTRACE=0

skip() {
    reason=$1
    exit 77
}

# Shows a command, then runs it.
run() {
    printf '$'
    printf ' %q' "$@"
    printf '\n'
    "$@"
}

# Like `run`, but goes on after a failure, so that one rung shows all of its own; `checked` ends such a rung.
failures=0
check() {
    run "$@" || failures=$((failures + 1))
}
checked() {
    if ((failures > 0)); then
        echo "$failures of the commands above failed"
        exit 1
    fi
}

finish() {
    local status=$1
    case $status in
    0) echo "$rung: passed in $SECONDS s" ;;
    77) echo "$rung: skipped: $reason" ;;
    *) echo "$rung: failed: exit status $status after $SECONDS s" ;;
    esac
}
trap 'finish $?' EXIT

has_cargo_command() {
    cargo "$1" --version >/dev/null 2>&1
}

# Prints the name of an installed nightly toolchain.
nightly() {
    rustup toolchain list 2>/dev/null | grep -o '^nightly[^ ]*' | head -n 1
}

# Succeeds if a toolchain has the component, or can be given it.
has_component() {
    local toolchain=$1 component=$2
    rustup component list --toolchain "$toolchain" --installed | grep -q "^$component" ||
        timeout 120 rustup component add --toolchain "$toolchain" "$component"
}

# Succeeds if there is a test file of that kind, such as `shuttle` for tests/shuttle_pool.rs.
has_tests() {
    compgen -G "tests/$1_*.rs" >/dev/null
}

# The cargo arguments that name every integration test which runs threads and needs no feature. (Those that need one have a table in Cargo.toml.)
real_thread_tests() {
    local file name with_features
    with_features=$(sed -n '/^\[\[test\]\]/,/^$/s/^name = "\(.*\)"/\1/p' Cargo.toml)
    for file in tests/*.rs tests/*/main.rs; do
        name=${file#tests/}
        name=${name%.rs}
        name=${name%/main}
        case $name in
        api | architecture | project | shuttle_* | loom_*) ;;
        *) grep -qx "$name" <<<"$with_features" || printf -- '--test\n%s\n' "$name" ;;
        esac
    done
}

# Those that a sanitizer looks at, whose every step is several times slower: without those that go through a million of something, since they look at memory in
# the long run, mostly on one thread; without the examples', which start a process each; and without the pipeline's, which take a quarter of an hour.
sanitized_tests() {
    real_thread_tests | sed '/^--test$/{N;/_memory$\|treesum$\|pgzip$\|wordcount$\|thumbnails$\|pipeline$/d}'
    printf -- '--test\n%s\n' progress tracing
}

# The crate's features, `default` left out, one to a line.
features() {
    cargo metadata --no-deps --format-version 1 | python3 -c '
import json, sys
for package in json.load(sys.stdin)["packages"]:
    print("\n".join(sorted(set(package["features"]) - {"default"})))' | sed '/^$/d'
}
