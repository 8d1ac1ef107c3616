#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Says in a few lines which mode wins when, with the figures, from results.json; the README has these lines.

    summary.py COMPARISON UNTOUCHED             print them (the folders with the results.json of all rows, and of the replicates)
    summary.py COMPARISON UNTOUCHED README.md   put them into that file, between its two marks
    summary.py COMPARISON UNTOUCHED README.md --check    exit status 1 if other lines stand there

Each line is a claim, and is only said if the figures bear it out: else this fails, and the line has to be written anew.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

BEGIN, END = "<!-- summary of experiments/results: make summary -->", "<!-- end of summary -->"
SIZES = ("4k", "64k", "512k")
KIB = {"4k": 4, "64k": 64, "512k": 512}
FREE = [(f"ubdx-null-{mode}-untouched", rw, size) for mode in ("user", "splice", "map") for rw in ("write", "read") for size in SIZES]


class Claim(Exception):
    """The figures don't say what a line does."""


class Figures:
    """Instructions above the floor, by row and cell."""

    def __init__(self, results: dict, replicates: dict) -> None:
        self.rows = results["rows"]
        self.copy = results["copy_instructions_per_kib"]
        self.means = replicates["rows"]
        self.boots = replicates["replicates"]

    def cost(self, row: str, rw: str, depth: int, size: str) -> float:
        return self.rows[row]["cells"][f"rand{rw}.{depth}.{size}"]["above_floor"]

    def untouched(self, depth: int) -> list[float]:
        """What the untouched modes cost above the floor at a queue depth, at all sizes."""
        return [self.cost(row, rw, depth, size) for row, rw, size in FREE]

    def over_best(self, depth: int) -> str:
        """How they compare with ublk's best, in words."""
        cells = [self.means[row]["cells"][f"rand{rw}.{depth}.{size}"] for row, rw, size in FREE]
        over = [100 * cell["against_ublk_best"] / (cell["instructions"] - cell["against_ublk_best"]) for cell in cells]
        less = sum(cell["against_ublk_best_95"][1] < 0 for cell in cells)
        more = sum(cell["against_ublk_best_95"][0] > 0 for cell in cells)
        claim(depth == 1 or not more, "untouched requests are no dearer than ublk's best at queue depth 32")
        dearest = f"{max(over):.1f} % more" if max(over) > 0 else f"{-max(over):.1f} % less"
        return (
            f"in all, {-min(over):.1f} % less than ublk's best mode to {dearest}: less beyond doubt in {less} of {len(cells)} cells, more "
            f"in {more or 'none'} (means of {self.boots} boots, 95 %)"
        )


def claim(holds: bool, what: str) -> None:
    if not holds:
        raise Claim(what)


def number(value: float) -> str:
    return f"{round(value, -2):,.0f}"


def untouched(f: Figures) -> str:
    deep = f.untouched(32)
    copy = [f.cost("ubdx-null-copy", "write", 32, size) for size in SIZES]
    claim(max(deep) < 3500, "untouched requests cost the same at any size")
    return (
        f"- **The server looks at the metadata only**: `user`, `splice` or `map`. At queue depth 32 they cost {number(min(deep))} to "
        f"{number(max(deep))} above the floor, whatever the size; {f.over_best(32)}. "
        f"`copy` costs {', '.join(map(number, copy))} at {', '.join(SIZES)}, {f.copy:.0f} per KiB, as ublk's does."
    )


def shallow(f: Figures) -> str:
    cost = f.untouched(1)
    return (
        f"- **At queue depth 1** the two wake-ups and switches of each request cost more than anything else ({number(min(cost))} to {number(max(cost))} "
        f"above the floor), and how they fall out in one boot is luck of some per cent; {f.over_best(1)}."
    )


def header(f: Figures) -> str:
    user, mapped = (
        [f.cost(f"ubdx-null-{mode}-header", "write", 32, size) - f.cost(f"ubdx-null-{mode}-untouched", "write", 32, size) for size in SIZES]
        for mode in ("user", "map")
    )
    per_page = (mapped[2] - mapped[0]) / (KIB["512k"] - KIB["4k"]) * 4
    claim(max(user) < min(mapped) and max(user) < 2000, "a header is cheapest read by user")
    return (
        f"- **It reads a header**: `user`, for {number(min(user))} to {number(max(user))} more at any size. `map` pays {number(mapped[0])} for the page fault "
        f"and the way out, and {per_page:.0f} for each page of the request."
    )


