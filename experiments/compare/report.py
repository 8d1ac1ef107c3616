#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Turns the raw data of the comparison into results.json, tables, figures and manifest.json.

    report.py --out FOLDER [--revision REV] [--dirty] RAW...

Each RAW is the folder of a replicate. It has a folder for each boot, with the files that guest.sh
left. Everything but manifest.json depends on the raw data alone, byte for byte. Run it in the lab's
root: lab/in experiments/compare/report.py ...
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "lib"))

import figure
import hitrate
from measure import (
    SIZES,
    BadData,
    Replicate,
    Row,
    boots_of,
    cell_key,
    fail,
    is_untouched,
    peers_of,
    read_replicate,
    read_rows,
)
from inference import LEVEL, holm, paired
from results import parse_options, provenance, write_json

NOTE = (
    "Instructions per request on the counting clock: everything the one CPU executed (fio, kernel, server) for one "
    "request. Not nanoseconds: these figures don't include cache and TLB misses, IPIs and parallelism."
)
INTERVALS = (
    "*_95: 95 % t interval of the mean; differences are paired within each boot. against_*_p: two-sided p value; "
    "against_*_p_holm: the same after Holm's correction for all comparisons of that name."
)


def reference(row: Row) -> str | None:
    """ublk's mode copy on the same target. Each row but the floor is compared with it."""
    return None if row.target == "floor" else f"ublk-{row.target}-copy"


def rounded(*values: float) -> list[float]:
    return [round(float(v), 1) for v in values]


def interval(differences: np.ndarray) -> list[float] | None:
    """The 95 % interval of the mean; one boot has none."""
    if len(differences) < 2:
        return None
    estimate = paired(differences.tolist())
    return rounded(estimate.low, estimate.high)


def against(peer: str, name: str, cell: str, replicates: list[Replicate]) -> np.ndarray:
    """How much more a row's cell costs than the peer's cell, in each replicate."""
    pairs = ((r.cells[name][cell].cost, r.cells[peer][cell].cost) for r in replicates)
    return np.array([cost - other for cost, other in pairs])


def cheapest(peers: list[str], cell: str, replicates: list[Replicate]) -> str | None:
    """The cheapest of the peers; only rows that all replicates have are candidates."""
    measured = [peer for peer in peers if all(peer in replicate.cells for replicate in replicates)]
    return min(
        measured,
        key=lambda peer: sum(replicate.cells[peer][cell].cost for replicate in replicates),
        default=None,
    )


def against_smaller(
    name: str, floor: str, cell: str, replicates: list[Replicate]
) -> dict[str, list[float]]:
    """How much more above the floor this cell costs than each smaller size: mean and interval."""
    *place, size = cell.split(".")
    above = against(floor, name, cell, replicates)
    found = {}
    for smaller in (s for s in SIZES if SIZES[s] < SIZES[size]):
        difference = above - against(floor, name, ".".join([*place, smaller]), replicates)
        found[smaller] = [*rounded(difference.mean()), *interval(difference)]
    return found


def cell_result(row: Row, floor: Row, cell: str, replicates: list[Replicate]) -> dict:
    cells = [replicate.cells[row.name][cell] for replicate in replicates]
    costs = np.array([c.cost for c in cells])
    floors = np.array([replicate.cells[floor.name][cell].cost for replicate in replicates])
    result: dict = {
        "instructions": round(float(costs.mean()), 1),
        "above_floor": round(float((costs - floors).mean()), 1),
        "resolution_percent": round(
            100 * max(r.jitter(floor.name) / c.spent for r, c in zip(replicates, cells)), 3
        ),
        "spread_percent": round(100 * max(c.spread / c.spent for c in cells), 3),
        "idle_percent": round(100 * max(c.idle for c in cells), 3),
        "switches": round(float(np.mean([c.switches for c in cells])), 3),
        "requests": sum(c.requests for c in cells),
    }
    if len(replicates) > 1:
        result["replicates"] = [round(float(c), 1) for c in costs]
        if row != floor:
            result["above_floor_95"] = interval(costs - floors)
        if is_untouched(row.name):
            result["against_smaller_95"] = against_smaller(row.name, floor.name, cell, replicates)
    copy = reference(row)
    for which, peers in {"ublk_copy": [copy] if copy else [], **peers_of(row.name)}.items():
        peer = cheapest(peers, cell, replicates)
        if peer is None or peer == row.name:
            continue
        difference = against(peer, row.name, cell, replicates)
        result[f"against_{which}"] = round(float(difference.mean()), 1)
        if len(peers) > 1:
            result[which] = peer
        if len(replicates) > 1:
            result[f"against_{which}_95"] = interval(difference)
            if which != "ublk_copy":
                result[f"against_{which}_p"] = paired(difference.tolist()).p
    return result


