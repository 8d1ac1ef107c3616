#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Says whether two runs of the comparison gave the same figures, and if not, what went in that was different.

    same.py OLD NEW    (folders with results.json and manifest.json)

Exit status 0: the same bytes. 1: they differ, by how much, and for all that is known why.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

SHOWN = 6  # of a long list


def flatten(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flatten(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from flatten(inner, f"{path}[{i}]")
    else:
        yield path, str(value)


def inputs(manifest: dict) -> dict[str, str]:
    """What can make a figure another one. The figures don't depend on where the tree's other files stand."""
    return {k: v for k, v in flatten(manifest) if not k.startswith(("tools.", "dirty"))}


def differences(old: dict, new: dict) -> Iterator[tuple[float, str]]:
    """Relative difference of each cell that both have, and where it is."""
    for name, row in new["rows"].items():
        before = old["rows"].get(name, {}).get("cells", {})
        for cell, values in row.get("cells", {}).items():
            if cell in before:
                yield abs(values["instructions"] / before[cell]["instructions"] - 1), f"{name} {cell}"


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    old, new = (Path(folder) for folder in sys.argv[1:])
    if (old / "results.json").read_bytes() == (new / "results.json").read_bytes():
        print("The figures are those of the commit, to the byte.")
        return
    results = [json.loads((folder / "results.json").read_text()) for folder in (old, new)]
    before, after = (inputs(json.loads((folder / "manifest.json").read_text())) for folder in (old, new))
    worst = max(differences(*results), default=(0.0, "no cell in common"))
    print(f"The figures differ from the committed ones, by {100 * worst[0]:.2f} % at most ({worst[1]}). What went in that is different:")
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    for key in changed[:SHOWN]:
        print(f"  {key}: {before.get(key, 'not there')} -> {after.get(key, 'not there')}")
    if len(changed) > SHOWN:
        print(f"  and {len(changed) - SHOWN} more; see manifest.json")
    if not changed:
        print("  nothing that is recorded: this is a bug of the lab")
    sys.exit(1)


if __name__ == "__main__":
    main()
