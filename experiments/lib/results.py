# SPDX-License-Identifier: GPL-2.0
"""What the experiments' reports share: their options, where results come from, how they and figures are written."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
from pathlib import Path

import matplotlib
import numpy as np

PACKAGES = Path("/lab/packages")  # of the lab's root, in which this runs: name, version

# The same results give the same bytes.
STYLE = {
    "svg.hashsalt": "ubdx",
    "svg.fonttype": "path",
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
}


def parse_options(description: str) -> argparse.Namespace:
    """The command line of a report; its folder is there afterwards."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--revision", default="unknown")
    parser.add_argument("--dirty", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    return options


def version_of(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def provenance(options: argparse.Namespace, boots: dict[str, Path]) -> dict:
    """What made the results: sources, tools, and how the machines of @boots (name -> raw data) were started."""
    vms = {name: folder / "vm" for name, folder in boots.items()}
    return {
        "revision": options.revision,
        "dirty": options.dirty,
        "qemu": version_of("qemu-system-x86_64", "--version"),
        "qemu_arguments": {name: vm.read_text().split("\n") if vm.exists() else "not recorded" for name, vm in vms.items()},
        "tools": {"python": platform.python_version(), "numpy": np.__version__, "matplotlib": matplotlib.__version__,
                  "gcc": version_of("gcc", "--version")},
        "packages": dict(line.split("\t") for line in PACKAGES.read_text().splitlines()) if PACKAGES.exists() else "not recorded",
    }


def write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def save_figure(page: matplotlib.figure.Figure, path: Path) -> None:
    """Writes PATH.svg and PATH.png."""
    page.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    page.savefig(path.with_suffix(".png"), dpi=150, metadata={"Software": None})
