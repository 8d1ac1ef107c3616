#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Turns what guest.sh left into results.json, table.csv, table.txt, the figure and manifest.json.

    report.py --out FOLDER [--revision REV] [--dirty] RAW

Everything but manifest.json is a function of the raw data alone, byte for byte. How a cost is taken from three jobs, and how well it is
known, is compare/measure.py's.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

sys.path[:0] = [str(Path(__file__).parent.parent / folder) for folder in ("lib", "compare")]

from measure import SIZES, BadData, Cell, cell_key, measure_cell, read_stamps, read_table  # noqa: E402
from results import STYLE, parse_options, provenance, save_figure, write_json  # noqa: E402

NOTE = (
    "Instructions per request on the counting clock, not nanoseconds: everything the one CPU executed (fio, kernel, server). What a zap "
    "costs other CPUs, which have to be interrupted to flush their TLBs, is not in these figures."
)
PAGE = 4096
FLOOR, BEATEN, BOUND = "null_blk", "user", "map-untouched"
LABELS = {
    FLOOR: "null_blk (the floor)",
    BEATEN: "user, touched: header (to be beaten)",
    BOUND: "map, untouched (nothing mapped)",
}
WHENS = {"fault": ("#0072b2", "o"), "eager": ("#d55e00", "s")}


def fail(message: str) -> None:
    sys.exit(f"amortise: {message}")


def label_of(name: str) -> str:
    if name in LABELS:
        return LABELS[name]
    _, when, batch = name.split("-")
    return f"map, {when}, map_batch={batch}"


def read_moved(path: Path) -> dict[tuple[str, str], dict[str, int]]:
    """(row, job) -> what was done to payloads in it."""
    moved: dict[tuple[str, str], dict[str, int]] = {}
    for line in path.read_text().splitlines():
        phase, row, job, what, count = line.split(" ")
        counts = moved.setdefault((row, job), {})
        counts[what] = int(count) - counts.get(what, 0) if phase == "post" else int(count)
    return moved


def check_moved(name: str, cell: str, per_request: dict[str, float]) -> None:
    """Was it the mode, and the way to map and to zap, that the row says?"""
    _, _, size = cell.split(".")
    pages, mapped, faults, zaps = SIZES[size] / PAGE, *(per_request[key] for key in ("mapped_pages", "faults", "zaps"))
    if name == BEATEN or name == BOUND:
        good = mapped == faults == zaps == 0
    else:
        _, when, batch = name.split("-")
        # a fault puts a request's pages in again where a zap that others share took them out before their end
        good = mapped >= pages if when == "fault" else mapped >= pages and faults == mapped / pages - 1
        good = good and (zaps == 1 if batch == "1" else 1 / int(batch) <= zaps <= 1)
    if not good:
        raise BadData(f"{name}: {cell}: {per_request} a request is not what this row does")


def cell_result(cell: Cell, floor: Cell, jitter: float, per_request: dict[str, float]) -> dict:
    return {
        "instructions": round(cell.cost, 1),
        "above_floor": round(cell.cost - floor.cost, 1),
        "resolution_percent": round(100 * jitter / cell.spent, 3),
        "spread_percent": round(100 * cell.spread / cell.spent, 3),
        "idle_percent": round(100 * cell.idle, 3),
        "switches": round(cell.switches, 3),
        "requests": cell.requests,
        "per_request": {key: round(value, 4) for key, value in per_request.items()},
    }


def collect(raw: Path) -> dict:
    machine = dict(read_table(raw / "machine", 2))
    brackets = read_stamps(raw / "stamps")
    moved = read_moved(raw / "moved")
    rows: dict[str, dict] = {}
    floors: dict[str, Cell] = {}
    for name, jobs_of_row in brackets.items():
        jobs = {job["jobname"]: job for job in json.loads((raw / f"{name}.fio.json").read_text())["jobs"]}
        cells = sorted({job.rsplit(".", 1)[0] for job in jobs_of_row}, key=cell_key)
        measured = {cell: measure_cell(name, cell, jobs, jobs_of_row) for cell in cells}
        if name == FLOOR:
            floors = measured
        jitter = max(cell.spread for cell in floors.values())
        results = {}
        for cell in cells:
            long = int(jobs[f"{cell}.c"]["job options"]["number_ios"])
            per_request = {what: count / long for what, count in moved.get((name, f"{cell}.c"), {}).items()}
            if name != FLOOR:
                check_moved(name, cell, per_request)
            results[cell] = cell_result(measured[cell], floors[cell], jitter, per_request)
        rows[name] = {"label": label_of(name), "cells": results}
    return {
        "note": NOTE,
        "unit": "instructions per request",
        "kernel": machine["kernel"],
        "machine": machine,
        "cells": list(floors),
        "rows": rows,
    }


def title_of(cell: str) -> str:
    rw, submitted, size = cell.split(".")
    return f"{rw.removeprefix('rand')} {size}, {submitted} sent at once"


def text_table(results: dict, title: str, value: str, rows: list[str]) -> list[str]:
    """One line a row, one column a cell; heads of two lines."""
    width = max(len(results["rows"][name]["label"]) for name in rows)
    heads = [title_of(cell).split(", ") for cell in results["cells"]]
    lines = [title, "", *(" " * width + "".join(f"{head[i]:>16}" for head in heads) for i in (0, 1))]
    lines.append("-" * len(lines[-1]))
    for name in rows:
        row = results["rows"][name]
        shown = ""
        for cell in results["cells"]:
            values = row["cells"][cell]
            shown += f"{values['per_request']['zaps']:>16.3f}" if value == "zaps" else f"{values[value]:>16.0f}"
        lines.append(f"{row['label']:<{width}}{shown}")
    return lines


