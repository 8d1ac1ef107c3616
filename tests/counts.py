#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Counts what tests found, and writes that into docs/reliability.md.

    counts.py --record TAP KIND SUFFIX REVISION EXTENT
        count the run of KIND's tests whose output is in the folder TAP, and keep the counts in
        build/test-counts.json (tests/run). EXTENT is "whole" or "part".
    counts.py
        put the recorded counts, and those of make fuzz and make test-mutants, into
        tests/counts.json; then write docs/reliability.md (make counts)
    counts.py --check
        exit status 1 if docs/reliability.md isn't what tests/counts.json says

A run of only some of a kind's tests replaces the results of these tests, if a whole run has been
recorded before. The table then names the commits of both runs.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "docs"))

from marked import fill, wrapped  # noqa: E402

RECORDED = TOP / "build" / "test-counts.json"
COMMITTED = TOP / "tests" / "counts.json"
LONGEST = 3
NAMES = {
    "unit": "unit tests",
    "host": "tests on the host",
    "stable": "Debian's 6.12",
    "backports": "Debian's newest",
    "stable-debug": "debug kernel of 6.12",
    "backports-debug": "debug kernel of the newest",
}


def count(tap: Path, kind: str, revision: str) -> dict[str, dict]:
    """What a folder of TAP says of each test of one kind."""
    results = {}
    for end in sorted(tap.glob(f"{kind}-*.end")):
        name = end.stem.removeprefix(f"{kind}-")
        if kind in ("stable", "backports") and name.startswith("debug-"):
            continue
        status, seconds = map(int, end.read_text().split())
        lines = (tap / end.stem).read_text().splitlines() if (tap / end.stem).exists() else []
        wrong = sum(line.startswith("not ok") for line in lines)
        skipped = sum(line.startswith("ok ") and "# SKIP" in line for line in lines)
        results[name] = {
            "passed": sum(re.match(r"ok\b", line) is not None for line in lines) - skipped,
            "failed": max(wrong, 1 if status else 0),
            "skipped": skipped,
            "seconds": seconds,
            "revision": revision,
        }
    return results


def kernel(kind: str) -> str:
    """The version of the lab's kernel that a kind stands for; "" if unknown."""
    path = Path("/lab/kernels", kind.removesuffix("-debug"))
    version = (
        re.search(r"^version=(.*)$", path.read_text(), re.MULTILINE) if path.exists() else None
    )
    return version[1] if version else ""


def count_fuzz(tap: Path) -> dict:
    text = tap.read_text()
    rounds = [int(steps) for steps in re.findall(r"^# round \d+: (\d+) steps", text, re.MULTILINE)]
    seed = re.search(r"^# seed (\d+)", text, re.MULTILINE)
    return {
        "seed": seed[1] if seed else "",
        "rounds": len(rounds),
        "steps": sum(rounds),
        "failed": len(re.findall(r"^not ok", text, re.MULTILINE)),
    }


def count_mutants(tap: Path) -> dict:
    text = tap.read_text()
    seconds = re.search(r"^# (\d+) s$", text, re.MULTILINE)
    return {
        "seen": len(re.findall(r"^ok", text, re.MULTILINE)),
        "survived": re.findall(r"^not ok - ([^:]+):", text, re.MULTILINE),
        "seconds": int(seconds[1]) if seconds else 0,
    }


def read(path: Path) -> dict:
    return json.loads(path.read_text()) if path.exists() else {}


def write(path: Path, counts: dict) -> None:
    path.write_text(json.dumps(counts, indent=1, sort_keys=True) + "\n")


def run_name(key: str, counted: dict) -> str:
    kind = key.removesuffix("-asan")
    release = f" ({counted['kernel']})" if counted.get("kernel") else ""
    return NAMES.get(kind, kind) + release + (", with ASan and UBSan" if key != kind else "")


def minutes(seconds: int) -> str:
    return f"{seconds / 60:.0f}" if seconds >= 60 else "< 1"


