#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks what the project claims of the comparison against its results.json. Prints a line for each
claim, "ok ID ..." or "MISS ID ...", with a line for each cell that misses it. The exit status is 1
if a claim is missed. A claim is left out if the results lack the rows or the boots that it needs.

    check.py RESULTS...    (results.json, or the folder that has it)

How the results were measured:

  well-measured               In each cell the resolution is under 0.5 %, and idle time under 0.1 %. The two
                              short jobs of ublk's and ubdx's cells differ by less than 3 %.
  ublk-at-its-best            On the kernel of the ladder (baselines/ladder.json) the ublk peer costs no
                              more than the ladder says, within the ladder's tolerance.
  known-well                  Several boots: the 95 % interval of each difference to a peer (PEERS in
                              measure.py) reaches at most 3 % of the peer's cost to either side.

Costs at most as much. Several boots: the difference isn't significantly above 0 (95 %;
Holm-corrected, except for mode copy). The memory layout and interleaving of one boot move a third of
the cells by some per cent, so of one boot only mode copy is checked.

  copy-not-dearer-than-ublk-copy    One boot: mode copy may cost more by the two cells' spread plus
                                    the resolution, or by 0.5 % if that is more: boots differ as much
                                    anyway. Several: the 95 % interval of the difference doesn't lie
                                    above 0.
  untouched-not-dearer-than-ublk    The modes whose server leaves the payload alone, against ublk's best.
  regbuf-not-dearer-than-ublk-auto  At queue depth 32. At depth 1 each 4k request either wakes the server
                                    or finds it awake, as the scheduler decides. The two cases differ by
                                    a thousand instructions, in ublk's modes too.

Costs less: the difference of several boots' means is significantly below 0 in each cell.

  forward-below-loop          Mode forward costs less than the kernel's loop driver, at queue depth 32.
  forward-below-ublk          Mode forward costs less than ublk's best.
  extents-below-dm-linear     Extents cost less than dm-linear, and so does a BPF program in their place.

Costs at most a fixed number of instructions above the floor (means of several boots):

  forward-at-most             Mode forward over null_blk at queue depth 32: 4,400 at 4k, 13,800 at 512k.
  extents-flat                Extents over null_blk: 1,150 at 4k and 64k, 1,400 at 512k, where the measurement
                              can't resolve a difference of 300.
  bpf-at-most                 A BPF program in place of extents: 1,400 at 4k.

Costs at most so many instructions more than a device without extents (means of several boots):

  miss-at-most                A bio that finds no extent: 800.

Costs no more above the floor at a larger size (several boots):

  untouched-flat              An untouched mode at queue depth 32. The 95 % interval of the difference
                              between two sizes must not lie above the jitter of both cells. Larger sizes
                              mostly cost less: more of their requests share a switch between client and
                              server.
