# SPDX-License-Identifier: GPL-2.0
"""Parts of a Markdown file that a program writes.

They stand between <!-- NAME: COMMAND --> and <!-- end of NAME -->.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

WIDTH = 100


def wrapped(text: str, indent: str = "") -> str:
    """One paragraph, as wide as the docs are; further lines begin with @indent."""
    return (
        textwrap.fill(
            text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
        + "\n"
    )


def replaced(document: str, parts: dict[str, str]) -> str:
    """The document with its marked parts replaced. Every part must be there once."""
    for name, text in parts.items():
        marks = re.compile(rf"(<!-- {name}: [^>]*-->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        document, n = marks.subn(lambda m, text=text: m[1] + text + m[2], document)
        if n != 1:
            raise ValueError(f"part {name} is marked {n} times")
    return document


def fill(path: Path, parts: dict[str, str], check: bool, command: str) -> None:
    """Replaces the parts in a file. With @check, only exits with an error if the file differs."""
    old = path.read_text()
    new = replaced(old, parts)
    if check and old != new:
        sys.exit(f"{path}: {' or '.join(parts)} is not what the data say; run {command}")
    if not check:
        path.write_text(new)
