#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Asserts what the comparison promises, from its results.json: one line a violation, exit status 1.

    check.py RESULTS...    (results.json, or the folder that it is in)

  - Every cell is measured well: resolution under 0.5 %, idle time under 0.1 %, and ublk's and
    ubdx's two short runs within 3 % of each other (steady state).
  - The ublk peer isn't slow: it costs no more than the ladder says (baselines/ladder.json, on the
    kernel that the ladder was measured on), within the ladder's tolerance.
  - ubdx copy costs no more than ublk copy in any cell. Of one boot the two cells may differ by
    their spread and the resolution, or by 0.5 %, which boots differ by. Of several boots the 95 %
    interval of the difference decides.
  - ubdx's other modes, untouched, cost no more than the best of ublk's in any cell, and that is
    known well enough: the difference isn't significantly above 0 (95 %, Holm-corrected), and its
    95 % interval reaches no farther than 3 % either way. Only of several boots: the memory layout
    and interleaving of one boot move every third cell by some per cent.
  - ubdx's other modes, untouched, at queue depth 32: a larger size costs no more above the floor
    than a smaller one. The 95 % interval of the difference must not lie above the jitter of both
    cells. Larger sizes mostly cost less, because more of them share a switch between client and
    server. Not at queue depth 1: there each 4k request either wakes the server or finds it awake.
    That depends on the scheduler and is worth a thousand instructions, in ublk's modes too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "lib"))

from inference import LEVEL

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
    return values["instructions"] - peer["instructions"] > max(
        blur(values, peer), BOOT_PERCENT / 100 * peer["instructions"]
    )


def blur(values: dict, peer: dict) -> float:
    """Instructions by which two cells can differ without a meaning."""
    return (values["spread_percent"] + peer["spread_percent"]) / 100 * values[
        "instructions"
    ] + jitter(values)


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
            if over > 0 and values["against_ublk_best_p_holm"] < LEVEL:
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
