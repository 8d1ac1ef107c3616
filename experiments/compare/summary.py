#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Writes the README's summary of what the comparison found, from results.json.

    summary.py COMPARISON UNTOUCHED                      print the summary
    summary.py COMPARISON UNTOUCHED README.md            put it into that file, between its marks
    summary.py COMPARISON UNTOUCHED README.md --check    exit status 1 if the file has another summary

COMPARISON is the folder with the results of all rows, UNTOUCHED the folder with those of the
replicates. Each line makes claims, and claim() checks them against the figures. If the figures
don't support a claim, this program fails, and somebody has to write a new line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "lib"), str(HERE.parent.parent / "docs")]

from inference import LEVEL  # noqa: E402
from marked import fill, wrapped  # noqa: E402

SIZES = ("4k", "64k", "512k")
KIB = {"4k": 4, "64k": 64, "512k": 512}
DIRECTIONS = ("write", "read")
UNTOUCHED = [
    (f"ubdx-null-{mode}-untouched", rw, size)
    for mode in ("user", "splice", "map")
    for rw in DIRECTIONS
    for size in SIZES
]


class Claim(Exception):
    """The figures don't support what a line says."""


def claim(holds: bool, what: str) -> None:
    if not holds:
        raise Claim(what)


def number(value: float) -> str:
    return f"{round(value, -2):,.0f}"


class Figures:
    """Instructions above the floor, by row and cell."""

    def __init__(self, results: dict, replicates: dict) -> None:
        self.rows = results["rows"]
        self.means = replicates["rows"]
        self.per_kib = replicates["copy_instructions_per_kib"]
        self.boots = replicates["replicates"]
        self.comparisons = replicates.get("comparisons", {}).get("ublk_best", 0)

    def cost(self, row: str, rw: str, depth: int, size: str) -> float:
        return self.rows[row]["cells"][f"rand{rw}.{depth}.{size}"]["above_floor"]

    def null(self, mode: str, rw: str, depth: int, size: str) -> float:
        return self.cost(f"ubdx-null-{mode}", rw, depth, size)

    def mean(self, row: str, rw: str, depth: int, size: str) -> float:
        """As cost(), but the mean of the replicates."""
        return self.means[row]["cells"][f"rand{rw}.{depth}.{size}"]["above_floor"]

    def untouched(self, depth: int) -> list[float]:
        """The untouched modes' costs above the floor at a queue depth, at all sizes."""
        return [self.mean(row, rw, depth, size) for row, rw, size in UNTOUCHED]

    def copies(self) -> list[float]:
        return [self.mean("ubdx-null-copy", "write", 32, size) for size in SIZES]

    def against_best(self, depth: int) -> str:
        """How the untouched modes compare with ublk's best at a queue depth, in words."""
        cells = [
            self.means[row]["cells"][f"rand{rw}.{depth}.{size}"] for row, rw, size in UNTOUCHED
        ]
        percent = [
            100 * c["against_ublk_best"] / (c["instructions"] - c["against_ublk_best"])
            for c in cells
        ]
        sure = [p for c, p in zip(cells, percent) if c["against_ublk_best_p_holm"] < LEVEL]
        lower, higher = sum(p < 0 for p in sure), sum(p > 0 for p in sure)
        claim(all(p < 3 for p in sure), "no untouched mode costs significantly more, by 3 % or over")
        if max(percent) < 0:
            span = f"{-max(percent):.1f} % to {-min(percent):.1f} % below ublk's best mode"
        else:
            span = f"between {-min(percent):.1f} % below and {max(percent):.1f} % above ublk's best mode"
        count = (
            f"significantly lower in {lower} and higher in {higher} of {len(cells)} cells"
            if sure
            else "no cell differs significantly"
        )
        return f"{span} ({count}; 95 %, Holm-corrected for {self.comparisons} comparisons)"


