# SPDX-License-Identifier: GPL-2.0
"""The figure of the comparison: cost above the floor against request size, one panel a target, direction and queue depth.

Colour is how payload moves, line style is whose device it is.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.ticker import FuncFormatter  # noqa: E402

from results import STYLE, save_figure  # noqa: E402

MODES = {
    "copy": "#1b1b1b",
    "user-touched": "#d55e00",
    "user-untouched": "#e69f00",
    "user": "#d55e00",
    "auto": "#0072b2",
    "batch": "#009e73",
    "splice-untouched": "#cc79a7",
    "splice": "#cc79a7",
    "map-untouched": "#56b4e9",
    "map": "#56b4e9",
}
OTHER = "#8c8c8c"
# Too many lines for one panel.
TABLE_ONLY = ("-header", "-all")
OWNERS = {
    "ubdx": {"linestyle": "-", "linewidth": 1.3, "marker": "o", "markersize": 9, "zorder": 4, "markerfacecolor": "none", "markeredgewidth": 1.5},
    "ublk": {"linestyle": "--", "linewidth": 1.3, "marker": "s", "markersize": 4.5, "zorder": 3},
    "other": {"linestyle": ":", "linewidth": 1.5, "marker": "D", "markersize": 4, "zorder": 2},
}
TARGETS = {"null": "null target", "loop": "loop over null_blk", "ram": "loop over a RAM disk"}


def style_of(name: str) -> dict:
    owner, _, rest = name.partition("-")
    mode = rest.partition("-")[2]
    colour = MODES.get(mode, OTHER)
    return {"color": colour, **OWNERS.get(owner, OWNERS["other"])}


def thousands(value: float, _position: int) -> str:
    return f"{value / 1000000:g}M" if value >= 1000000 else f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:g}"


def draw_panel(axes: plt.Axes, results: dict, target: str, panel: str) -> None:
    cells = [c for c in results["cells"] if c.rsplit(".", 1)[0] == panel]
    sizes = [c.rsplit(".", 1)[1] for c in cells]
    for name, row in results["rows"].items():
        if row["target"] != target or "cells" not in row or name.endswith(TABLE_ONLY):
            continue
        costs = [row["cells"][c]["above_floor"] for c in cells]
        axes.plot(range(len(cells)), costs, label=row["label"], clip_on=False, **style_of(name))
        bounds = [row["cells"][c].get("above_floor_95") for c in cells]
        if all(bounds):
            low, high = zip(*bounds)
            axes.fill_between(range(len(cells)), low, high, color=style_of(name)["color"], alpha=0.2, linewidth=0)
    axes.set_xticks(range(len(sizes)), sizes)
    axes.set_xlim(-0.15, len(sizes) - 0.85)
    axes.grid(True, which="minor", axis="y", linewidth=0.3)


def scale_line(line: list[plt.Axes]) -> None:
    """Gives the panels of one target their common scale: logarithmic, with room below zero where it is needed.

    A way to serve requests can beat the floor, whose driver completes them inside the submission.
    """
    if all(value > 0 for axes in line for curve in axes.lines for value in curve.get_ydata()):
        line[0].set_yscale("log")
    else:
        line[0].set_yscale("symlog", linthresh=2000, linscale=0.5)
    for axes in line:
        axes.yaxis.set_major_formatter(FuncFormatter(thousands))
        axes.yaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))


def draw(results: dict, folder: Path) -> None:
    """Writes compare.svg and compare.png."""
    panels = list(dict.fromkeys(c.rsplit(".", 1)[0] for c in results["cells"]))
    with plt.rc_context(STYLE):
        shape = {"figsize": (max(9.0, 2.3 * len(panels) + 2.6), 3.0 * len(TARGETS) + 0.2), "sharey": "row", "squeeze": False}
        page, grid = plt.subplots(len(TARGETS), len(panels), **shape)
        for line, (target, title) in zip(grid, TARGETS.items()):
            for axes, panel in zip(line, panels):
                draw_panel(axes, results, target, panel)
                rw, depth = panel.split(".")
                axes.set_title(f"{rw.removeprefix('rand')}, queue depth {depth}", fontsize=9)
            scale_line(line)
            line[0].set_ylabel(f"{title}\ninstructions above null_blk")
            if line[-1].lines:
                line[-1].legend(loc="center left", bbox_to_anchor=(1.03, 0.5), frameon=False, fontsize=8, handlelength=3)
        for axes in grid[-1]:
            axes.set_xlabel("request size")
        page.suptitle(
            f"What serving a block request in user space costs above the floor (Linux {results['kernel']})", fontsize=11, x=0.01, ha="left"
        )
        page.text(0.01, 0.005, "Instructions on the counting clock, not nanoseconds; log scale.", fontsize=7.5, color="#555555")
        page.tight_layout(rect=(0, 0.015, 1, 0.985))
        save_figure(page, folder / "compare")
        plt.close(page)
