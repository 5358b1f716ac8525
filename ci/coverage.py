"""Reads an lcov file: lines and branches by module, and what was not gone through, file by file."""

import collections
import pathlib
import re
import sys

# What is there for tests alone, and what stands in for the system under a model.
TESTS_ALONE = re.compile(r"/tests?\.rs$|/tests/|/model\.rs$|sync/(shuttle|loom)_backend/|sync/model_channel/|sync/fault")

lines = collections.defaultdict(dict)
branches = collections.defaultdict(dict)
source = ""
for entry in open(sys.argv[1], encoding="utf-8"):
    kind, _, rest = entry.strip().partition(":")
    if kind == "SF":
        source = str(pathlib.Path(rest).resolve().relative_to(pathlib.Path("src").resolve()))
    elif kind == "DA" and not TESTS_ALONE.search("/" + source):
        number, count = rest.split(",")[:2]
        lines[source][int(number)] = lines[source].get(int(number), 0) + int(count)
    elif kind == "BRDA" and not TESTS_ALONE.search("/" + source):
        number, block, branch, taken = rest.split(",")
        key = (int(number), block, branch)
        branches[source][key] = branches[source].get(key, 0) + (0 if taken == "-" else int(taken))


def in_tests(path):
    """The first line of the unit tests of a file; they stand at its end."""
    text = pathlib.Path("src", path).read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(text, 1) if re.match(r"#\[cfg\((test|all\(test)", line)]
    followed = [number for number in starts if re.match(r"(pub )?mod \w+ \{", text[number] if number < len(text) else "")]
    return followed[0] if followed else len(text) + 1


def ranges(numbers):
    """1, 2, 3, 7 as 1-3 7."""
    out = []
    for number in sorted(numbers):
        if out and out[-1][1] == number - 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return " ".join(str(first) if first == last else f"{first}-{last}" for first, last in out)


table = collections.defaultdict(lambda: [0, 0, 0, 0])
missing = []
for path in sorted(lines):
    end = in_tests(path)
    own_lines = {number: count for number, count in lines[path].items() if number < end}
    own_branches = {key: count for key, count in branches[path].items() if key[0] < end}
    sums = [
        len(own_lines),
        sum(count > 0 for count in own_lines.values()),
        len(own_branches),
        sum(count > 0 for count in own_branches.values()),
    ]
    for name in (path.split("/")[0], "all"):
        table[name] = [before + more for before, more in zip(table[name], sums)]
    not_run = {number for number, count in own_lines.items() if count == 0}
    one_way = {key[0] for key, count in own_branches.items() if count == 0} - not_run
    if not_run or one_way:
        missing.append(f"src/{path}: lines {ranges(not_run) or '-'}; branches that go one way only {ranges(one_way) or '-'}")

print("\n".join(missing))
print("\n| module | lines | gone through | branches | gone |\n|---|---|---|---|---|")
for name, (all_lines, run, all_branches, gone) in sorted(table.items()):
    share = lambda part, whole: f"{100 * part / whole:.1f} %" if whole else "-"
    print(f"| {name} | {all_lines} | {share(run, all_lines)} | {all_branches} | {share(gone, all_branches)} |")
