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
    # Killed on the way and started again, it prints the same bytes, and reads what is recorded no more.
    "$treesum" --journal "$scratch/sums.journal" src tests >"$scratch/first" 2>/dev/null &
    local child=$! status=0
    sleep 0.05
    kill -9 "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
    "$treesum" --journal "$scratch/sums.journal" src tests >"$scratch/journalled" 2>"$scratch/said"
    cmp "$scratch/ours" "$scratch/journalled"
    "$treesum" --journal "$scratch/sums.journal" src tests >"$scratch/journalled" 2>"$scratch/said"
    cmp "$scratch/ours" "$scratch/journalled"
    grep -q "^treesum: $(wc -l <"$scratch/ours") files replayed from the journal, 0 read and recorded" "$scratch/said"
    "$treesum" --journal "$scratch/sums.journal" --paranoid src tests >"$scratch/journalled" 2>"$scratch/said"
    cmp "$scratch/ours" "$scratch/journalled"
    grep -q "^treesum: 0 files replayed" "$scratch/said"
}

check_resume() {
    local journal=$scratch/primes.journal status=0
    "$1" "$journal" 5 >"$scratch/killed" 2>/dev/null || status=$?
    [[ $status == 137 && $(wc -l <"$scratch/killed") == 5 ]]
    "$1" "$journal" >"$scratch/resumed" 2>"$scratch/report"
    cmp "$scratch/killed" <(head -n 5 "$scratch/resumed")
    [[ $(sort -u "$scratch/resumed" | wc -l) == 20 ]]
    "$1" "$journal" >"$scratch/again" 2>"$scratch/report"
    cmp "$scratch/resumed" "$scratch/again"
    grep -qx '20 replayed, 0 run' "$scratch/report"
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

check_pool_patterns() {
    "$1" >"$scratch/patterns"
    diff "$scratch/patterns" - <<'END'
W1 fixed: 30, then 4 tasks: 4 succeeded, 0 failed, 0 panicked, 0 cancelled, 0 handed back
W2, W3 adaptive: grew on backlog, shrank when idle
W4 priority, a level worth two submissions: ["a", "b", "low", "c", "d"]
W5 balance: [3, 3, 3]
W6 sizes: io is twice cpu: true, mixed rounds up: true
W7 lifecycle: abandoned came back
W8 control: 1 held, 7 after, 3 workers
W9 cancelled: too late was cancelled before it started
W10 errors: 2 good, 1 bad, 1 counted
W11 rate: six starts at 200 a second, burst 2, took 20 ms: true
W12 Reject: the task was not accepted: the queue is full
W12 CallerRuns: the caller ran it: true
F7 keys: Err("overdrawn"), rest dropped: true, other key booked
M1: 1 submitted, 1 running; M2: slow "resize 17.png", seen Some("resize 17.png")
END
}

check_order_processing() {
    # Each call that is stopped early would take half a minute by itself.
    timeout 60 "$1" 2>"$scratch/charts" >"$scratch/orders"
    diff "$scratch/orders" - <<'END'
well
  order placed: 3 from north, 2 from south, receipt 7042, by swift for 490 cents
  answered: north, south, west, payment, fraud, swift; failed: nobody; stopped or not asked: steady; still running: 0
warehouse-down
  order placed: 3 from north, 2 from south, receipt 7042, by swift for 490 cents
  answered: north, south, payment, fraud, swift; failed: west; stopped or not asked: steady; still running: 0
card-refused
  no order: payment (task 1) failed: payment: the card was refused
  answered: nobody; failed: payment; stopped or not asked: north, south, west, fraud, swift, steady; still running: 0
carrier-down
  order placed: 3 from north, 2 from south, receipt 7042, by steady for 350 cents
  answered: north, south, west, payment, fraud, steady; failed: swift; stopped or not asked: nobody; still running: 0
deadline
  no order: the customer waits 1000 ms and no longer; no answer of fraud by then
  answered: north, south, west, payment, swift; failed: nobody; stopped or not asked: fraud, steady; still running: 0
speed
  3 calls at once take the time of one: true
  5 calls at once take the time of one: true
  10 calls at once take the time of one: true
END
    # A line of the chart for each service of each order.
    [[ $(grep -c ' |[= ]*| ' "$scratch/charts") == 35 ]]
    refuses_an_unknown_argument "$1"
}

check_routes() {
    local routes=$1 status=0
    # All ways give one table; and it is the same from a file.
    "$routes" --lines 3000 --seed 7 2>"$scratch/times" >"$scratch/made-up"
    [[ $(grep -c . "$scratch/times") == 7 ]]
    [[ $(tail -n 6 "$scratch/made-up" | grep -o '[0-9a-f]*$' | sort -u | wc -l) == 1 ]]
    "$routes" --lines 3000 --seed 7 --raw >"$scratch/table"
    "$routes" --workers 3 "$scratch/table" 2>/dev/null | diff "$scratch/made-up" -
    # Prefixes, numbers of addresses, order, and which route is kept: as Python's library has it.
    "$routes" --print "$scratch/table" 2>"$scratch/bad-lines" | cut -d ' ' -f 1-4 >"$scratch/ours"
    python3 - "$scratch/table" >"$scratch/theirs" <<'END'
import ipaddress, sys
kept, bad = {}, 0
for line in open(sys.argv[1]):
    fields = line.split("#")[0].split()
    if not fields:
        continue
    try:
        prefix, gateway, metric = fields
        if "/" not in prefix or int(metric) < 0:
            raise ValueError
        entry = (ipaddress.ip_network(prefix, strict=False), ipaddress.ip_address(gateway), int(metric))
    except ValueError:
        bad += 1
        continue
    if entry[0] not in kept or entry[2] < kept[entry[0]][2]:
        kept[entry[0]] = entry
for network, gateway, metric in sorted(kept.values(), key=lambda entry: entry[0]):
    print(network, gateway, metric, network.num_addresses)
print(bad, "bad lines", file=open(sys.argv[1] + ".bad", "w"))
END
    diff "$scratch/ours" "$scratch/theirs"
    [[ "$(wc -l <"$scratch/bad-lines") bad lines" == "$(cat "$scratch/table.bad")" ]]
    # Each kind of bad line is named with its number, and the good ones are kept.
    printf '%s\n' '# gateways' '10.1.2.3/8 192.0.2.1 20' '' '10.0.0.0 192.0.2.1 1' '10.0.0.0/33 192.0.2.1 1' \
        '10.0.0/8 192.0.2.1 1' '10.0.0.0/8 here 1' '10.0.0.0/8 192.0.2.1 -1' '10.0.0.0/8 192.0.2.1' \
        '0.0.0.0/0 192.0.2.1 5 # default' '10.0.0.0/8 192.0.2.9 10' >"$scratch/table"
    "$routes" --print "$scratch/table" 2>&1 | sed 's/ [0-9a-f]\{16\}$/ SUM/' >"$scratch/checked"
    diff "$scratch/checked" - <<'END'
routes: line 4: prefix "10.0.0.0" has no /length
routes: line 5: prefix length "33" is not 0 to 32
routes: line 6: prefix "10.0.0/8": invalid IPv4 address syntax
routes: line 7: gateway "here": invalid IPv4 address syntax
routes: line 8: metric "-1": invalid digit found in string
routes: line 9: 2 fields instead of prefix, gateway and metric
0.0.0.0/0 192.0.2.1 5 4294967296 global SUM
10.0.0.0/8 192.0.2.9 10 16777216 private SUM
END
    # A file that cannot be read is named.
    "$routes" "$scratch/missing" >/dev/null 2>"$scratch/error" || status=$?
    [[ $status == 1 ]]
    grep -q "^routes: $scratch/missing: " "$scratch/error"
    refuses_an_unknown_argument "$routes"
}

check_pgzip() {
    local pgzip=$1 status=0
    find src tests -type f -exec cat {} + >"$scratch/text"
    # The tool that people use today takes every level for whole and gives the same bytes; and so the other way round.
    for level in 1 6 9; do
        "$pgzip" "-$level" -c "$scratch/text" >"$scratch/text.gz"
        gzip -t "$scratch/text.gz"
        gzip -dc "$scratch/text.gz" | cmp - "$scratch/text"
    done
    gzip -l "$scratch/text.gz" | grep -q " $(wc -c <"$scratch/text") "
    { gzip -1 <"$scratch/text"; gzip -9 <"$scratch/text"; } | "$pgzip" -d | cmp - <(cat "$scratch/text" "$scratch/text")
    # Files are replaced, and what is cut off leaves nothing.
    "$pgzip" -f "$scratch/text"
    [[ -e $scratch/text.gz && ! -e $scratch/text ]]
    head -c 100000 "$scratch/text.gz" >"$scratch/half.gz"
    "$pgzip" -d "$scratch/half.gz" 2>"$scratch/error" || status=$?
    [[ $status == 1 && -e $scratch/half.gz && ! -e $scratch/half ]]
    grep -q '^pgzip: .*/half.gz: unexpected end of file' "$scratch/error"
    "$pgzip" -d "$scratch/text.gz"
    [[ -e $scratch/text && ! -e $scratch/text.gz ]]
    refuses_an_unknown_argument "$pgzip"
}

check_wordcount() {
    local wordcount=$1
    # As the shell counts: the words of the sources, whose apostrophes and letters of other alphabets are put aside.
    mkdir -p "$scratch/plain"
    for file in $(find src tests -name '*.rs'); do
        LC_ALL=C tr -c 'A-Za-z0-9\n' ' ' <"$file" >"$scratch/plain/${file//\//-}"
    done
    cat "$scratch"/plain/* | tr 'A-Z' 'a-z' | tr -s ' \n' '\n' | sed '/^$/d' | LC_ALL=C sort | uniq -c |
        LC_ALL=C sort -k1,1nr -k2,2 | sed -n 1,200p >"$scratch/theirs"
    "$wordcount" --top 200 "$scratch/plain" 2>/dev/null | diff - "$scratch/theirs"
    # A stream of a million lines of a log.
    python3 -c 'print("192.0.2.1 - - \"GET /mill?wheel=2 HTTP/1.1\" 200 512\n" * 1000000, end="")' |
        "$wordcount" --log path 2>/dev/null | diff - <(echo '1000000 /mill')
    refuses_an_unknown_argument "$wordcount"
}

check_thumbnails() {
    local thumbnails=$1 status=0
    # Images from nothing but a library that every Python has.
    mkdir -p "$scratch/images/folder"
    python3 - "$scratch/images" <<'END'
import struct, sys, zlib
def png(width, height):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes((x * 7 + y * 3) % 256 for x in range(width * 3)) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
for number in range(12):
    open(f"{sys.argv[1]}/folder/{number}.png", "wb").write(png(300 + number, 200))
open(f"{sys.argv[1]}/cut off.png", "wb").write(png(100, 100)[:500])
END
    "$thumbnails" --size 64 "$scratch/images" "$scratch/small" >"$scratch/table" 2>"$scratch/broken" || status=$?
    [[ $status == 1 && $(wc -l <"$scratch/broken") == 1 ]]
    grep -q '^thumbnails: cut off.png: ' "$scratch/broken"
    [[ $(find "$scratch/small" -type f | wc -l) == 12 ]]
    # The width, as it stands in the header of each.
    for file in "$scratch"/small/folder/*.png; do
        [[ $(od -An -tu1 -j19 -N1 "$file" | tr -d ' ') == 64 ]]
    done
    grep -q '^limited by \|^nothing was short' "$scratch/table"
    tail -n 1 "$scratch/table" | grep -qx '12 thumbnails written, 1 images could not be read'
    refuses_an_unknown_argument "$thumbnails"
}

check_route_and_merge() {
    # The program compares its list with that of one loop; here it is known, and each worker got lines.
    "$1" 2>"$scratch/workers" >"$scratch/merged"
    [[ $(grep -c '^worker [0-2]: [1-9][0-9]* lines, ' "$scratch/workers") == 3 ]]
    diff "$scratch/merged" - <<'END'
20000 lines, 90 pages in order, as one loop has them
most bytes: /page/00 with 5326111
END
}

check_dashboard() {
    # How often the bureau failed depends on the machine; that no order is missing, and what is served, is compared by the program.
    timeout 120 "$1" --orders 3000 --check >"$scratch/orders" 2>"$scratch/address"
    grep -qx 'scraped: as the parts say' "$scratch/orders"
    grep -q '^[0-9]* orders rated, 7 of unknown customers, [0-9]* given up$' "$scratch/orders"
    grep -qx 'http://127.0.0.1:[0-9]*/metrics' "$scratch/address"
    # A pipe is no terminal: nothing is drawn.
    [[ $(wc -l <"$scratch/address") == 1 ]]
    refuses_an_unknown_argument "$1"
}

check_metrics_endpoint() {
    # The program reads itself over loopback and compares; here what it says of that is compared.
    "$1" --check 2>"$scratch/address" >"$scratch/scraped"
    grep -qx 'http://127.0.0.1:[0-9]*/metrics' "$scratch/address"
    diff "$scratch/scraped" - <<'END'
scraped: every figure of the pool and of the pipeline, as in their snapshots
99 tasks succeeded, 1 failed, 1000 items finished
END
    refuses_an_unknown_argument "$1"
}

check_journal_tool() {
    local tool=$1 status=0
    # A journal without entries: an empty file becomes one. Journals with entries are in tests/journal_look/tool.rs.
    : >"$scratch/batch.journal"
    [[ $("$tool" list "$scratch/batch.journal") == '' ]]
    "$tool" statistics "$scratch/batch.journal" | grep -q '^total  *0  *0 '
    "$tool" verify "$scratch/batch.journal" | grep -qx '0 entries are whole, with 0 bytes of payload; no damage'
    "$tool" compact "$scratch/batch.journal" | grep -qx '[0-9]* bytes given back'
    "$tool" salvage "$scratch/batch.journal" "$scratch/new.journal" | grep -q '^0 entries are salvaged'
    "$tool" salvage "$scratch/batch.journal" "$scratch/new.journal" 2>"$scratch/error" || status=$?
    [[ $status == 1 ]]
    grep -q '^journal_tool: journal .*/new.journal: is there already and is not overwritten' "$scratch/error"
    # One that is not there is not made.
    status=0
    "$tool" list "$scratch/missing.journal" 2>"$scratch/error" || status=$?
    [[ $status == 1 && ! -e $scratch/missing.journal ]]
    refuses_an_unknown_argument "$tool"
}

# A program that is used wrongly says how it is meant, on standard error only, and ends with 2.
refuses_an_unknown_argument() {
    local status=0
    "$1" --nonsense >"$scratch/out" 2>"$scratch/usage" || status=$?
    [[ $status == 2 && ! -s $scratch/out ]]
    grep -q '^Usage: ' "$scratch/usage"
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