def finding(f: Figures) -> str:
    deep, copy = f.untouched(32), f.copies()
    claim(max(deep) < 3500, "untouched requests cost the same at any size")
    claim(max(deep) < copy[0] and copy[2] > 20 * max(deep), "copying costs more, at any size")
    loop = [
        f.cost(row, "write", 32, "512k")
        for row in ("loop-dio", "ublk-loop-auto", "ubdx-loop-regbuf", "ubdx-loop-copy")
    ]
    claim(loop[0] < loop[2] < loop[3] / 2, "regbuf saves the copy, and the loop driver more")
    claim(abs(loop[2] - loop[1]) < loop[1] * 0.1, "regbuf and ublk's registration cost the same")
    return wrapped(
        "**A server that never reads the payload should not let the driver copy it.** At queue depth "
        f"32 modes `user`, `splice` and `map` cost {number(min(deep))} to {number(max(deep))} "
        "instructions a request above null_blk, whatever the request's size. Mode `copy` costs "
        f"{number(copy[0])} at 4k and {number(copy[2])} at 512k. In total, with the instructions of "
        f"client and block layer, the three modes are {f.against_best(32)}; at queue depth 1 they are "
        f"{f.against_best(1)}. Where the server forwards a WRITE of 512k with O_DIRECT, mode "
        f"`regbuf` costs "
        f"{number(loop[2])}, ublk's automatic buffer registration {number(loop[1])}, mode `copy` "
        f"{number(loop[3])}, and the kernel's loop driver, which crosses to no server, "
        f"{number(loop[0])}."
    )


def scope(f: Figures) -> str:
    return wrapped(
        "**Scope.** These are instructions, not nanoseconds, counted in an emulated machine with one "
        "CPU. ubdx has never run on real hardware. The emulated CPU has no fast `rep movs` (no ERMS, "
        f"no FSRM): that a copy takes {f.per_kib:.0f} instructions per KiB is a property of that CPU. "
        "On most real CPUs a copy is a few instructions, and its cost is memory bandwidth. Cache "
        "misses, TLB misses and parallelism are not counted."
    )


def metadata_only(f: Figures) -> str:
    deep = f.untouched(32)
    return (
        f"- **It uses the metadata only**: `user`, `splice` or `map`. At queue depth 32 they cost "
        f"{number(min(deep))} to {number(max(deep))} above the floor at any size. "
        f"`copy` costs {', '.join(map(number, f.copies()))} at {', '.join(SIZES)}: "
        f"{f.per_kib:.0f} instructions for each KiB, as in ublk."
    )


def shallow(f: Figures) -> str:
    cost = f.untouched(1)
    return (
        f"- **Queue depth is 1**: any mode that doesn't copy. The two wake-ups and switches of each "
        f"request cost more than anything else: {number(min(cost))} to {number(max(cost))} above the "
        "floor. From boot to boot this varies by some per cent."
    )


def header(f: Figures) -> str:
    user, mapped = (
        [
            f.null(f"{mode}-header", "write", 32, size)
            - f.null(f"{mode}-untouched", "write", 32, size)
            for size in SIZES
        ]
        for mode in ("user", "map")
    )
    per_page = (mapped[2] - mapped[0]) / (KIB["512k"] - KIB["4k"]) * 4
    claim(max(user) < min(mapped) and max(user) < 2000, "user is the cheapest way to a header")
    return (
        f"- **It reads a header**: `user`, where reading it adds {number(min(user))} to "
        f"{number(max(user))} at any size. In `map` the page fault and the unmapping add "
        f"{number(mapped[0])} at 4k, and {per_page:.0f} more for each further page of the request."
    )


def everything(f: Figures) -> str:
    modes = ("copy", "user", "map")
    cells = [(rw, depth, size) for rw in DIRECTIONS for depth in (1, 32) for size in SIZES]
    best = {
        cell: min(modes, key=lambda mode, cell=cell: f.null(f"{mode}-all", *cell)) for cell in cells
    }
    wins = [cell for cell in cells if best[cell] == "map"]
    claim(
        len(wins) >= 2 and all(rw == "write" and size != "4k" for rw, _, size in wins),
        "map wins large WRITEs that are read",
    )
    claim(all(best["write", depth, "512k"] == "map" for depth in (1, 32)), "map wins 512k WRITEs")
    claim(best["read", 32, "512k"] == "user", "user wins READs that are filled")
    at = {
        (mode, rw): number(f.null(f"{mode}-all", rw, 32, "512k"))
        for mode in modes
        for rw in DIRECTIONS
    }
    return (
        "- **It reads all of a WRITE**: `map` from 64k on, because nothing is copied (512k, queue "
        f"depth 32: `map` {at['map', 'write']}, `copy` {at['copy', 'write']}, `user` "
        f"{at['user', 'write']}); `copy` or `user` for smaller ones. **It fills a READ**: `user` "
        f"(512k: {at['user', 'read']}; `map` {at['map', 'read']}; `copy`, where the server fills a "
        f"buffer and the driver copies it, {at['copy', 'read']})."
    )


