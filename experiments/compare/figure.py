#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Draws the figures of the comparison from its results.json alone.

    figure.py FOLDER...    (folders with a results.json; the figures go there)

A figure for each target shows the cost above the floor, with a line for each way to serve requests.
If the results are of several boots and have rows whose server leaves the payload alone, the only
figure is difference.*: how these rows differ from ublk's best mode, with intervals.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MultipleLocator,
    NullFormatter,
)  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent.parent / "lib"))

from inference import LEVEL  # noqa: E402
from measure import is_untouched  # noqa: E402
from results import COLUMN, STYLE, redraw, save_figure, thousands  # noqa: E402

TARGETS = ("null", "loop", "ram")
# These rows are left out of the figures, which would be too large with them.
TABLE_ONLY = ("-header", "-all", "-user-touched")
# The larger the size, the darker the mark.
SIZES = {"4k": ("o", "#9ecae1"), "64k": ("s", "#4292c6"), "512k": ("D", "#08306b")}
MODES = {
    "user": ("o", "#d55e00"),
    "splice": ("s", "#cc79a7"),
    "map": ("D", "#0072b2"),
}
LINE = 0.235  # height of a line in a figure, in inches


def short(name: str) -> str:
    """A row's name as the figure shows it: ublk auto, ubdx user."""
    if name.startswith(("ublk", "ubdx")):
        driver, _, mode = name.split("-", 2)
        return f"{driver} {mode.removesuffix('-untouched')}"
    return {"nbd": "NBD"}.get(name, "dm-linear" if name.startswith("dm-") else "kernel loop")


def spread(n: int) -> list[float]:
    """The positions of @n marks within a line, from top to bottom."""
    return [0.27 * (2 * i / (n - 1) - 1) if n > 1 else 0.0 for i in range(n)]


def name_lines(axes: plt.Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    for i in range(1, len(names)):
        axes.axhline(i - 0.5, color="#eeeeee", linewidth=0.5, zorder=0)


def cost_panel(axes: plt.Axes, results: dict, names: list[str], panel: str) -> None:
    rw, depth = panel.split(".")
    for (size, (marker, colour)), shift in zip(SIZES.items(), spread(len(SIZES))):
        if f"{panel}.{size}" not in results["cells"]:
            continue
        costs = [results["rows"][n]["cells"][f"{panel}.{size}"]["above_floor"] for n in names]
        axes.plot(
            costs,
            [i + shift for i in range(len(names))],
            linestyle="none",
            marker=marker,
            color=colour,
            markersize=3.2,
            clip_on=False,
        )
    axes.set_xscale("log")
    axes.set_title(f"{rw.removeprefix('rand')}, depth {depth}")
    name_lines(axes, [short(name) for name in names])
    for i in range(1, len(names)):
        if short(names[i]).split()[0] != short(names[i - 1]).split()[0]:
            axes.axhline(i - 0.5, color="#999999", linewidth=0.6, zorder=0)
    axes.xaxis.set_major_locator(LogLocator(10, numticks=8))
    axes.xaxis.set_major_formatter(FuncFormatter(thousands))
    axes.xaxis.set_minor_formatter(NullFormatter())


def draw_costs(results: dict, target: str, path: Path) -> None:
    rows = results["rows"].items()
    names = [
        n
        for n, row in rows
        if row["target"] == target and "cells" in row and not n.endswith(TABLE_ONLY)
    ]
    panels = list(dict.fromkeys(c.rsplit(".", 1)[0] for c in results["cells"]))
    if not names:
        return
    columns = min(2, len(panels))
    lines = -(-len(panels) // columns)
    # queue depths below each other, directions side by side
    panels.sort(key=lambda panel: (int(panel.split(".")[1]), panel.startswith("randread")))
    page, grid = plt.subplots(
        lines,
        columns,
        sharex=True,
        sharey=True,
        squeeze=False,
        figsize=(COLUMN, lines * (LINE * len(names) + 0.25) + 0.65),
    )
    for axes in grid.flat[len(panels) :]:
        axes.axis("off")
    for axes, panel in zip(grid.flat, panels):
        cost_panel(axes, results, names, panel)
    page.supxlabel(
        "instructions above null_blk", fontsize=8, y=0.24 / page.get_figheight(), va="bottom"
    )
    marks = [
        Line2D([], [], linestyle="none", marker=marker, color=colour, markersize=3.2, label=size)
        for size, (marker, colour) in SIZES.items()
    ]
    page.legend(
        handles=marks,
        loc="lower center",
        ncol=len(marks),
        frameon=False,
        handletextpad=0.1,
        borderaxespad=0.2,
    )
    page.tight_layout(rect=(0, 0.34 / page.get_figheight(), 1, 1), pad=0.3, w_pad=1.2)
    save_figure(page, path)
    plt.close(page)


def difference_panel(
    axes: plt.Axes, results: dict, modes: dict, depth: str, cells: list[str]
) -> None:
    for (mode, (marker, colour)), shift in zip(modes.items(), spread(len(modes))):
        for i, cell in enumerate(cells):
            values = results["rows"][f"ubdx-null-{mode}-untouched"]["cells"][cell]
            scale = 100 / (values["instructions"] - values["against_ublk_best"])
            low, high = (end * scale for end in values["against_ublk_best_95"])
            sure = values["against_ublk_best_p_holm"] < LEVEL
            axes.plot([low, high], [i + shift] * 2, color=colour, linewidth=0.9)
            axes.plot(
                values["against_ublk_best"] * scale,
                i + shift,
                marker=marker,
                markersize=3.4,
                color=colour,
                markerfacecolor=colour if sure else "white",
                markeredgewidth=0.8,
            )
    axes.axvline(0, color="#444444", linewidth=0.8, zorder=1)
    axes.set_title(f"queue depth {depth}")
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:+g} %" if value else "0")
    )
    axes.xaxis.set_major_locator(MultipleLocator(2))
    name_lines(axes, [" ".join(c.removeprefix("rand").split(".")[::2]) for c in cells])