"""

from __future__ import annotations

import json
import re
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

# What was checked, and what is wrong with it, or None.
Verdict = tuple[str, "str | None"]


def cells_of(results: dict, rows: str = ".*", cells: str = ".*") -> Iterator[tuple[str, dict]]:
    """The measured cells of the rows and cells that match: "row cell", and its values."""
    for name, row in results["rows"].items():
        for cell, values in row.get("cells", {}).items():
            if re.fullmatch(rows, name) and re.fullmatch(cells, cell):
                yield f"{name} {cell}", values


# ---- how the results were measured ----


def well_measured(results: dict) -> Iterator[Verdict]:
    for place, values in cells_of(results):
        yield place, next(quality(place, values), None)


def quality(place: str, values: dict) -> Iterator[str]:
    if values["resolution_percent"] >= RESOLUTION_PERCENT:
        yield f"resolution {values['resolution_percent']} % is not under {RESOLUTION_PERCENT} %"
    if values["spread_percent"] >= SPREAD_PERCENT and place.startswith("ub"):
        yield f"not steady: two equal jobs differ by {values['spread_percent']} %"
    if values["idle_percent"] >= IDLE_PERCENT:
        yield f"idle {values['idle_percent']} % is not under {IDLE_PERCENT} %"


def ublk_at_its_best(results: dict, ladder: dict | None = None) -> Iterator[Verdict]:
    ladder = ladder or json.loads(LADDER.read_text())
    if not results["kernel"].startswith(ladder["kernel"] + "."):
        return
    for name, cells in ladder["rows"].items():
        for place, values in cells_of(results, re.escape(name)) if name.startswith("ublk-") else ():
            limit = cells.get(place.split()[1])
            if limit is None:
                continue
            over = 100 * (values["instructions"] / limit - 1)
            slow = over > ladder["tolerance_percent"]
            yield (
                place,
                f"{values['instructions']:.0f} is {over:.1f} % above the ladder's {limit}"
                if slow
                else None,
            )


def known_well(results: dict) -> Iterator[Verdict]:
    for place, values in cells_of(results):
        for field in values:
            if not field.endswith("_p_holm"):
                continue
            which = field.removeprefix("against_").removesuffix("_p_holm")
            over, (low, high) = values[f"against_{which}"], values[f"against_{which}_95"]
            peer = values["instructions"] - over
            bad = max(high - over, over - low) > KNOWN_PERCENT / 100 * peer
            yield (
                place,
                f"{over:.0f} ({low:.0f} to {high:.0f}) against {which} is known too badly; measure more replicates"
                if bad
                else None,
            )


# ---- at most as much ----


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


def copy(results: dict) -> Iterator[Verdict]:
    peers = dict(cells_of(results, "ublk-.*-copy"))
    for place, values in cells_of(results, "ubdx-.*-copy"):
        peer = peers.get(place.replace("ubdx", "ublk", 1))
        if peer is None:
            continue
        over = values["instructions"] - peer["instructions"]
        yield (
            place,
            f"{values['instructions']:.0f} is {over:.0f} dearer than ublk's {peer['instructions']:.0f}"
            if dearer(values, peer)
            else None,
        )


def said(which: str, values: dict) -> str:
    over, (low, high) = values[f"against_{which}"], values[f"against_{which}_95"]
    peer = values.get(which, which)
    return f"{over:+.0f} ({low:+.0f} to {high:+.0f}) against {peer}, {values['instructions'] - over:.0f}"


def not_dearer(results: dict, which: str, rows: str, cells: str = ".*") -> Iterator[Verdict]:
    for place, values in cells_of(results, rows, cells):
        if f"against_{which}_p_holm" in values:
            dear = values[f"against_{which}"] > 0 and values[f"against_{which}_p_holm"] < LEVEL
            yield place, said(which, values) if dear else None


def below(results: dict, which: str, rows: str, cells: str = ".*") -> Iterator[Verdict]:
    for place, values in cells_of(results, rows, cells):
        if f"against_{which}_p_holm" in values:
            less = values[f"against_{which}"] < 0 and values[f"against_{which}_p_holm"] < LEVEL
            yield place, None if less else said(which, values)


# ---- above the floor ----


def at_most(results: dict, row: str, bars: dict[str, int]) -> Iterator[Verdict]:
    """@bars: for each pattern of cells, the most that these cells may cost above the floor."""
    if results["replicates"] < 2:
        return
    for cells, bar in bars.items():
        for place, values in cells_of(results, row, cells):
            above = values["above_floor"]
            yield place, f"{above:.0f} is more than {bar}" if above > bar else None


def miss_at_most(results: dict, row: str, without: str, bar: int) -> Iterator[Verdict]:
    if results["replicates"] < 2:
        return
    others = {place.split()[1]: values for place, values in cells_of(results, without)}
    for place, values in cells_of(results, row):
        more = values["instructions"] - others[place.split()[1]]["instructions"]
        yield place, f"{more:.0f} is more than {bar}" if more > bar else None


def untouched_flat(results: dict) -> Iterator[Verdict]:
    """Whether a size costs more above the floor than a smaller one, for each pair of sizes."""
    for place, values in cells_of(results, cells=r".*\.32\..*"):
        row, cell = place.split()
        for smaller, (over, low, high) in values.get("against_smaller_95", {}).items():
            other = results["rows"][row]["cells"][f"{cell.rsplit('.', 1)[0]}.{smaller}"]
            yield (
                place,
                f"costs {over:.0f} ({low:.0f} to {high:.0f}) more above the floor than {smaller}"
                if low > jitter(values) + jitter(other)
                else None,
            )


CLAIMS = {
    "well-measured": well_measured,
    "ublk-at-its-best": ublk_at_its_best,
    "known-well": known_well,
    "copy-not-dearer-than-ublk-copy": copy,
    "untouched-not-dearer-than-ublk": lambda r: not_dearer(r, "ublk_best", ".*-untouched"),
    "regbuf-not-dearer-than-ublk-auto": lambda r: not_dearer(
        r, "ublk_auto", ".*-regbuf", r".*\.32\..*"
    ),
    "forward-below-loop": lambda r: below(r, "loop", ".*-forward", r".*\.32\..*"),
    "forward-below-ublk": lambda r: below(r, "ublk_best", ".*-forward"),
    "extents-below-dm-linear": lambda r: below(r, "dm_linear", ".*"),
    "forward-at-most": lambda r: at_most(
        r, "ubdx-loop-forward", {r".*\.32\.4k": 4400, r".*\.32\.512k": 13800}
    ),
    "extents-flat": lambda r: at_most(
        r, "ubdx-loop-extents", {r".*\.(4k|64k)": 1150, r".*\.512k": 1400}
    ),
    "bpf-at-most": lambda r: at_most(r, "ubdx-loop-bpf", {r".*\.4k": 1400}),
    "miss-at-most": lambda r: miss_at_most(r, "scatter-hit-0", "scatter-server", 800),
    "untouched-flat": untouched_flat,
}


def report(results: dict) -> Iterator[tuple[bool, str]]:
    """For each claim whether it holds, and the lines that say so."""
    for name, check in CLAIMS.items():
        verdicts = list(check(results))
        missed = [f"  {place}: {wrong}" for place, wrong in verdicts if wrong]
        if missed:
            count = f"{len(missed)} of {len(verdicts)} cells"
            yield False, "\n".join([f"MISS {name}: {count}", *missed])
        elif verdicts:
            yield True, f"ok {name}: {len(verdicts)} cells"


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    failed = False
    for path in map(Path, sys.argv[1:]):
        results = json.loads((path / "results.json" if path.is_dir() else path).read_text())
        boots = "one boot" if results["replicates"] == 1 else f"{results['replicates']} boots"
        print(f"# {path}, {boots}")
        for holds, lines in report(results):
            failed |= not holds
            print(lines)
    sys.exit(failed)


if __name__ == "__main__":
    main()
