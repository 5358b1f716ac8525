"""What ci/mutants.sh does once its tools are there: all mutations built at once, each behind a switch, and the tests run with one of them on.

    mutants.py SWITCHER WORK prepare           a copy of the sources, without what does not compile
    mutants.py SWITCHER WORK build             the tests of the copy, on shuttle and on real threads
    mutants.py SWITCHER WORK trace             which test comes by which mutation
    mutants.py SWITCHER WORK run K/N [MODULE...]   every N-th mutation: does a test that comes by it notice it?
    mutants.py SWITCHER WORK score             by module
    mutants.py SWITCHER WORK missed [MODULE...]

The results are added to WORK/results.jsonl, so a run that was ended goes on where it was.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

SWITCHER = sys.argv[1]
WORK = pathlib.Path(sys.argv[2])
COPY = WORK / "source"
LISTED = [
    "--file", "src/**", "--exclude", "src/sync/**", "--exclude", "**/tests.rs", "--exclude", "**/model.rs",
    "--exclude", "src/*/tests/**", "--exclude-re", "fmt::Debug", "--exclude-re", " tests::",
]  # fmt: skip
# No tests of the sources' text, none that build a program, and none that go through a million of something.
LEFT_OUT = re.compile(
    r"loom_.*|shuttle_recipe|api|architecture|project|stress|.*_memory|treesum|pgzip|wordcount|thumbnails"
    r"|metrics_publisher|journal_tool.*"
)
KINDS = {"shuttle": ("--cfg gristmill_shuttle", ["--features", "journal"]), "plain": ("", ["--all-features"])}
# Tests that know a module best come first; without an entry, those with its name.
OWN = {
    "wakeup": ["shuttle_pool", "pool_threads"],
    "waitable": ["combine"],
    "recycle": ["object_pool"],
    "policy/breaker": ["breaker"],
    "policy/rate": ["rate"],
    "policy/retry": ["retry"],
    "policy": ["policies", "retry", "breaker"],
    "watch": ["watch", "alerts", "health"],
    "pipeline": ["pipeline", "stages", "batch", "drain", "errors", "blocking", "keyed", "bounds"],
    "clock": ["rate", "retry", "breaker", "policies"],
    "observe": ["metrics", "pipeline", "pool_snapshot"],
    "panics": ["group", "pool"],
    "trace": ["tracing"],
}
# A test that needs longer than this without a mutation is left out.
LONGEST = 15
# How often all tests are run beside each other without a mutation.
ROUNDS = 3


def said(*command, **options):
    return subprocess.run(command, check=True, text=True, capture_output=True, **options).stdout


def environment(kind, **more):
    flags = KINDS[kind][0] + " -A warnings"
    return dict(os.environ, RUSTFLAGS=flags.strip(), CARGO_TARGET_DIR=str(WORK / kind), RUST_BACKTRACE="0", **more)


def state():
    file = WORK / "state.json"
    if not file.exists():
        return {"mutants": [], "left_out": {}}
    return json.loads(file.read_text())


def copy_sources():
    shutil.rmtree(COPY / "src", ignore_errors=True)
    for name in said("git", "ls-files", "--cached", "--others", "--exclude-standard").split():
        source, target = pathlib.Path(name), COPY / name
        if not source.is_file():
            continue
        # Cargo builds anew what is newer than before, so what has not changed stays.
        changed = not target.exists() or target.stat().st_mtime != source.stat().st_mtime
        if changed or name.startswith("src/"):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    shutil.copy("ci/mutants/switched.rs", COPY / "src/switched.rs")
    library = COPY / "src/lib.rs"
    # What overflows by a mutation overflows when the test comes by.
    allowed = "#![allow(arithmetic_overflow, unconditional_panic, unconditional_recursion)]\n"
    library.write_text(allowed + library.read_text() + "\n#[doc(hidden)]\npub mod switched;\n")


def blamed(message):
    """The mutations that an error of the compiler is about."""

    def near(span):
        while span.get("expansion") and not span["file_name"].startswith("src"):
            span = span["expansion"]["span"]
        file = COPY / span["file_name"]
        if not file.exists():
            return []
        lines = file.read_text().split("\n")
        at = span["line_start"] - 1
        on_line = re.findall(r"switched::is\((\d+)\)", lines[at])
        before = re.findall(r"switched::is\((\d+)\)", lines[at][: span["column_start"] + 30])
        if on_line:
            return [int(before[-1] if before else on_line[0])]
        for line in reversed(lines[max(0, at - 40) : at]):
            if found := re.findall(r"switched::is\((\d+)\)", line):
                return [int(found[-1])]
        return []

    first = [span for span in message["spans"] if span["is_primary"]]
    if (message.get("code") or {}).get("code") == "E0004" and first:
        # Patterns that no longer cover everything: the arms that may be switched off stand below.
        lines = (COPY / first[0]["file_name"]).read_text().split("\n")
        start = first[0]["line_start"] - 1
        below = "\n".join(lines[start : start + 25])
        if found := re.findall(r"if !crate::switched::is\((\d+)\)", below):
            return [int(number) for number in found]
    return [number for span in first for number in near(span)] or [
        number for span in message["spans"] for number in near(span)
    ]


def prepare():
    listed = json.loads(said("cargo", "mutants", "--list", "--json", *LISTED))
    mutants = [{key: value for key, value in mutant.items() if key != "diff"} for mutant in listed]
    for number, mutant in enumerate(mutants):
        mutant["id"] = number + 1
    before = state()
    same = [it["name"] for it in before["mutants"]] == [it["name"] for it in mutants]
    left_out = {int(key): why for key, why in before["left_out"].items()} if same else {}
    if not same:
        (WORK / "results.jsonl").unlink(missing_ok=True)
    while True:
        copy_sources()
        live = [mutant for mutant in mutants if mutant["id"] not in left_out]
        (WORK / "list.json").write_text(json.dumps(live))
        for number in said(SWITCHER, str(WORK / "list.json"), str(COPY)).split():
            left_out.setdefault(int(number), "cannot be switched")
        bad = set()
        for kind, (_, features) in KINDS.items():
            command = ["cargo", "check", "--lib", "--profile", "test", "--message-format", "json", *features]
            checked = subprocess.run(command, cwd=COPY, env=environment(kind), text=True, capture_output=True)
            messages = [json.loads(line) for line in checked.stdout.split("\n") if line.startswith("{")]
            messages = [it["message"] for it in messages if it["reason"] == "compiler-message"]
            errors = [it for it in messages if it["level"] == "error" and it["spans"]]
            bad.update(number for error in errors for number in blamed(error))
            if checked.returncode != 0 and not bad:
                sys.exit("".join(it["rendered"] for it in errors) + checked.stderr)
            if bad:
                break
        print(f"{len(left_out)} left out, {len(bad)} more do not compile", flush=True)
        if not bad:
            break
        left_out.update(dict.fromkeys(bad, "does not compile"))
    (WORK / "state.json").write_text(json.dumps({"mutants": mutants, "left_out": left_out}))


def build():
    (COPY / ".cargo").mkdir(exist_ok=True)
    names = {path.stem if path.is_file() else path.name for path in (COPY / "tests").iterdir()
             if path.suffix == ".rs" or (path / "main.rs").exists()}  # fmt: skip
    for kind, (_, features) in KINDS.items():
        # Schedules are many and want speed; for the others the optimiser takes longer than they do without it.
        level = 1 if kind == "shuttle" else 0
        (COPY / ".cargo/config.toml").write_text(f"[profile.release.package.gristmill]\nopt-level = {level}\n")
        wanted = [it for it in sorted(names) if it.startswith("shuttle_") == (kind == "shuttle") and not LEFT_OUT.fullmatch(it)]
        arguments = [argument for name in wanted for argument in ("--test", name)]
        if kind == "plain":
            arguments.append("--lib")
        settings = {f"CARGO_PROFILE_RELEASE_{name}": value for name, value in [
            ("DEBUG_ASSERTIONS", "true"), ("OVERFLOW_CHECKS", "true"), ("DEBUG", "false"), ("CODEGEN_UNITS", "64"),
        ]}  # fmt: skip
        command = ["cargo", "test", "--release", "--no-run", "--message-format", "json", *features, *arguments]
        with open(WORK / f"{kind}.json", "w", encoding="utf-8") as out:
            subprocess.run(command, cwd=COPY, env=environment(kind, **settings), stdout=out, check=True)


def binaries(kind):
    with open(WORK / f"{kind}.json", encoding="utf-8") as lines:
        built = [json.loads(line) for line in lines]
    for it in built:
        if it["reason"] == "compiler-artifact" and it.get("executable") and it["profile"]["test"]:
            yield f"{kind}/{it['target']['name']}", it["executable"]


def call(command, limit, out=subprocess.DEVNULL, **more):
    """The exit status, or None if it took too long."""
    settings = {"GRISTMILL_ITERATIONS": "60", "PROPTEST_CASES": "32", "RUST_BACKTRACE": "0", **more}
    child = subprocess.Popen(
        command, cwd=COPY, env=dict(os.environ, **settings),
        stdout=out, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        return child.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, 9)
        child.wait()
        return None


def together(program, tests, out=subprocess.DEVNULL, **more):
    """The exit status of several tests of one program."""
    limit = 10 + 4 * sum(test["took"] for test in tests)
    names = [test["test"] for test in tests]
    return call([program, "--test-threads", "2", "--exact", *names], limit, out, **more)


def by_program(tests):
    groups = collections.defaultdict(list)
    for test in tests:
        groups[(test["name"], test["program"])].append(test)
    return groups


def leave_out_unsteady(tests):
    """A test that fails without a mutation, now and then or beside others, would seem to notice all of them."""

    def one(group):
        (name, program), tests = group
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as out:
            status = together(program, tests, out)
            out.seek(0)
            failed = set(re.findall(r"^test (.*) \.\.\. FAILED$", out.read(), re.MULTILINE))
        for test in tests:
            if test["test"] in failed or (status != 0 and not failed):
                test["status"] = f"{status} beside others"

    for _ in range(ROUNDS):
        groups = by_program(filter(usable, tests)).items()
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
            list(threads.map(one, groups))


def trace():
    jobs = []
    for kind in KINDS:
        for name, program in binaries(kind):
            for line in said(program, "--list", "--format", "terse", cwd=COPY).split("\n"):
                if line.endswith(": test"):
                    jobs.append((name, program, line.removesuffix(": test")))

    def one(job):
        number, (name, program, test) = job
        file = WORK / f"trace-{number}"
        file.unlink(missing_ok=True)
        start = time.monotonic()
        few = {"GRISTMILL_ITERATIONS": "10", "PROPTEST_CASES": "8"}
        status = call([program, "--exact", test], 3 * LONGEST, SWITCHED_TRACE=str(file), **few)
        took = time.monotonic() - start
        passed = sorted({int(line) for line in file.read_text().split()}) if file.exists() else []
        file.unlink(missing_ok=True)
        return {"name": name, "program": program, "test": test, "status": status, "took": took, "passed": passed}

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() + 1) as threads:
        tests = list(threads.map(one, enumerate(jobs)))
    leave_out_unsteady(tests)
    (WORK / "trace.json").write_text(json.dumps(tests))
    print(f"{len(tests)} tests; left out, since they fail or are slow without a mutation:")
    for test in tests:
        if not usable(test):
            print(f"    {test['name']} {test['test']}: {test['status']} after {test['took']:.0f} s")


def usable(test):
    return test["status"] == 0 and test["took"] <= LONGEST


def results():
    file = WORK / "results.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return {it["id"]: it for it in map(json.loads, lines)}


def module(mutant):
    return mutant["file"].split("/")[1].removesuffix(".rs")


def chosen(mutant, names):
    return not names or any(mutant["file"].startswith((f"src/{name}/", f"src/{name}.rs")) for name in names)


def run(shard, names):
    first, step = map(int, shard.split("/"))
    known, done = state(), results()
    here = [it for it in known["mutants"] if str(it["id"]) not in known["left_out"] and chosen(it, names)]
    todo = [it for it in here[first::step] if it["id"] not in done]
    come_by = collections.defaultdict(list)
    for test in filter(usable, json.loads((WORK / "trace.json").read_text())):
        for number in test["passed"]:
            come_by[number].append(test)
    lock, count = threading.Lock(), 0

    def one(mutant):
        nonlocal count
        groups = by_program(come_by[mutant["id"]])
        folder = "/".join(mutant["file"].split("/")[1:3]).removesuffix(".rs")
        words = OWN.get(folder, OWN.get(module(mutant), [module(mutant)]))

        def rank(group):
            (name, _), tests = group
            own = name == "plain/gristmill" or any(word in name.split("/")[1] for word in words)
            return not own, sum(test["took"] for test in tests) * (3 if name.startswith("shuttle/") else 1)

        noticed = None
        for (name, program), tests in sorted(groups.items(), key=rank):
            status = together(program, tests, SWITCHED_ON=str(mutant["id"]))
            if status != 0:
                noticed = f"{name}, {'too long' if status is None else status}"
                break
        with lock, open(WORK / "results.jsonl", "a", encoding="utf-8") as out:
            result = {"id": mutant["id"], "name": mutant["name"], "come_by": len(come_by[mutant["id"]]), "noticed": noticed}
            out.write(json.dumps(result) + "\n")
            count += 1
            if count % 100 == 0:
                print(f"{count} of {len(todo)}", flush=True)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(one, todo))


def score():
    known, done = state(), results()
    table = collections.defaultdict(collections.Counter)
    for mutant in known["mutants"]:
        result = done.get(mutant["id"])
        if str(mutant["id"]) in known["left_out"]:
            column = known["left_out"][str(mutant["id"])]
        elif result is None:
            column = "not tried"
        elif result["noticed"]:
            column = "noticed"
        else:
            column = "not noticed" if result["come_by"] else "no test comes by"
        table[module(mutant)][column] += 1
        table["all"][column] += 1
    columns = ["noticed", "not noticed", "no test comes by", "not tried", "does not compile", "cannot be switched"]
    print("| module | " + " | ".join(columns) + " | score |\n|---|" + "---:|" * (len(columns) + 1))
    for name, counts in table.items():
        tried = counts["noticed"] + counts["not noticed"] + counts["no test comes by"]
        share = f"{100 * counts['noticed'] / tried:.1f} %" if tried else ""
        print(f"| {name} | " + " | ".join(str(counts[column]) for column in columns) + f" | {share} |")


def missed(names):
    files = {it["id"]: it for it in state()["mutants"]}
    for number, result in results().items():
        if not result["noticed"] and chosen(files[number], names):
            print(f"{result['name']} ({result['come_by']} tests come by)")


COMMANDS = {"prepare": prepare, "build": build, "trace": trace, "score": score}
if sys.argv[3] == "run":
    run(sys.argv[4], sys.argv[5:])
elif sys.argv[3] == "missed":
    missed(sys.argv[4:])
else:
    COMMANDS[sys.argv[3]]()