def correct(rows: dict[str, dict]) -> dict[str, int]:
    """Adds p values after Holm's correction; returns how many comparisons have each name."""
    cells = [c for row in rows.values() for c in row.get("cells", {}).values()]
    counts = {}
    for field in sorted({f for c in cells for f in c if f.endswith("_p")}):
        compared = [c for c in cells if field in c]
        for cell, p in zip(compared, holm([c[field] for c in compared])):
            cell[f"{field}_holm"] = float(f"{p:.3g}")
            cell[field] = float(f"{cell[field]:.3g}")
        counts[field.removeprefix("against_").removesuffix("_p")] = len(compared)
    return counts


def calibration(rows: dict, dear: str, cheap: str) -> float | None:
    """How much more row @dear costs than row @cheap for each KiB of a payload, from 512k writes."""
    try:
        pair = [rows[name]["cells"]["randwrite.32.512k"]["instructions"] for name in (dear, cheap)]
    except KeyError:
        return None
    return round((pair[0] - pair[1]) / 512, 1)


def collect(rows: list[Row], replicates: list[Replicate]) -> dict:
    floors: dict[str, Row] = {}
    for row in rows:
        floors.setdefault(row.boot, row)
    cells = sorted(
        {c for replicate in replicates for row in replicate.cells.values() for c in row},
        key=cell_key,
    )
    machine = next(iter(replicates[0].machines.values()))
    results: dict[str, dict] = {}
    for row in rows:
        entry: dict = {"label": row.label, "target": row.target, "boot": row.boot}
        if any(row.name in replicate.skipped for replicate in replicates):
            entry["skipped"] = replicates[0].skipped[row.name]
        elif all(row.name in replicate.cells for replicate in replicates):
            entry["cells"] = {
                cell: cell_result(row, floors[row.boot], cell, replicates) for cell in cells
            }
        else:
            continue
        results[row.name] = entry
    comparisons = correct(results)
    return {
        "note": NOTE,
        **({"intervals": INTERVALS, "comparisons": comparisons} if len(replicates) > 1 else {}),
        "unit": "instructions per request",
        "kernel": machine["kernel"].split()[2],
        "pages": machine["pages"],
        "floors": {boot: row.name for boot, row in floors.items()},
        "replicates": len(replicates),
        "cells": cells,
        "copy_instructions_per_kib": calibration(
            results, "ublk-null-copy", "ublk-null-user-untouched"
        ),
        "touch_instructions_per_kib": calibration(results, "ubdx-null-copy-all", "ubdx-null-copy"),
        "rows": results,
    }


def plain(field: str) -> Callable[[dict], str]:
    return lambda values: f"{values[field]:.0f}"


def best(values: dict) -> float:
    """The cost of ublk's best mode in that cell."""
    return values["instructions"] - values["against_ublk_best"]


def percent_of_best(values: dict) -> str:
    """The difference in per cent, with a star if it is significant."""
    star = "*" if values["against_ublk_best_p_holm"] < LEVEL else " "
    return f"{100 * values['against_ublk_best'] / best(values):+.1f}{star}"


def percent_known(values: dict) -> str:
    """Half the width of the interval, in per cent."""
    low, high = values["against_ublk_best_95"]
    return f"\u00b1{50 * (high - low) / best(values):.1f} "


def text_table(results: dict, title: str, only: list[str], *shown: Callable[[dict], str]) -> str:
    """A table with a column for each cell, and for each row in @only a line by each of @shown."""
    width = max(len(results["rows"][name]["label"]) for name in only)
    groups: dict[str, int] = {}
    for cell in results["cells"]:
        rw, depth, _ = cell.split(".")
        group = f"{rw.removeprefix('rand')} QD{depth}"
        groups[group] = groups.get(group, 0) + 1
    head = " " * width + "".join(f" |{group:^{9 * n - 1}}" for group, n in groups.items())
    sizes = " " * width
    last = ""
    for cell in results["cells"]:
        group, size = cell.rsplit(".", 1)
        sizes += f"{' |' if group != last else '  '}{size:>7}"
        last = group
    lines = [title, "", head, sizes]
    boot = None
    for name in only:
        row = results["rows"][name]
        if row["boot"] != boot:
            lines.append("-" * len(sizes))
            boot = row["boot"]
        if "skipped" in row:
            lines.append(f"{row['label']:<{width}} | not on this kernel")
            continue
        for nr, show in enumerate(shown):
            line = f"{'' if nr else row['label']:<{width}}"
            last = ""
            for cell in results["cells"]:
                group = cell.rsplit(".", 1)[0]
                line += f"{' |' if group != last else '  '}{show(row['cells'][cell]):>7}"
                last = group
            lines.append(line)
    return "\n".join(lines) + "\n"


