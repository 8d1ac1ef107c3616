#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Asserts what the comparison promises, from its results.json: one line a violation, exit status 1 if there is any.

    check.py RESULTS...    (results.json, or the folder that it is in)

  - resolution under 0.5 % and idle under 0.1 % in every cell; ublk's and ubdx's two short runs within 3 % of each other (steady state)
  - the ublk peer no dearer than the ladder (baselines/ladder.json, on the kernel it was measured on) by more than its tolerance
  - ubdx copy no dearer than ublk copy in any cell, beyond what can be known: of one boot the two cells' spread and the resolution, or 0.5 %,
    by which boots differ; of more than one the 95 % interval of the difference
  - ubdx's other modes, untouched, no dearer than the best of ublk's in any cell: of more boots than one (one's memory and interleaving make one
    cell in three cheaper or dearer by per cents), where the 95 % interval of the difference is not above nothing, nor wider than 3 % either way
  - ubdx's other modes, untouched, at queue depth 32: above the floor a larger size is no dearer than a smaller one, of more boots than one, by more
    than the floor's own jitter: the 95 % interval of the difference doesn't lie beyond that of both cells. Larger ones are mostly cheaper, by some
    hundred instructions: more of them share a switch between client and server. Not at queue depth 1: there each request of 4k wakes the server or
    finds it awake, as the scheduler has it, and that is a thousand instructions, in ublk's modes as in ours
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

RESOLUTION_PERCENT = 0.5
IDLE_PERCENT = 0.1
SPREAD_PERCENT = 3
BOOT_PERCENT = 0.5
KNOWN_PERCENT = 3
LADDER = Path(__file__).parent.parent / "baselines" / "ladder.json"


def quality(results: dict) -> Iterator[str]:
    for name, row in results["rows"].items():
        for cell, values in row.get("cells", {}).items():
            if values["resolution_percent"] >= RESOLUTION_PERCENT:
                yield f"{name} {cell}: resolution {values['resolution_percent']} % is not under {RESOLUTION_PERCENT} %"
            if values["spread_percent"] >= SPREAD_PERCENT and name.startswith("ub"):
                yield f"{name} {cell}: not steady, two equal runs differ by {values['spread_percent']} %"
            if values["idle_percent"] >= IDLE_PERCENT:
                yield f"{name} {cell}: idle {values['idle_percent']} % is not under {IDLE_PERCENT} %"


def peers(results: dict, ladder: dict) -> Iterator[str]:
    if not results["kernel"].startswith(ladder["kernel"] + "."):
        return
    for name, cells in ladder["rows"].items():
        if not name.startswith("ublk-"):
            continue
        for cell, limit in cells.items():
            values = results["rows"].get(name, {}).get("cells", {}).get(cell)
            allowed = limit * (1 + ladder["tolerance_percent"] / 100)
            if values and values["instructions"] > allowed:
                over = 100 * (values["instructions"] / limit - 1)
                yield f"{name} {cell}: {values['instructions']:.0f} is {over:.1f} % above the ladder's {limit}"


def dearer(values: dict, peer: dict) -> bool:
    """Whether a cell of ubdx copy is dearer than ublk copy's, as far as is known."""
    if "against_ublk_copy_95" in values:
        return values["against_ublk_copy_95"][0] > 0
    return values["instructions"] - peer["instructions"] > max(blur(values, peer), BOOT_PERCENT / 100 * peer["instructions"])


def blur(values: dict, peer: dict) -> float:
    """Instructions by which two cells can differ without a meaning."""
    return (values["spread_percent"] + peer["spread_percent"]) / 100 * values["instructions"] + jitter(values)


def jitter(values: dict) -> float:
    """Instructions that the bracket itself leaves open."""
    return values["resolution_percent"] / 100 * values["instructions"]


def ubdx(results: dict) -> Iterator[str]:
    for name, row in results["rows"].items():
        if not (name.startswith("ubdx-") and name.endswith("-copy")):
            continue
        peer = results["rows"].get(name.replace("ubdx", "ublk", 1), {}).get("cells", {})
        for cell, values in row.get("cells", {}).items():
            if cell not in peer:
                continue
            over = values["instructions"] - peer[cell]["instructions"]
            if dearer(values, peer[cell]):
                yield f"{name} {cell}: {values['instructions']:.0f} is {over:.0f} dearer than ublk's {peer[cell]['instructions']:.0f}"


def untouched(results: dict) -> Iterator[str]:
    for name, row in results["rows"].items():
        for cell, values in row.get("cells", {}).items():
            if "against_ublk_best_95" not in values:
                continue
            over, (low, high) = values["against_ublk_best"], values["against_ublk_best_95"]
            best = values["instructions"] - over
            if low > 0:
                yield f"{name} {cell}: {over:.0f} ({low:.0f} to {high:.0f}) dearer than {values['ublk_best']}, {best:.0f}"
            if max(high - over, over - low) > KNOWN_PERCENT / 100 * best:
                yield f"{name} {cell}: {over:.0f} ({low:.0f} to {high:.0f}) against {values['ublk_best']} is known too badly; more replicates"


def flat(results: dict) -> Iterator[str]:
    """Sizes that cost more above the floor than a smaller one."""
    for name, row in results["rows"].items():
        for cell, values in row.get("cells", {}).items():
            direction, depth, _ = cell.split(".")
            for smaller, (over, low, high) in values.get("against_smaller_95", {}).items():
                other = row["cells"][f"{direction}.{depth}.{smaller}"]
                if depth == "32" and low > jitter(values) + jitter(other):
                    yield f"{name} {cell}: above the floor it is {over:.0f} ({low:.0f} to {high:.0f}) dearer than with {smaller}"


def violations(results: dict) -> Iterator[str]:
    yield from quality(results)
    yield from peers(results, json.loads(LADDER.read_text()))
    yield from ubdx(results)
    yield from untouched(results)
    yield from flat(results)


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    failed = False
    for path in map(Path, sys.argv[1:]):
        results = json.loads((path / "results.json" if path.is_dir() else path).read_text())
        for line in violations(results):
            failed = True
            print(f"{path}: {line}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
