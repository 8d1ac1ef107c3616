# SPDX-License-Identifier: GPL-2.0
"""Computes the cost of a request from raw data: reads and checks what guest.sh left of each boot.

Stamps are read from the counting clock, on which 1 ns is 1 instruction. So a difference of stamps is a
number of instructions.

A cell is a row of the comparison with a direction, a size and a queue depth. guest.sh runs it as
three jobs: two equal short ones and a long one. The floor is null_blk, the first row of each boot.

A cost is accepted only if each request of the job reached the device as fio sent it. fio counts the
requests that it sent. The device's statistics count the requests that it served and merged, and
their sectors.

Two numbers say how precise a cost is. The resolution is the jitter of the measurement itself: the
largest difference between the two equal jobs of a cell of the floor, where only one task runs and the
scheduler has no choice. The spread is how much the two equal jobs of the cell itself differ.

A job's bracket is the difference between the stamps taken before and after it.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

SIZES = {"4k": 4096, "64k": 65536, "512k": 524288}
SECTOR = 512
# What rows are compared with, beside ublk's mode copy: a pattern of rows, the comparison's name, and
# its peers; {} is what the pattern's group has matched. The cheapest peer in a cell counts.
PEERS = (
    (
        r"ubdx-null-(?:user|splice|map)-untouched",
        "ublk_best",
        ("ublk-null-user-untouched", "ublk-null-auto", "ublk-null-batch"),
    ),
    (
        r"ubdx-(loop|ram)-forward",
        "ublk_best",
        ("ublk-{}-copy", "ublk-{}-user", "ublk-{}-auto", "ublk-{}-batch"),
    ),
    (r"ubdx-loop-forward", "loop", ("loop-dio",)),
    (r"ubdx-ram-forward", "loop", ("loop-dio-ram",)),
    (r"ubdx-loop-(?:extents|bpf)", "dm_linear", ("dm-linear",)),
    (r"(?:scatter-(?:hit-100|bpf|hash)|linear-(?:extent|bpf))", "dm_linear", ("linear-dm",)),
    (r"ubdx-(null|loop|ram)-regbuf", "ublk_auto", ("ublk-{}-auto",)),
)
TICK_NS = 4_000_000  # idle time assumed for each entry into the idle loop: a whole tick


class BadData(Exception):
    """The raw data contradict themselves; the message says where."""


@dataclass(frozen=True)
class Row:
    """One line of rows.tsv."""

    name: str
    boot: str
    target: str
    label: str


@dataclass(frozen=True)
class Stamp:
    """The counters of one line of the file `stamps` (stamp.c), or the difference of two lines."""

    ns: int
    idles: int
    switches: int
    reads: int
    read_merges: int
    read_sectors: int
    writes: int
    write_merges: int
    write_sectors: int

    def since(self, pre: Stamp) -> Stamp:
        return Stamp(*(getattr(self, f) - getattr(pre, f) for f in self.__dataclass_fields__))


@dataclass(frozen=True)
class Cell:
    """What one request of a cell costs, and how precise that is."""

    cost: float  # instructions per request
    spent: float  # instructions of all measured requests together: cost * requests
    spread: float  # instructions by which the two short jobs differed
    idle: float  # share of the cost in which the CPU may have been idle
    switches: float  # per request
    requests: int


@dataclass(frozen=True)
class Replicate:
    """One measurement of the whole table; each part of the table has a boot of its own."""

    machines: dict[str, dict[str, str]]  # by boot
    limits: dict[str, dict[str, str]]
    excepted: dict[str, dict[str, str]]
    skipped: dict[str, str]
    order: list[str]
    cells: dict[str, dict[str, Cell]]

    def jitter(self, floor: str) -> float:
        """The jitter of the measurement itself, in instructions."""
        return max(cell.spread for cell in self.cells[floor].values())


def is_untouched(name: str) -> bool:
    """Whether it is a row of ubdx's mode user, splice or map whose server reads no payload."""
    return name.startswith("ubdx-null-") and name.endswith("-untouched")


def peers_of(name: str) -> dict[str, list[str]]:
    """The comparisons that a row takes part in, and the peers of each."""
    return {
        which: [peer.format(*match.groups()) for peer in peers]
        for pattern, which, peers in PEERS
        if (match := re.fullmatch(pattern, name))
    }


def read_rows(path: Path) -> list[Row]:
    lines = [
        line.split("\t")
        for line in path.read_text().splitlines()
        if line and not line.startswith("#")
    ]
    return [Row(*fields[:4]) for fields in lines]


