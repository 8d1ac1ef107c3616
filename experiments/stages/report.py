#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Turns the output of ubdx-trace for each mode into results.json, tables, figure and manifest.json.

    report.py --out FOLDER [--revision REV] [--dirty] RAW

RAW is the folder with the files that guest.sh left. Everything but manifest.json depends on them
alone, byte for byte.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "lib"))

import figure
from figure import PANELS, STAGES, TOUCHES
from results import parse_options, provenance, write_json

NOTE = (
    "Mean instructions between a request's stamps at queue depth 1, on the counting clock; not "
    "nanoseconds. They include what tracing itself adds."
)
MODES = ("copy", "user", "splice", "map")
MEANING = {
    "publish": "T0-T1, from blk-mq to the channel",
    "deliver": "T1-T2, until the server's task has the request",
    "move": "T2-T4, the payload is moved or exposed",
    "serve": "T4-T5, the server serves the request",
    "release": "T5-T6, the payload is copied back or unmapped",
    "end": "T6-T7, the request ends in blk-mq",
}


def fail(message: str) -> None:
    sys.exit(f"stages: {message}")


def class_result(name: str, found: dict) -> dict:
    if found["errors"] or found["incomplete"] or found["disordered"] or found["fallback"] != "none":
        fail(f"{name}: requests failed, fell back, or lack stamps: {found}")
    stages = {stage: found["stages"][stage] for stage in (*STAGES, "total")}
    return {
        "instructions": stages["total"]["mean"],
        "requests": found["count"],
        "moved": found["moved"],
        "stages": {
            stage: {key: values[key] for key in ("mean", "p50", "p99")}
            for stage, values in stages.items()
        },
    }


def read_mode(path: Path) -> dict:
    """The results of one trace, by operation and size."""
    trace = json.loads(path.read_text())
    if trace["clock"] != "instructions" or any(trace["dropped"].values()):
        fail(f"{path.name}: not traced on the counting clock, or events were dropped")
    cells = {(c["op"], c["max_bytes"]): c for c in trace["classes"]}
    if missing := [label for panel, label in PANELS.items() if panel not in cells]:
        fail(f"{path.name}: no requests of {missing}")
    return {f"{op}.{size}": class_result(path.name, cells[op, size]) for op, size in PANELS}


def place(name: str) -> tuple:
    """Sort key of MODE.TOUCH: untouched first, modes in the order of MODES, others last."""
    mode, touch = name.split(".")
    return touch != "none", MODES.index(mode) if mode in MODES else len(MODES), mode


def collect(raw: Path) -> dict:
    machine = dict(line.split("\t") for line in (raw / "machine").read_text().splitlines())
    names = [path.name.removesuffix(".json") for path in raw.glob("*.*.json")]
    names.sort(key=place)
    rows = {}
    for name in names:
        mode, touch = name.split(".")
        rows[name] = {
            "mode": mode,
            "touch": touch,
            "label": f"{mode}, {TOUCHES[touch]}",
            "cells": read_mode(raw / f"{name}.json"),
        }
    return {
        "note": NOTE,
        "unit": "instructions",
        "kernel": machine["kernel"],
        "machine": machine,
        "rows": rows,
    }


def text_report(results: dict) -> str:
    width = max(len(row["label"]) for row in results["rows"].values())
    lines = [
        "Mean instructions of a request from stamp to stamp, null target, queue depth 1, "
        f"Linux {results['kernel']}"
    ]
    for (op, size), title in PANELS.items():
        lines += [
            "",
            f"{title:<{width}}" + "".join(f"{stage:>9}" for stage in STAGES) + f"{'total':>10}",
        ]
        lines.append("-" * len(lines[-1]))
        for row in results["rows"].values():
            stages = row["cells"][f"{op}.{size}"]["stages"]
            means = "".join(f"{stages[stage]['mean']:>9.0f}" for stage in STAGES)
            lines.append(f"{row['label']:<{width}}{means}{stages['total']['mean']:>10.0f}")
    lines += ["", *(f"{stage:<8} {meaning}" for stage, meaning in MEANING.items()), ""]
    lines += [
        "Counting clock: instructions of one CPU, not nanoseconds. They include what tracing adds.",
        "deliver and end include the switch between fio and the server, if there is one.",
    ]
    return "\n".join(lines) + "\n"


def write_csv(path: Path, results: dict) -> None:
    with path.open("w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(
            ["mode", "touch", "direction", "size", "stage", "requests", "mean", "p50", "p99"]
        )
        for row in results["rows"].values():
            for cell, values in row["cells"].items():
                for stage, stats in values["stages"].items():
                    out.writerow(
                        [
                            row["mode"],
                            row["touch"],
                            *cell.split("."),
                            stage,
                            values["requests"],
                            *stats.values(),
                        ]
                    )


def main() -> None:
    options = parse_options(__doc__)
    if len(options.raw) != 1:
        fail("takes one folder")
    results = collect(options.raw[0])
    write_json(options.out / "results.json", results)
    write_json(options.out / "manifest.json", provenance(options, {"stages": options.raw[0]}))
    write_csv(options.out / "table.csv", results)
    (options.out / "table.txt").write_text(text_report(results))
    figure.draw(results, options.out)


if __name__ == "__main__":
    main()