def draw_difference(results: dict, path: Path) -> None:
    depths = sorted({c.split(".")[1] for c in results["cells"]}, key=int)
    cells = {d: [c for c in results["cells"] if c.split(".")[1] == d] for d in depths}
    measured = {name for name, row in results["rows"].items() if "cells" in row}
    modes = {
        mode: style
        for mode, style in MODES.items()
        if f"ubdx-null-{mode}-untouched" in measured
    }
    height = LINE * 1.35 * max(map(len, cells.values())) + 1.0
    page, grid = plt.subplots(
        1, len(depths), squeeze=False, sharex=True, sharey=True, figsize=(COLUMN, height)
    )
    for axes, depth in zip(grid.flat, depths):
        difference_panel(axes, results, modes, depth, cells[depth])
    page.supxlabel(
        "instructions, relative to ublk's best mode", fontsize=8, y=0.24 / height, va="bottom"
    )
    marks = [
        Line2D([], [], marker=marker, color=colour, markersize=3.4, linewidth=0.9, label=mode)
        for mode, (marker, colour) in modes.items()
    ]
    marks.append(
        Line2D(
            [],
            [],
            linestyle="none",
            marker="o",
            color="#444444",
            markersize=3.4,
            markerfacecolor="white",
            markeredgewidth=0.8,
            label="not significant",
        )
    )
    page.legend(
        handles=marks,
        loc="lower center",
        ncol=len(marks),
        frameon=False,
        handlelength=1.4,
        handletextpad=0.3,
        columnspacing=0.8,
        borderaxespad=0.2,
    )
    page.tight_layout(rect=(0, 0.34 / height, 1, 1), pad=0.3, w_pad=1.2)
    save_figure(page, path)
    plt.close(page)


def draw(results: dict, folder: Path) -> None:
    with plt.rc_context(STYLE):
        if "comparisons" in results and any(map(is_untouched, results["rows"])):
            draw_difference(results, folder / "difference")
            return
        for target in TARGETS:
            draw_costs(results, target, folder / target)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    redraw(draw, sys.argv[1:])
