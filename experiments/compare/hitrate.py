#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the table `resolvers` has besides its rows: the cost of changes, and its figure.

    hitrate.py FOLDER...    (folders with a results.json; the figures go there)

The figure shows the cost of a request against the share of the requests that find an extent, and as
lines the ways that need no extents, or that know a linear function only.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent.parent / "lib"))

from inference import paired  # noqa: E402
from measure import boots_of  # noqa: E402
from results import COLUMN, STYLE, redraw, save_figure, thousands  # noqa: E402

CHANGES = {
    "map": "leave one more extent",
    "revoke": "revoke one extent",
    "drain": "revoke one extent, and drain",
    "drain_elapsed": "the same, elapsed",
}
HITS = (0, 25, 50, 75, 100)
# Rows that are lines, from the dearest to the cheapest: label, style.
LINES = {
    "scatter-server": ("server, no front disk", "#555555", (0, (1, 1))),
    "linear-dm": ("dm-linear", "#cc79a7", (0, (4, 1, 1, 1))),
    "scatter-hash": ("BPF, hash map", "#d55e00", (0, (4, 1))),
    "scatter-bpf": ("BPF, computed", "#009e73", (0, (2, 1))),
}


def updates(raws: list[Path]) -> dict[str, dict]:
    """By number of extents: the means of all boots, in ns of the counting clock, with intervals."""
    tables: list[dict[str, list[float]]] = []
    for raw in raws:
        for boot in boots_of(raw):
            if (path := boot / "updates").exists():
                lines = (line.split("\t") for line in path.read_text().splitlines())
                tables.append({nr: list(map(float, values)) for nr, *values in lines})
    found: dict[str, dict] = {}
    for nr in tables[0] if tables else ():
        found[nr] = {}
        for i, change in enumerate(CHANGES):
            values = [table[nr][i] for table in tables]
            found[nr][change] = round(sum(values) / len(values), 1)
            if len(values) > 1:
                estimate = paired(values)
                found[nr][f"{change}_95"] = [round(estimate.low, 1), round(estimate.high, 1)]
    return found


def text(found: dict[str, dict]) -> str:
    width = max(map(len, CHANGES.values()))
    lines = [
        "What it costs a server to change the extents of a device that has so many, in instructions of",
        "its thread; the last line in ns of the counting clock, in which an idle CPU lets time pass",
        "",
        " " * width + " |" + "".join(f"{int(nr):>12,}" for nr in found),
    ]
    for change, label in CHANGES.items():
        lines.append(
            f"{label:<{width}} |" + "".join(f"{found[nr][change]:>12,.0f}" for nr in found)
        )
    return "\n".join(lines) + "\n"


def panel(axes: plt.Axes, results: dict, cell: str) -> None:
    rows = results["rows"]
    cells = [rows[f"scatter-hit-{hit}"]["cells"][cell] for hit in HITS]
    axes.plot(
        HITS,
        [values["above_floor"] for values in cells],
        color="#0072b2",
        marker="o",
        markersize=3.2,
        linewidth=0.9,
        label="extents",
        zorder=3,
    )
    for name, (label, colour, style) in LINES.items():
        axes.axhline(
            rows[name]["cells"][cell]["above_floor"],
            color=colour,
            linestyle=style,
            linewidth=0.9,
            label=label,
        )
    rw, depth, _ = cell.split(".")
    axes.set_title(f"{rw.removeprefix('rand')}, depth {depth}")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(thousands))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(HITS)


def draw(results: dict, folder: Path) -> None:
    needed = [f"scatter-hit-{hit}" for hit in HITS] + list(LINES)
    if any("cells" not in results["rows"].get(name, {}) for name in needed):
        return
    with plt.rc_context(STYLE):
        page, grid = plt.subplots(
            2, 2, sharex=True, sharey=True, squeeze=False, figsize=(COLUMN, 3.6)
        )
        for axes, cell in zip(grid.flat, results["cells"]):
            panel(axes, results, cell)
        page.supxlabel("requests that find an extent, %", fontsize=8, y=0.17, va="bottom")
        page.supylabel("instructions above null_blk", fontsize=8, x=0.01)
        handles, labels = grid[0][0].get_legend_handles_labels()
        page.legend(
            handles,
            labels,
            loc="lower center",
            ncol=2,
            frameon=False,
            handlelength=2.2,
            columnspacing=1.0,
            borderaxespad=0.1,
        )
        page.tight_layout(rect=(0.02, 0.2, 1, 1), pad=0.3, w_pad=0.8)
        save_figure(page, folder / "hitrate")
        plt.close(page)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    redraw(draw, sys.argv[1:])
