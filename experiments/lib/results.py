# SPDX-License-Identifier: GPL-2.0
"""Code that the reports share: options, provenance, and the writing of results and figures."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np

# The packages of the lab's root, in which this runs; a line is a name and a version.
PACKAGES = Path("/lab/packages")

COLUMN = 3.3  # the width of a figure, in inches: a column of a paper
# With these settings the same results give the same bytes. No text is smaller than 8 pt, and PDFs
# embed their fonts as TrueType, as conferences require.
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
    """Parses the command line of a report, and makes the folder --out."""
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
    """Reads a file whose lines are a name and a value."""
    return (
        dict(line.split("\t") for line in path.read_text().splitlines())
        if path.exists()
        else "not recorded"
    )


def provenance(options: argparse.Namespace, boots: dict[str, Path]) -> dict:
    """The sources, the tools, and the inputs of each machine in @boots, for manifest.json."""
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
    """Formats a number of instructions for an axis: 1.5k, 2M."""
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
    """The main program of each figure.py: draws the results.json of each folder once more."""
    for folder in map(Path, folders):
        draw(json.loads((folder / "results.json").read_text()), folder)