def everything(f: Figures) -> str:
    cells = [(rw, depth, size) for rw in ("write", "read") for depth in (1, 32) for size in SIZES]
    best = {
        cell: min(("copy", "user", "map"), key=lambda mode: f.cost(f"ubdx-null-{mode}-all", *cell)) for cell in cells  # noqa: B023
    }
    wins = {mode: [cell for cell in cells if best[cell] == mode] for mode in ("copy", "user", "map")}
    claim(all(rw == "write" and size != "4k" for rw, _, size in wins["map"]) and len(wins["map"]) >= 2, "map wins large WRITEs that are read")
    claim(all(best["write", depth, "512k"] == "map" for depth in (1, 32)), "map wins 512k WRITEs")
    figures = ", ".join(f"`{mode}` {number(f.cost(f'ubdx-null-{mode}-all', 'write', 32, '512k'))}" for mode in ("map", "copy", "user"))
    return (
        f"- **It reads all of a WRITE**: `map` from 64k on, as nothing is copied (512k, queue depth 32: {figures}); `copy` or `user` below. "
        f"**It fills a READ**: `user` (512k: {number(f.cost('ubdx-null-user-all', 'read', 32, '512k'))}; `map` {number(f.cost('ubdx-null-map-all', 'read', 32, '512k'))}; "
        f"`copy`, whose buffer is written first, {number(f.cost('ubdx-null-copy-all', 'read', 32, '512k'))})."
    )


def forwarding(f: Figures) -> str:
    def at(row: str, rw: str) -> str:
        return number(f.cost(row, rw, 32, "512k"))

    ours = ("copy", "user", "map", "splice")
    claim(
        all(f.cost("ublk-loop-auto", rw, 32, "512k") < min(f.cost(f"ubdx-loop-{mode}", rw, 32, "512k") for mode in ours) / 2 for rw in ("write", "read")),
        "ublk's registration wins at forwarding",
    )
    claim(f.cost("ubdx-loop-splice", "write", 32, "512k") < f.cost("ubdx-loop-copy", "write", 32, "512k") * 0.7, "splice helps WRITEs")
    claim(f.cost("ubdx-loop-splice", "read", 32, "512k") > 2 * f.cost("ubdx-loop-copy", "read", 32, "512k"), "splice is bad for READs")
    claim(all(f.cost("loop-dio", rw, 32, "512k") < f.cost("ublk-loop-auto", rw, 32, "512k") for rw in ("write", "read")), "the kernel's loop wins")
    return (
        f"- **It forwards with O_DIRECT**: here ubdx loses. 512k WRITEs over null_blk, queue depth 32: the kernel's loop driver {at('loop-dio', 'write')}, "
        f"ublk's automatic buffer registration {at('ublk-loop-auto', 'write')}, `splice` {at('ubdx-loop-splice', 'write')}, `copy`, `user` and `map` "
        f"{at('ubdx-loop-copy', 'write')} to {at('ubdx-loop-map', 'write')}. READs: {at('loop-dio', 'read')}, {at('ublk-loop-auto', 'read')}, "
        f"and `splice`, which takes other pages and copies them, {at('ubdx-loop-splice', 'read')}. A RAM disk copies anyway: the same, in smaller proportion."
    )


def lines(results: dict, replicates: dict) -> str:
    f = Figures(results, replicates)
    return "\n".join(part(f) for part in (untouched, shallow, header, everything, forwarding)) + "\n"


def main() -> None:
    arguments = [a for a in sys.argv[1:] if a != "--check"]
    if len(arguments) not in (2, 3) or arguments[0] in ("-h", "--help"):
        sys.exit(__doc__)
    try:
        text = lines(*(json.loads(Path(folder, "results.json").read_text()) for folder in arguments[:2]))
    except Claim as broken:
        sys.exit(f"summary: the figures don't bear out that {broken}")
    if len(arguments) == 2:
        print(text, end="")
        return
    readme = Path(arguments[2])
    before, rest = readme.read_text().split(BEGIN)
    old, after = rest.split(END)
    if "--check" in sys.argv:
        if old != f"\n{text}":
            sys.exit(f"{readme}: the summary is not that of {arguments[0]} and {arguments[1]}; make summary")
        return
    readme.write_text(f"{before}{BEGIN}\n{text}{END}{after}")


if __name__ == "__main__":
    main()