def runs_table(runs: dict) -> str:
    order = [key for kind in NAMES for key in (kind, f"{kind}-asan") if key in runs]
    lines = [
        "| run | tests | checks passed | failed | skipped | minutes, all tests added up | commit |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    for key in order:
        results = runs[key]["results"]
        sums = [sum(r[what] for r in results.values()) for what in ("passed", "failed", "skipped")]
        lines.append(
            f"| {run_name(key, runs[key])} | {len(results)} | {' | '.join(map(str, sums))} | "
            f"{minutes(sum(r['seconds'] for r in results.values()))} | "
            f"{', '.join(sorted({r['revision'] for r in results.values()}))} |"
        )
    text = "\n".join(lines) + "\n"
    for key in order:
        failed = [name for name, r in runs[key]["results"].items() if r["failed"]]
        if failed:
            names = ", ".join(f"`{name}`" for name in failed)
            text += "\n" + wrapped(f"Failed, {run_name(key, runs[key])}: {names}.")
    for key in (key for key in order if key.endswith("-debug")):
        times = [(name, r["seconds"]) for name, r in runs[key]["results"].items()]
        times.sort(key=lambda item: (-item[1], item[0]))
        longest = ", ".join(f"`{name}` ({seconds} s)" for name, seconds in times[:LONGEST])
        text += "\n" + wrapped(f"The longest tests, {run_name(key, runs[key])}: {longest}.")
    return text


def parts(counts: dict) -> dict[str, str]:
    text = runs_table(counts["runs"]) if counts.get("runs") else "No whole run has been recorded.\n"
    for key, fuzz in sorted(counts.get("fuzz", {}).items()):
        text += "\n" + wrapped(
            f"`make fuzz`, {NAMES.get(key, key)}: {fuzz['rounds']} rounds, {fuzz['steps']:,} steps, seed "
            f"{fuzz['seed']}; {fuzz['failed'] or 'no'} failure{'s' if fuzz['failed'] > 1 else ''}."
        )
    if mutants := counts.get("mutants"):
        survived = ", ".join(f"`{name}`" for name in mutants["survived"]) or "none"
        total = mutants["seen"] + len(mutants["survived"])
        text += "\n" + wrapped(
            f"`make test-mutants`: {total} mutants, {mutants['seen']} seen by their tests; "
            f"survived: {survived}; {minutes(mutants['seconds'])} minutes."
        )
    return {"counts": text}


def record(tap: str, kind: str, suffix: str, revision: str, extent: str) -> None:
    counts = read(RECORDED)
    # A record that an older version has written has no results.
    before = counts.setdefault("runs", {}).get(kind + suffix, {}).get("results")
    if extent != "whole" and not before:
        return
    found = {"results": count(TOP / tap, kind, revision)}
    if extent != "whole":
        found["results"] = before | found["results"]
    if kind not in ("unit", "host"):
        found["kernel"] = kernel(kind)
    counts["runs"][kind + suffix] = found
    write(RECORDED, counts)


def gather() -> dict:
    """The committed counts, with later records in place of older ones."""
    counts, recorded = read(COMMITTED), read(RECORDED)
    runs = {key: run for key, run in recorded.get("runs", {}).items() if "results" in run}
    counts.setdefault("runs", {}).update(runs)
    for tap in sorted((TOP / "build").glob("fuzz-*.tap")):
        counts.setdefault("fuzz", {})[tap.stem.removeprefix("fuzz-")] = count_fuzz(tap)
    mutants = TOP / "build" / "mutants.tap"
    if mutants.exists():
        counts["mutants"] = count_mutants(mutants)
    return counts


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--record"] and len(arguments) == 6:
        record(*arguments[1:])
    elif arguments in ([], ["--check"]):
        checking = bool(arguments)
        counts = read(COMMITTED) if checking else gather()
        if not checking:
            write(COMMITTED, counts)
        fill(TOP / "docs" / "reliability.md", parts(counts), checking, "make counts")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