def cell_key(cell: str) -> tuple[bool, int, int]:
    """The order of cells in the table: writes before reads, then by queue depth, then by size."""
    rw, depth, size = cell.split(".")
    return rw != "randwrite", int(depth), SIZES[size]


def read_stamps(path: Path) -> dict[str, dict[str, Stamp]]:
    """Row -> job -> its bracket."""
    before: dict[tuple[str, str], Stamp] = {}
    rows: dict[str, dict[str, Stamp]] = {}
    for line in path.read_text().splitlines():
        phase, row, job, *counters = line.split("\t")
        stamp = Stamp(*map(int, counters))
        if phase == "pre":
            before[row, job] = stamp
        else:
            rows.setdefault(row, {})[job] = stamp.since(before.pop((row, job)))
    if before:
        raise BadData(f"{path}: jobs without a second stamp: {sorted(before)}")
    return rows


def check_job(row: str, job: dict, bracket: Stamp) -> int:
    """Checks that fio and the device agree about a job; returns its number of requests."""
    name = job["jobname"]
    direction = "write" if job["job options"]["rw"] == "randwrite" else "read"
    size = SIZES[job["job options"]["bs"]]
    sent = job[direction]["total_ios"]
    wanted = int(job["job options"]["number_ios"])
    served = (
        bracket.reads,
        bracket.read_merges,
        bracket.read_sectors,
        bracket.writes,
        bracket.write_merges,
        bracket.write_sectors,
    )
    moved = (sent, 0, sent * size // SECTOR)
    expected = (0, 0, 0, *moved) if direction == "write" else (*moved, 0, 0, 0)
    if job["error"]:
        raise BadData(f"{row}: {name}: fio reports error {job['error']}")
    if sent != wanted:
        raise BadData(f"{row}: {name}: {sent} requests sent, {wanted} wanted")
    if served != expected:
        raise BadData(
            f"{row}: {name}: the device served {served}, expected {expected}: requests were split or merged, or another program used it"
        )
    return sent


def measure_cell(row: str, cell: str, jobs: dict[str, dict], brackets: dict[str, Stamp]) -> Cell:
    a, b, c = (brackets[f"{cell}.{part}"] for part in "abc")
    n_a, n_b, n_c = (
        check_job(row, jobs[f"{cell}.{part}"], brackets[f"{cell}.{part}"]) for part in "abc"
    )
    if n_a != n_b:
        raise BadData(f"{row}: {cell}: the two short jobs differ in length")
    spent = c.ns - (a.ns + b.ns) / 2
    requests = n_c - n_b
    entered = c.idles - max(a.idles, b.idles)
    return Cell(
        cost=spent / requests,
        spent=spent,
        spread=abs(a.ns - b.ns),
        idle=max(0, entered) * TICK_NS / spent,
        switches=(c.switches - (a.switches + b.switches) / 2) / requests,
        requests=requests,
    )


def read_table(path: Path, fields: int) -> list[list[str]]:
    return (
        [line.split("\t", fields - 1) for line in path.read_text().splitlines()]
        if path.exists()
        else []
    )


def read_boot(raw: Path, into: Replicate) -> None:
    brackets = read_stamps(raw / "stamps")
    for row, attribute, value, verdict in read_table(raw / "limits", 4):
        into.limits.setdefault(row, {})[attribute] = value
        if verdict == "excepted":
            into.excepted.setdefault(row, {})[attribute] = value
    for row, status, detail in read_table(raw / "rows", 3):
        into.order.append(row)
        if status == "skipped":
            into.skipped[row] = detail
            continue
        jobs = {
            job["jobname"]: job for job in json.loads((raw / f"{row}.fio.json").read_text())["jobs"]
        }
        names = sorted({name.rsplit(".", 1)[0] for name in brackets[row]}, key=cell_key)
        into.cells[row] = {cell: measure_cell(row, cell, jobs, brackets[row]) for cell in names}
    into.machines[raw.name] = dict(read_table(raw / "machine", 2))


def boots_of(raw: Path) -> list[Path]:
    return sorted(folder for folder in raw.iterdir() if folder.is_dir())


def read_replicate(raw: Path) -> Replicate:
    replicate = Replicate({}, {}, {}, {}, [], {})
    for boot in boots_of(raw):
        read_boot(boot, replicate)
    if not replicate.machines:
        raise BadData(f"{raw}: there is no boot")
    return replicate


def fail(message: str) -> None:
    sys.exit(f"compare: {message}")