def worst(results: dict, field: str) -> tuple[float, str]:
    """The largest value of a field, and where it is."""
    found = (
        (c[field], f"{name} {cell}")
        for name, row in results["rows"].items()
        for cell, c in row.get("cells", {}).items()
    )
    return max(found)


def text_report(results: dict) -> str:
    names = list(results["rows"])
    served = [name for name in names if name not in results["floors"].values()]
    parts = [
        text_table(
            results,
            f"Instructions per request, Linux {results['kernel']}, everything included",
            names,
            plain("instructions"),
        ),
    ]
    if served:
        parts.append(
            text_table(
                results,
                "Instructions per request above the floor (null_blk): what each way to serve it adds",
                served,
                plain("above_floor"),
            )
        )
    held = [
        name
        for name in served
        if all(
            "against_ublk_best_95" in cell
            for cell in results["rows"][name].get("cells", {None: {}}).values()
        )
    ]
    if held:
        title = (
            "Difference from ublk's best mode in each cell, in per cent, with its 95 % t interval; "
            f"*: significant at 95 %, Holm-corrected for {results['comparisons']['ublk_best']} comparisons"
        )
        parts.append(text_table(results, title, held, percent_of_best, percent_known))
    plural = "s" if results["replicates"] > 1 else ""
    notes = [
        "Counting clock: instructions of one CPU (fio + kernel + server), not nanoseconds.",
        "Writes and reads are random and direct.",
        f"Resolution {worst(results, 'resolution_percent')[0]:.2f} % or better; "
        f"idle {worst(results, 'idle_percent')[0]:.2f} % or less; "
        f"{results['replicates']} replicate{plural}.",
        "A line separates rows that were measured in different boots.",
        "The memory behind requests is in "
        f"{'single pages' if results['pages'] == 'small' else 'huge pages'}.",
        "The largest difference between two equal jobs is {:.1f} %, in {}.".format(
            *worst(results, "spread_percent")
        ),
    ]
    if (copy := results["copy_instructions_per_kib"]) is not None:
        notes.append(
            f"Calibration: the kernel's copy of a payload takes {copy} instructions per KiB here, "
            "on a CPU without ERMS and FSRM."
        )
    if (touch := results["touch_instructions_per_kib"]) is not None:
        notes.append(
            f"Touched: ubdx's server sums up the bytes that it reads, for {touch} instructions per "
            "KiB in each mode. ublk's server only transfers them."
        )
    if "updates" in results:
        parts.append(hitrate.text(results["updates"]))
    return "\n".join(parts) + "\n" + "\n".join(notes) + "\n"


def write_csv(path: Path, results: dict) -> None:
    fields = [
        "instructions",
        "above_floor",
        "resolution_percent",
        "spread_percent",
        "idle_percent",
        "switches",
        "requests",
        "against_ublk_copy",
        "against_ublk_best",
        "against_ublk_best_p_holm",
        "against_ublk_auto",
        "against_ublk_auto_p_holm",
        "against_loop",
        "against_loop_p_holm",
        "against_dm_linear",
        "against_dm_linear_p_holm",
    ]
    with path.open("w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["row", "label", "target", "direction", "depth", "size", *fields])
        for name, row in results["rows"].items():
            for cell, values in row.get("cells", {}).items():
                rw, depth, size = cell.split(".")
                place = [name, row["label"], row["target"], rw.removeprefix("rand"), depth, size]
                out.writerow(place + [values.get(field, "") for field in fields])


def manifest(replicates: list[Replicate], options: argparse.Namespace) -> dict:
    vms = {boot.name: boot for boot in boots_of(options.raw[0])}
    return provenance(options, vms) | {
        "replicates": [
            {
                "machines": replicate.machines,
                "rows": replicate.order,
                "skipped": replicate.skipped,
                "limits": replicate.limits,
                "limits_excepted": replicate.excepted,
            }
            for replicate in replicates
        ],
    }


def main() -> None:
    options = parse_options(__doc__)
    try:
        replicates = [read_replicate(raw) for raw in options.raw]
    except (BadData, OSError, KeyError, ValueError) as error:
        fail(
            f"the raw data can't be used: {error!r}"
            if not isinstance(error, BadData)
            else str(error)
        )
    table = next(iter(replicates[0].machines.values())).get("table", "rows")
    results = collect(read_rows(Path(__file__).with_name(f"{table}.tsv")), replicates)
    if table == "resolvers":
        results["updates"] = hitrate.updates(options.raw)
    write_json(options.out / "results.json", results)
    write_json(options.out / "manifest.json", manifest(replicates, options))
    write_csv(options.out / "table.csv", results)
    (options.out / "table.txt").write_text(text_report(results))
    (hitrate if table == "resolvers" else figure).draw(results, options.out)


if __name__ == "__main__":
    main()
