#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Says whether two runs had the same inputs, and whether they gave the same figures.

    same.py OLD NEW          (folders with results.json and manifest.json)
    same.py --before OLD     (before a run: does the lab have the packages that made OLD?)

The lab promises that the same inputs give the same figures, to the byte. The inputs are the
machine's kernel and image (as digests), QEMU and its arguments, and the experiment's options. A new
version of a Debian package can change all of them but the options.

Exit status 0: the figures are the same. 1: inputs and figures differ. 2: the inputs are the same,
but the figures differ: a bug of the lab. --before: 0, or 1 if packages differ.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

# The packages of the lab's root, in which this runs; a line is a name and a version.
PACKAGES = Path("/lab/packages")
SHOWN = 6  # the lines shown of a long list


def flatten(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flatten(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from flatten(inner, f"{path}[{i}]")
    else:
        yield path, str(value)


def changes(old: dict, new: dict) -> list[str]:
    """A line for each key whose value differs, with both values."""
    before, after = (dict(flatten(value)) for value in (old, new))
    return [
        f"{key}: {before.get(key, 'none')} -> {after.get(key, 'none')}"
        for key in {**before, **after}
        if before.get(key) != after.get(key)
    ]


def inputs(manifest: dict, digests: bool) -> dict:
    """The inputs that determine the figures. Without @digests, packages stand in for the images."""
    named = ("qemu", "qemu_arguments", "replicates", "inputs" if digests else "packages")
    return {key: manifest[key] for key in named if key in manifest}


def input_changes(old: dict, new: dict) -> list[str]:
    """The differences between the inputs of two manifests; changed packages, the cause, first."""
    found = changes(*(inputs(m, "inputs" in old and "inputs" in new) for m in (old, new)))
    if not found:
        return []
    packages = changes(*({"packages": m.get("packages", {})} for m in (old, new)))
    return packages + [line for line in found if line not in packages]


def differences(old: dict, new: dict) -> list[tuple[float, str]]:
    """The relative difference and the name of each cell that both results have."""
    found = []
    for name, row in new["rows"].items():
        before = old["rows"].get(name, {}).get("cells", {})
        for cell, values in row.get("cells", {}).items():
            if cell in before:
                change = abs(values["instructions"] / before[cell]["instructions"] - 1)
                found.append((change, f"{name} {cell}"))
    return found


def listed(lines: list[str]) -> str:
    rest = len(lines) - SHOWN
    more = [f"and {rest} more; see manifest.json"] if rest > 0 else []
    return "".join(f"\n  {line}" for line in lines[:SHOWN] + more)


def verdict(same: bool, changed: list[str], cells: list[tuple[float, str]]) -> tuple[int, str]:
    """Exit status and text. @same: the results are equal to the byte; @changed: inputs that differ;
    @cells: see differences()."""
    if same and not changed:
        return 0, "Same inputs as the committed results, and the same figures to the byte."
    if same:
        return 0, f"The figures are the same to the byte, although inputs differ:{listed(changed)}"
    if not cells:
        how = "have no cell in common"
    else:
        worst = max(cells)
        median = statistics.median(change for change, _ in cells)
        how = (
            f"differ by {100 * median:.2f} % (median), {100 * worst[0]:.2f} % at most ({worst[1]})"
        )
    if changed:
        return (
            1,
            f"Inputs differ from those of the committed results, and the figures {how}:{listed(changed)}",
        )
    return (
        2,
        f"Same inputs as the committed results, but the figures {how}: this is a bug of the lab.",
    )


def before(committed: dict, packages: dict) -> tuple[int, str]:
    """Exit status and text: what to expect of a run with these packages."""
    changed = changes(committed.get("packages", {}), packages)
    if changed:
        return 1, (
            "Inputs differ from those of the committed results, so the figures will differ "
            f"from the committed ones:{listed(changed)}"
        )
    return 0, "The lab has the packages that the committed results were made with."


def read(folder: str, name: str) -> dict:
    return json.loads(Path(folder, name).read_text())


def main(arguments: list[str]) -> int:
    if len(arguments) != 2 or arguments[0] in ("-h", "--help"):
        sys.exit(__doc__)
    if arguments[0] == "--before":
        lines = PACKAGES.read_text().splitlines()
        status, text = before(
            read(arguments[1], "manifest.json"), dict(line.split("\t") for line in lines)
        )
    else:
        same = len({Path(folder, "results.json").read_bytes() for folder in arguments}) == 1
        manifests, results = (
            [read(folder, name) for folder in arguments]
            for name in ("manifest.json", "results.json")
        )
        status, text = verdict(same, input_changes(*manifests), differences(*results))
    print(text)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
