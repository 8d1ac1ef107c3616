#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks the comparison's claims against its results.json. Prints one line for each violation; the
exit status is then 1.

    check.py RESULTS...    (results.json, or the folder that has it)

  - Each cell is measured well: resolution under 0.5 %, idle time under 0.1 %. The two short jobs of
    ublk's and ubdx's cells differ by less than 3 % (steady state).
  - The ublk peer isn't slow: on the kernel of the ladder (baselines/ladder.json) it costs no more
    than the ladder says, within the ladder's tolerance.
  - ubdx copy costs no more than ublk copy in any cell. One boot: it may cost more by the two
    cells' spread plus the resolution, or by 0.5 %, which is how much boots differ anyway. Several
    boots: the 95 % interval of the difference must not lie above 0.
  - ubdx's other modes, untouched, cost no more than ublk's best mode in any cell: the difference
    isn't significantly above 0 (95 %, Holm-corrected). The difference is also known well enough:
    its 95 % interval reaches at most 3 % to either side. Both are checked for several boots only:
    the memory layout and interleaving of one boot move every third cell by some per cent.
  - ubdx's other modes, untouched, at queue depth 32: a larger size costs no more above the floor
    than a smaller one. The 95 % interval of the difference must not lie above the jitter of both
    cells. Larger sizes mostly cost less, because more of them share a switch between client and
    server. Queue depth 1 is not checked: there each 4k request either wakes the server or finds it
    awake. Which of the two depends on the scheduler and makes a difference of a thousand
    instructions, in ublk's modes too.
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
                yield f"{name} {cell}: not steady: two equal jobs differ by {values['spread_percent']} %"
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
    """Whether a cell of ubdx copy is certainly dearer than the same cell of ublk copy."""
    if "against_ublk_copy_95" in values:
        return values["against_ublk_copy_95"][0] > 0
    return values["instructions"] - peer["instructions"] > max(
        blur(values, peer), BOOT_PERCENT / 100 * peer["instructions"]
    )


def blur(values: dict, peer: dict) -> float:
    """The difference in instructions up to which two cells count as equal."""
    return (values["spread_percent"] + peer["spread_percent"]) / 100 * values[
        "instructions"
    ] + jitter(values)


def jitter(values: dict) -> float:
    """The uncertainty of the measurement itself, in instructions."""
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
                yield f"{name} {cell}: {over:.0f} ({low:.0f} to {high:.0f}) against {values['ublk_best']} is known too badly; measure more replicates"


def flat(results: dict) -> Iterator[str]:
    """The sizes that cost more above the floor than a smaller one."""
    for name, row in results["rows"].items():
        for cell, values in row.get("cells", {}).items():
            direction, depth, _ = cell.split(".")
            for smaller, (over, low, high) in values.get("against_smaller_95", {}).items():
                other = row["cells"][f"{direction}.{depth}.{smaller}"]
                if depth == "32" and low > jitter(values) + jitter(other):
                    yield f"{name} {cell}: costs {over:.0f} ({low:.0f} to {high:.0f}) more above the floor than {smaller}"


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