def best(results: dict, cell: str, when: str) -> tuple[str, float]:
    """The map_batch with which mode map costs least above what is to be beaten, and by how much."""
    beaten = results["rows"][BEATEN]["cells"][cell]["instructions"]
    over = {name.split("-")[2]: row["cells"][cell]["instructions"] - beaten for name, row in results["rows"].items() if name.startswith(f"map-{when}-")}
    batch = min(over, key=lambda key: over[key])
    return batch, over[batch]


def text_report(results: dict) -> str:
    names = list(results["rows"])
    served = [name for name in names if name != FLOOR]
    lines = text_table(results, f"Instructions per request, not nanoseconds: null target, queue depth 32, Linux {results['kernel']}, everything included", "instructions", names)
    lines += ["", *text_table(results, "Of these, above the floor, in instructions, not nanoseconds", "above_floor", served)]
    lines += ["", *text_table(results, "Zaps per request", "zaps", [name for name in served if name.startswith("map-")]), ""]
    for cell in results["cells"]:
        parts = ("{}: {:+.0f} at map_batch={}".format(when, *reversed(best(results, cell, when))) for when in WHENS)
        lines.append(f"{title_of(cell)}: least that mode map costs more than user: {'; '.join(parts)}")
    cells = [values for row in results["rows"].values() for values in row["cells"].values()]
    lines += [
        "",
        "Counting clock: instructions of one CPU (fio + kernel + server), not nanoseconds. Touched: the server looks at 64 bytes of each payload.",
        "With one CPU a zap interrupts no other to flush its TLB: where it does there is more to share than is seen here.",
        f"Resolution {max(v['resolution_percent'] for v in cells):.2f} % or better; two equal runs of a cell differ by "
        f"{max(v['spread_percent'] for v in cells):.1f} % at most.",
    ]
    return "\n".join(lines) + "\n"


def write_csv(path: Path, results: dict) -> None:
    fields = ["instructions", "above_floor", "resolution_percent", "spread_percent", "idle_percent", "switches", "requests"]
    counts = ["copied_bytes", "mapped_pages", "faults", "zaps"]
    with path.open("w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["row", "label", "direction", "submitted", "size", *fields, *(f"{count}_per_request" for count in counts)])
        for name, row in results["rows"].items():
            for cell, values in row["cells"].items():
                rw, submitted, size = cell.split(".")
                place = [name, row["label"], rw.removeprefix("rand"), submitted, size]
                out.writerow(place + [values[field] for field in fields] + [values["per_request"].get(count, "") for count in counts])


def draw_panel(axes: plt.Axes, results: dict, cell: str) -> None:
    rows = results["rows"]
    for when, (colour, marker) in WHENS.items():
        names = [name for name in rows if name.startswith(f"map-{when}-")]
        costs = [rows[name]["cells"][cell]["above_floor"] for name in names]
        axes.plot([int(name.split("-")[2]) for name in names], costs, color=colour, marker=marker, markersize=4.5, label=f"map, {when}, touched: header")
    for name, style in ((BEATEN, "--"), (BOUND, ":")):
        axes.axhline(rows[name]["cells"][cell]["above_floor"], color="#1b1b1b", linestyle=style, linewidth=1.2, label=rows[name]["label"])
    axes.set_xscale("log", base=2)
    ticks = [int(name.split("-")[2]) for name in rows if name.startswith("map-fault-")]
    axes.set_xticks(ticks, ticks)
    axes.set_ylim(bottom=0)
    axes.set_title(title_of(cell), fontsize=9)


def draw(results: dict, path: Path) -> None:
    with plt.rc_context(STYLE):
        page, grid = plt.subplots(2, 4, figsize=(12.5, 6.2), squeeze=False)
        for axes, cell in zip(grid.flat, results["cells"]):
            draw_panel(axes, results, cell)
        for line in grid:
            line[0].set_ylabel("instructions above null_blk")
        for axes in grid[-1]:
            axes.set_xlabel("map_batch")
        handles, names = grid[0][0].get_legend_handles_labels()
        page.legend(handles, names, loc="lower center", ncol=len(names), frameon=False, bbox_to_anchor=(0.5, 0.02))
        page.suptitle(f"What a request costs in mode map as more share a zap, its header looked at (null target, queue depth 32, Linux {results['kernel']})", fontsize=11, x=0.01, ha="left")
        page.text(0.01, 0.005, "Instructions on the counting clock, not nanoseconds.", fontsize=7.5, color="#555555")
        page.tight_layout(rect=(0, 0.06, 1, 0.98))
        save_figure(page, path)
        plt.close(page)


def main() -> None:
    options = parse_options(__doc__)
    if len(options.raw) != 1:
        fail("takes one folder")
    try:
        results = collect(options.raw[0])
    except (BadData, OSError, KeyError, ValueError) as error:
        fail(f"the raw data can't be used: {error!r}" if not isinstance(error, BadData) else str(error))
    write_json(options.out / "results.json", results)
    write_json(options.out / "manifest.json", provenance(options, {"amortise": options.raw[0]}))
    write_csv(options.out / "table.csv", results)
    (options.out / "table.txt").write_text(text_report(results))
    draw(results, options.out / "amortise")


if __name__ == "__main__":
    main()
