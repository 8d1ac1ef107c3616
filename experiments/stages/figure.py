#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Draws where a request's instructions go at queue depth 1, from results.json alone.

    figure.py FOLDER...    (folders with a results.json; the figure goes there, as stages.*)
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent.parent / "lib"))

from results import COLUMN, STYLE, redraw, save_figure, thousands  # noqa: E402

# Colours of the stages. The colours of the modes in the other figures are different ones.
STAGES = {
    "publish": "#999999",
    "deliver": "#e69f00",
    "move": "#56b4e9",
    "serve": "#009e73",
    "release": "#f0e442",
    "end": "#444444",
}
PANELS = {
    (op, size): f"{op}, {label}"
    for size, label in ((4096, "4k"), (524288, "512k"))
    for op in ("write", "read")
}
TOUCHES = {"none": "untouched", "all": "touched"}


def draw_panel(axes: plt.Axes, rows: list[dict], panel: str) -> None:
    means = [[row["cells"][panel]["stages"][stage]["mean"] for stage in STAGES] for row in rows]
    # a gap between the untouched rows and the touched ones
    first = next((i for i, row in enumerate(rows) if row["touch"] != rows[0]["touch"]), len(rows))
    places = [i + 0.6 * (i >= first) for i in range(len(rows))]
    left = [0.0] * len(rows)
    for i, (stage, colour) in enumerate(STAGES.items()):
        width = [mean[i] for mean in means]
        axes.barh(places, width, left=left, color=colour, label=stage, height=0.75)
        left = [a + b for a, b in zip(left, width)]
    for place, total in zip(places, left):
        axes.text(total, place, f" {thousands(float(f'{total:.3g}'))}", va="center")
    axes.set_yticks(places, [f"{row['mode']}, {TOUCHES[row['touch']]}" for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(places[-1] + 0.6, -0.6)
    axes.set_xlim(0, max(left) * 1.6)
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.xaxis.set_major_formatter(FuncFormatter(thousands))
    axes.grid(False, axis="y")


def draw(results: dict, folder: Path) -> None:
    rows = list(results["rows"].values())
    with plt.rc_context(STYLE):
        page, grid = plt.subplots(2, 2, figsize=(COLUMN, 4.4), sharey=True)
        for axes, ((op, size), title) in zip(grid.flat, PANELS.items()):
            draw_panel(axes, rows, f"{op}.{size}")
            axes.set_title(title)
        page.supxlabel("instructions a request", fontsize=8, y=0.41 / 4.4, va="bottom")
        handles, names = grid[0][0].get_legend_handles_labels()
        page.legend(
            handles,
            names,
            loc="lower center",
            ncol=3,
            frameon=False,
            handlelength=1,
            handletextpad=0.4,
            columnspacing=1.2,
            borderaxespad=0.1,
            labelspacing=0.3,
        )
        page.tight_layout(rect=(0, 0.52 / 4.4, 1, 1), pad=0.3, w_pad=0.8)
        save_figure(page, folder / "stages")
        plt.close(page)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    redraw(draw, sys.argv[1:])