def forwarding(f: Figures) -> str:
    def at(row: str, rw: str) -> float:
        return f.cost(row, rw, 32, "512k")

    ours = [f"ubdx-loop-{mode}" for mode in ("copy", "user", "map", "splice")]
    for rw in DIRECTIONS:
        claim(
            at("ubdx-loop-regbuf", rw) < min(at(row, rw) for row in ours) / 2,
            "regbuf is the mode for forwarding",
        )
        claim(at("loop-dio", rw) < at("ubdx-loop-regbuf", rw), "the kernel's loop driver wins")
    claim(at(ours[3], "write") < at(ours[0], "write") * 0.7, "splice helps WRITEs")
    claim(at(ours[3], "read") > 2 * at(ours[0], "read"), "splice is bad for READs")
    copying = [at(row, "write") for row in ours[:3]]
    return (
        "- **It forwards with O_DIRECT**: `regbuf`, where the kernel has it (Linux 7.3). 512k WRITEs "
        f"over null_blk at queue depth 32: `regbuf` {number(at('ubdx-loop-regbuf', 'write'))}, ublk's "
        f"automatic buffer registration {number(at('ublk-loop-auto', 'write'))}, the kernel's loop "
        f"driver {number(at('loop-dio', 'write'))}, `splice` {number(at(ours[3], 'write'))}, `copy`, "
        f"`user` and `map` {number(min(copying))} to {number(max(copying))}. READs: `regbuf` "
        f"{number(at('ubdx-loop-regbuf', 'read'))}, ublk {number(at('ublk-loop-auto', 'read'))}, the "
        f"loop driver {number(at('loop-dio', 'read'))}, and `splice`, which reads into other pages "
        f"and copies them, {number(at(ours[3], 'read'))}. `splice` is synchronous: its I/O runs in the "
        "queue's thread, one request at a time, so the backing device never has more than one request "
        "of a queue. A clock that counts instructions doesn't show what that costs on slow storage. "
        "Over a RAM disk, which copies in any case, the order is the same and the ratios are smaller."
    )


def sample(results: dict) -> str:
    """A part of the table that `make run` prints: some rows, above the floor, in the cells of
    WRITEs at queue depth 32."""
    names = (
        "nbd",
        "ublk-null-copy",
        "ublk-null-user-untouched",
        "ublk-null-auto",
        *(f"ubdx-null-{mode}" for mode in ("copy", "user-untouched", "map-untouched", "regbuf")),
    )
    rows = [results["rows"][name] for name in names]
    width = max(len(row["label"]) for row in rows)
    lines = [" " * width + " |" + "".join(f"{size:>9}" for size in SIZES)]
    lines.append("-" * len(lines[0]))
    for row in rows:
        costs = (row["cells"][f"randwrite.32.{size}"]["above_floor"] for size in SIZES)
        lines.append(f"{row['label']:<{width}} |" + "".join(f"{cost:>9.0f}" for cost in costs))
    return "\n".join(["```", *lines, "```", ""])


def parts(results: dict, replicates: dict) -> dict[str, str]:
    f = Figures(results, replicates)
    lines = (metadata_only, shallow, header, everything, forwarding)
    return {
        "finding": finding(f) + "\n" + scope(f),
        "sample": sample(results),
        "modes": "".join(wrapped(line(f), "  ") for line in lines),
    }


def main() -> None:
    arguments = [a for a in sys.argv[1:] if a != "--check"]
    if len(arguments) not in (2, 3) or arguments[0] in ("-h", "--help"):
        sys.exit(__doc__)
    try:
        text = parts(
            *(json.loads(Path(folder, "results.json").read_text()) for folder in arguments[:2])
        )
    except Claim as broken:
        sys.exit(f"summary: the figures don't support that {broken}")
    if len(arguments) == 2:
        print("\n".join(text.values()), end="")
    else:
        fill(Path(arguments[2]), text, "--check" in sys.argv, "make summary")


if __name__ == "__main__":
    main()
