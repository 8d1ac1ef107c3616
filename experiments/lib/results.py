# SPDX-License-Identifier: GPL-2.0
"""What reports share: options, provenance, and how results and figures are written."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np

PACKAGES = Path("/lab/packages")  # of the lab's root, in which this runs: name, version

COLUMN = 3.3  # inches: the width of a column of a paper, for which figures are drawn
# The same results give the same bytes. Nothing in a figure is smaller than 8 pt, and PDFs have
# their fonts embedded as TrueType, which conferences ask for.
STYLE = {
    "svg.hashsalt": "ubdx",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "font.family": "DejaVu Sans",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
}


def parse_options(description: str) -> argparse.Namespace:
    """The command line of a report; its folder is there afterwards."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("raw", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--revision", default="unknown")
    parser.add_argument("--dirty", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    return options


def version_of(*command: str) -> str:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=True
        ).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def read_pairs(path: Path) -> dict[str, str] | str:
    """A file with a name and a value a line."""
    return (
        dict(line.split("\t") for line in path.read_text().splitlines())
        if path.exists()
        else "not recorded"
    )


def provenance(options: argparse.Namespace, boots: dict[str, Path]) -> dict:
    """What made the results: sources, tools, and what the machines of @boots were started from."""
    vms = {name: folder / "vm" for name, folder in boots.items()}
    return {
        "revision": options.revision,
        "dirty": options.dirty,
        "qemu": version_of("qemu-system-x86_64", "--version"),
        "inputs": {name: read_pairs(folder / "inputs") for name, folder in boots.items()},
        "qemu_arguments": {
            name: vm.read_text().split("\n") if vm.exists() else "not recorded"
            for name, vm in vms.items()
        },
        "tools": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "matplotlib": matplotlib.__version__,
            "gcc": version_of("gcc", "--version"),
        },
        "packages": read_pairs(PACKAGES),
    }


def write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def thousands(value: float, _position: int = 0) -> str:
    """A number of instructions as an axis has it: 1.5k, 2M."""
    for unit, suffix in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:g}{suffix}"
    return f"{value:g}"


def save_figure(page: matplotlib.figure.Figure, path: Path) -> None:
    """Writes PATH.svg, PATH.pdf and PATH.png."""
    page.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    page.savefig(path.with_suffix(".pdf"), metadata={"CreationDate": None})
    page.savefig(path.with_suffix(".png"), dpi=200, metadata={"Software": None})


def redraw(draw: Callable[[dict, Path], None], folders: list[str]) -> None:
    """What each figure.py does if it is run: draws the results.json of FOLDERs once more."""
    for folder in map(Path, folders):
        draw(json.loads((folder / "results.json").read_text()), folder)
