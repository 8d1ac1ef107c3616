# SPDX-License-Identifier: GPL-2.0
"""Unit tests of the Python, as TAP. Each test_ function is one; its docstring says what holds."""

from __future__ import annotations

import copy
import importlib.util
import io
import json
import math
import re
import sys
import tarfile
import tempfile
import traceback
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(TOP / folder) for folder in ("tests", "docs", "experiments/lib", "experiments/compare")
]

import counts  # noqa: E402
import inference  # noqa: E402
import marked  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402
import same  # noqa: E402
import summary  # noqa: E402

import check  # noqa: E402

RESULTS = TOP / "experiments" / "results"


def load(path: Path):
    """Loads a module although another one has the same name."""
    spec = importlib.util.spec_from_file_location(path.parent.name + path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def close(a: float, b: float, tolerance: float = 1e-3) -> bool:
    return math.isclose(a, b, rel_tol=tolerance)


def raises(what: type[Exception], call, *arguments) -> str:
    try:
        call(*arguments)
    except what as error:
        return str(error)
    raise AssertionError(f"{what.__name__} was not raised")


# ---- inference ----


def test_quantiles():
    """quantiles of Student's t are those of published tables"""
    table = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 10: 2.228, 11: 2.201, 30: 2.042}
    for freedom, quantile in table.items():
        assert close(inference.t_quantile(0.95, freedom), quantile), freedom
    for freedom, quantile in {1: 63.657, 2: 9.925, 11: 3.106, 30: 2.750}.items():
        assert close(inference.t_quantile(0.99, freedom), quantile), freedom


def test_paired():
    """a paired t test gives the mean, interval and p value of a textbook's example"""
    # Student's own data (1908): one drug's gain in hours of sleep less another's, 10 patients
    gained = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    estimate = inference.paired(gained)
    assert close(estimate.mean, 1.58) and close(estimate.low, 0.7001, 1e-3)
    assert close(estimate.high, 2.4599, 1e-3) and close(estimate.p, 0.002833, 1e-3)


def test_paired_limits():
    """one difference has no interval; equal differences have one of no width"""
    raises(ValueError, inference.paired, [1.0])
    assert inference.paired([0.0, 0.0]).p == 1 and inference.paired([2.0, 2.0]).p == 0


def test_holm():
    """Holm's correction is that of the textbook's example, in the given order, never above 1"""
    adjusted = inference.holm([0.01, 0.04, 0.03, 0.005])
    assert all(close(a, b) for a, b in zip(adjusted, [0.03, 0.06, 0.06, 0.02])), adjusted
    assert inference.holm([0.5, 0.9]) == [1.0, 1.0] and inference.holm([]) == []


# ---- measure ----


def stamp(ns: int, writes: int = 0, merges: int = 0, idles: int = 0) -> measure.Stamp:
    return measure.Stamp(ns, idles, writes, 0, 0, 0, writes, merges, writes * 8)


def job(name: str, n: int, error: int = 0) -> dict:
    return {
        "jobname": name,
        "error": error,
        "write": {"total_ios": n},
        "read": {"total_ios": 0},
        "job options": {"rw": "randwrite", "bs": "4k", "number_ios": str(n)},
    }


def cell(brackets: dict, **errors: int) -> measure.Cell:
    cell_name = "randwrite.1.4k"
    jobs = {
        f"{cell_name}.{p}": job(f"{cell_name}.{p}", 80 if p == "c" else 10, errors.get(p, 0))
        for p in "abc"
    }
    return measure.measure_cell(
        "row", cell_name, jobs, {f"{cell_name}.{p}": b for p, b in brackets.items()}
    )


def test_cost():
    """a cell's cost is that of the requests that the long run did more than a short one"""
    found = cell({"a": stamp(1100, 10), "b": stamp(1000, 10), "c": stamp(8050, 80)})
    assert found.cost == (8050 - 1050) / 70 == 100 and found.spread == 100 and found.requests == 70
    assert found.switches == 1 and found.idle == 0


def test_split_and_merged():
    """requests that were split or merged on their way, lost or failed are not measured"""
    good = {"a": stamp(1100, 10), "b": stamp(1000, 10), "c": stamp(8050, 80)}
    assert "split or merged" in raises(measure.BadData, cell, good | {"c": stamp(8050, 81)})
    assert "split or merged" in raises(
        measure.BadData, cell, good | {"a": stamp(1100, 10, merges=1)}
    )
    assert "error 5" in raises(measure.BadData, lambda: cell(good, b=5))


def test_idle():
    """idle time is seen"""
    busy = {"a": stamp(1100, 10), "b": stamp(1000, 10), "c": stamp(8050, 80, idles=1)}
    assert cell(busy).idle > 1


# ---- report and check, on made-up boots ----

CELL = "randwrite.32.4k"
NAMES = (
    "null_blk",
    "ublk-null-copy",
    "ublk-null-user-untouched",
    "ublk-null-auto",
    "ublk-null-batch",
    "ubdx-null-copy",
    "ubdx-null-user-untouched",
    "ubdx-null-map-untouched",
)


def boots(costs: dict[str, list[float]]) -> list[measure.Replicate]:
    n = len(next(iter(costs.values())))
    found = []
    for i in range(n):
        cells = {
            name: {CELL: measure.Cell(values[i], 1e6, 100, 0, 1, 70)}
            for name, values in costs.items()
        }
        machines = {"null": {"kernel": "Linux version 7.3.4", "pages": "small"}}
        found.append(measure.Replicate(machines, {}, {}, {}, list(costs), cells))
    return found


def made_up(**changed: list[float]) -> dict:
    """Results of four boots, with ubdx 20 below ublk's best except for what is @changed."""
    luck = [0.0, 30.0, -10.0, 5.0]
    base = dict.fromkeys(NAMES, 10000.0) | {
        "null_blk": 7000.0,
        "ubdx-null-user-untouched": 9980.0,
        "ubdx-null-map-untouched": 9980.0,
        "ublk-null-auto": 11000.0,
    }
    costs = {name: [cost + x for x in luck] for name, cost in base.items()}
    for i, name in enumerate(("ubdx-null-user-untouched", "ubdx-null-map-untouched")):
        costs[name] = [c + d for c, d in zip(costs[name], (1.0, -1.0, 2.0 * i, 0.0))]
    costs.update({name.replace("_", "-"): values for name, values in changed.items()})
    rows = [
        measure.Row(name, "null", "floor" if name == "null_blk" else "null", name) for name in NAMES
    ]
    return report.collect(rows, boots(costs))


def test_pairing():
    """noise that all rows of a boot share cancels out, and every comparison is counted"""
    results = made_up()
    values = results["rows"]["ubdx-null-user-untouched"]["cells"][CELL]
    low, high = values["against_ublk_best_95"]
    assert values["against_ublk_best"] == -20 and -25 < low < -20 < high < -15
    assert results["comparisons"] == {"ublk_best": 2}
    assert (
        values["against_ublk_best_p_holm"]
        >= 2 * values["against_ublk_best_p"] * 0.99
        < inference.LEVEL
    )


def test_best_peer():
    """ublk's best is its cheapest mode on average"""
    results = made_up(ublk_null_batch=[9000.0, 9500.0, 9000.0, 9500.0])
    assert (
        results["rows"]["ubdx-null-map-untouched"]["cells"][CELL]["ublk_best"] == "ublk-null-batch"
    )


def test_single_boot():
    """one boot has no interval and no significance"""
    results = report.collect(
        [
            measure.Row("null_blk", "null", "floor", ""),
            measure.Row("ubdx-null-user-untouched", "null", "null", ""),
        ],
        boots({"null_blk": [1.0], "ubdx-null-user-untouched": [2.0]}),
    )
    assert "comparisons" not in results and not any(
        "95" in key for key in results["rows"]["ubdx-null-user-untouched"]["cells"][CELL]
    )


def missed(results: dict, *names: str) -> str:
    """The lines of the claims with these names that the results miss."""
    found = [lines for holds, lines in check.report(results) if not holds]
    return "\n".join(text for text in found if not names or text.split()[1].rstrip(":") in names)


def test_check_passes():
    """check.py finds nothing in good results, and says what it has looked at"""
    assert missed(made_up()) == ""
    held = {text.split(":")[0] for holds, text in check.report(made_up()) if holds}
    assert "ok untouched-not-dearer-than-ublk" in held and "ok forward-below-loop" not in held


def test_check_dearer():
    """check.py sees a mode that costs significantly more than ublk's best, and a vague difference"""
    dear = [10100.0, 10131.0, 10092.0, 10104.0]
    assert "against ublk-null" in missed(
        made_up(ubdx_null_map_untouched=dear), "untouched-not-dearer-than-ublk"
    )
    wild = [9000.0, 11000.0, 9100.0, 10900.0]
    assert "known too badly" in missed(made_up(ubdx_null_map_untouched=wild), "known-well")


def test_check_copy():
    """check.py sees ubdx copy cost more than ublk copy, of several boots and of one"""
    dear = [10100.0, 10131.0, 10092.0, 10104.0]
    name = "copy-not-dearer-than-ublk-copy"
    assert "dearer than ublk's" in missed(made_up(ubdx_null_copy=dear), name)
    one = made_up()
    for row, cost in (("ubdx-null-copy", 10100.0), ("ublk-null-copy", 10000.0)):
        one["rows"][row]["cells"][CELL] = {
            "instructions": cost,
            "spread_percent": 0.1,
            "resolution_percent": 0.1,
        }
    assert any(wrong for _, wrong in check.copy(one))
    one["rows"]["ubdx-null-copy"]["cells"][CELL]["instructions"] = 10040.0
    assert not any(wrong for _, wrong in check.copy(one))


def test_check_quality():
    """check.py sees bad resolution, unsteady runs, idle time and a slow peer"""
    results = made_up()
    values = results["rows"]["ubdx-null-copy"]["cells"][CELL]
    for field, bad in (("resolution_percent", 0.5), ("spread_percent", 3), ("idle_percent", 0.1)):
        broken = copy.deepcopy(results)
        broken["rows"]["ubdx-null-copy"]["cells"][CELL] = values | {field: bad}
        assert "1 of" in missed(broken, "well-measured"), field
    ladder = {"kernel": "7.3", "tolerance_percent": 1, "rows": {"ublk-null-copy": {CELL: 9000}}}
    assert any(wrong for _, wrong in check.ublk_at_its_best(results, ladder))
    assert not list(check.ublk_at_its_best(results | {"kernel": "6.12.1"}, ladder))


def compared(which: str, over: float, p: float) -> dict:
    """Results with one cell, whose row is compared with one peer."""
    values = {
        "instructions": 1000.0,
        f"against_{which}": over,
        f"against_{which}_95": [over - 5, over + 5],
        f"against_{which}_p_holm": p,
    }
    return {"rows": {"ubdx-loop-forward": {"cells": {CELL: values}}}}


def test_check_below():
    """check.py wants a difference that is significantly below 0 where it claims less"""
    for over, p, good in ((-20, 0.01, True), (-20, 0.2, False), (20, 0.01, False)):
        verdicts = list(check.below(compared("loop", over, p), "loop", ".*-forward"))
        assert len(verdicts) == 1 and (verdicts[0][1] is None) == good
    for over, p, good in ((20, 0.2, True), (-20, 0.01, True), (20, 0.01, False)):
        verdicts = list(check.not_dearer(compared("loop", over, p), "loop", ".*-forward"))
        assert len(verdicts) == 1 and (verdicts[0][1] is None) == good
    assert not list(check.below(compared("loop", -20, 0.01), "loop", ".*-regbuf"))


def test_check_bars():
    """check.py sees a mean cost above the floor that is higher than claimed"""
    values = {"above_floor": 1151.0}
    results = {"replicates": 12, "rows": {"ubdx-loop-extents": {"cells": {CELL: values}}}}
    size = CELL.rsplit(".", 1)[1]
    assert [wrong for _, wrong in check.at_most(results, "ubdx-.*", {f".*{size}": 1150})] == [
        "1151 is more than 1150"
    ]
    assert not any(w for _, w in check.at_most(results, "ubdx-.*", {f".*{size}": 1151}))
    assert not list(check.at_most(results | {"replicates": 1}, "ubdx-.*", {".*": 0}))


def test_peers():
    """a row's peers are those of its own target, and a claim has peers to be checked against"""
    assert measure.peers_of("ubdx-ram-forward") == {
        "ublk_best": ["ublk-ram-copy", "ublk-ram-user", "ublk-ram-auto", "ublk-ram-batch"],
        "loop": ["loop-dio-ram"],
    }
    assert measure.peers_of("ubdx-null-copy") == {}
    names = {row.name for row in measure.read_rows(Path(measure.__file__).with_name("rows.tsv"))}
    for name in names:
        for peers in measure.peers_of(name).values():
            assert names.issuperset(peers), name


def test_check_flat():
    """check.py sees a larger size cost more at queue depth 32, beyond the jitter"""
    base = {"instructions": 1000.0, "resolution_percent": 1.0}

    def wrong(low: float) -> list[str]:
        large = base | {"against_smaller_95": {"4k": [low + 5, low, low + 10]}}
        results = {
            "rows": {
                "r": {
                    "cells": {
                        f"randwrite.{depth}.{size}": values
                        for depth in (1, 32)
                        for size, values in (("4k", base), ("64k", large))
                    }
                }
            }
        }
        return [line for _, line in check.untouched_flat(results) if line]

    assert len(wrong(21)) == 1 and not wrong(20)


# ---- same ----

MANIFEST = {
    "qemu": "10",
    "qemu_arguments": {"null": ["-m", "1"]},
    "replicates": [{"seed": 1}],
    "revision": "a",
    "inputs": {"null": {"payload": "x"}},
    "packages": {"zstd": "1", "fio": "3"},
    "tools": {"python": "3"},
}


def test_inputs():
    """another revision, tool or unused package is the same input; another image or option isn't"""
    assert (
        same.input_changes(
            MANIFEST, MANIFEST | {"revision": "b", "tools": {}, "packages": {"zstd": "2"}}
        )
        == []
    )
    moved = MANIFEST | {"inputs": {"null": {"payload": "y"}}, "packages": {"zstd": "2", "fio": "3"}}
    assert same.input_changes(MANIFEST, moved) == [
        "packages.zstd: 1 -> 2",
        "inputs.null.payload: x -> y",
    ]
    assert same.input_changes(MANIFEST, MANIFEST | {"replicates": [{"seed": 2}]}) == [
        "replicates[0].seed: 1 -> 2"
    ]


def test_inputs_without_digests():
    """where no digests were recorded packages stand in for them"""
    old = {key: value for key, value in MANIFEST.items() if key != "inputs"}
    assert same.input_changes(old, MANIFEST) == []
    assert same.input_changes(old, MANIFEST | {"packages": {"zstd": "2", "fio": "3"}}) == [
        "packages.zstd: 1 -> 2"
    ]


def test_verdict():
    """the verdict tells apart: same, same by luck, other inputs, and a bug of the lab"""
    cells = [(0.01, "a"), (0.5, "b"), (0.02, "c")]
    assert same.verdict(True, [], []) == (
        0,
        "Same inputs as the committed results, and the same figures to the byte.",
    )
    assert same.verdict(True, ["x"], [])[0] == 0
    status, text = same.verdict(False, [f"package {i}" for i in range(9)], cells)
    assert (
        status == 1
        and text.startswith("Inputs differ")
        and "2.00 % (median), 50.00 % at most (b)" in text
    )
    assert "and 3 more" in text and "package 6" not in text
    assert same.verdict(False, [], cells)[0] == 2


def test_before():
    """before a run, same.py says whether packages have changed"""
    assert same.before(MANIFEST, {"zstd": "1", "fio": "3"})[0] == 0
    status, text = same.before(MANIFEST, {"zstd": "2", "fio": "3"})
    assert status == 1 and "packages" not in text.splitlines()[0] and "zstd: 1 -> 2" in text


# ---- counts ----


def leave_tap(tap: Path, *results: tuple[str, int, int, str]):
    """as tests/exec leaves it: a test's name, exit status, seconds and output"""
    for name, status, seconds, output in results:
        (tap / name).write_text(output)
        (tap / f"{name}.end").write_text(f"{status} {seconds}\n")


def test_counts():
    """results of tests are counted by kind, and a test that dies or fails has failed"""
    with tempfile.TemporaryDirectory() as folder:
        tap = Path(folder)
        leave_tap(
            tap,
            ("stable-a", 0, 5, "1..2\nok 1 - x\nok 2 # SKIP no reason\n"),
            ("stable-b", 1, 9, "1..3\nok 1 - x\nnot ok 2 - y\nnot ok 3 - z\nokay\n"),
            ("stable-c", 126, 7, "1..1\nok 1 - the log isn't clean\n"),
            ("stable-debug-d", 1, 70, "not ok 1\n"),
        )
        found = counts.count(tap, "stable", "abc")
        assert {name: (r["passed"], r["failed"], r["skipped"]) for name, r in found.items()} == {
            "a": (1, 0, 1),
            "b": (1, 2, 0),
            "c": (1, 1, 0),
        }, found
        assert found["b"]["seconds"] == 9 and found["b"]["revision"] == "abc"
        assert counts.count(tap, "stable-debug", "abc")["d"]["failed"] == 1


def test_counts_of_a_part():
    """a run of some tests replaces their results in those of a whole run"""
    with tempfile.TemporaryDirectory() as folder:
        counts.RECORDED = Path(folder, "recorded.json")
        tap = Path(folder, "tap")
        tap.mkdir()
        leave_tap(tap, ("unit-a", 1, 5, "1..1\nnot ok 1\n"))
        counts.record(str(tap), "unit", "", "abc", "part")
        assert not counts.RECORDED.exists()
        counts.write(counts.RECORDED, {"runs": {"unit": {"tests": 4, "passed": 9}}})
        counts.record(str(tap), "unit", "", "abc", "part")
        assert "results" not in counts.read(counts.RECORDED)["runs"]["unit"]
        leave_tap(tap, ("unit-b", 0, 5, "1..1\nok 1\n"))
        counts.record(str(tap), "unit", "", "abc", "whole")
        (tap / "unit-b.end").unlink()
        leave_tap(tap, ("unit-a", 0, 6, "1..1\nok 1\n"))
        counts.record(str(tap), "unit", "", "def", "part")
        results = counts.read(counts.RECORDED)["runs"]["unit"]["results"]
        assert [(r["passed"], r["failed"], r["revision"]) for r in results.values()] == [
            (1, 0, "def"),
            (1, 0, "abc"),
        ], results


def test_counts_text():
    """a run's text names its failures and the kernel; output of fuzz and mutants is counted, too"""
    result = {"passed": 4, "failed": 0, "skipped": 0, "seconds": 10, "revision": "abc"}
    run = {
        "results": {
            "rings": result,
            "uapi": result | {"passed": 1, "failed": 1, "seconds": 80, "revision": "abd"},
        },
        "kernel": "6.12.1-1",
    }
    text = counts.parts({"runs": {"stable-debug": run}})["counts"]
    assert (
        "| debug kernel of 6.12 (6.12.1-1) | 2 | 5 | 1 | 0 | 2 | abc, abd |" in text
        and "`uapi` (80 s)" in text
    )
    assert "Failed, debug kernel of 6.12 (6.12.1-1): `uapi`." in text
    with tempfile.TemporaryDirectory() as folder:
        tap = Path(folder, "t")
        tap.write_text(
            "# seed 7\n# round 0: 10 steps, 5 a second; 1 s of 9\n# round 1: 20 steps, 5 a second; 2 s of 9\nok 1 - seed 7\n"
        )
        assert counts.count_fuzz(tap) == {"seed": "7", "rounds": 2, "steps": 30, "failed": 0}
        tap.write_text("ok - a: t sees it\nnot ok - b: t doesn't see it\n# 600 s\n")
        assert counts.count_mutants(tap) == {"seen": 1, "survived": ["b"], "seconds": 600}


# ---- what is committed ----


def test_generated():
    """README.md and docs/reliability.md say what the committed results and counts say"""
    text = (TOP / "README.md").read_text()
    assert (
        marked.replaced(text, summary.parts(committed("compare"), committed("untouched"))) == text
    )
    text = (TOP / "docs" / "reliability.md").read_text()
    assert marked.replaced(text, counts.parts(counts.read(counts.COMMITTED))) == text


def committed(name: str) -> dict:
    return json.loads((RESULTS / name / "backports" / "results.json").read_text())


def test_claims():
    """the README's text is refused where figures don't support it"""
    results, replicates = committed("compare"), committed("untouched")
    summary.parts(results, replicates)
    dear = copy.deepcopy(replicates)
    values = dear["rows"]["ubdx-null-map-untouched"]["cells"][CELL]
    values["against_ublk_best"] = 500.0
    values["against_ublk_best_p_holm"] = 0.001
    assert "significantly more" in raises(summary.Claim, summary.parts, results, dear)
    sized = copy.deepcopy(replicates)
    sized["rows"]["ubdx-null-user-untouched"]["cells"]["randread.32.512k"]["above_floor"] = 9000.0
    assert "at any size" in raises(summary.Claim, summary.parts, results, sized)
    worse = copy.deepcopy(results)
    worse["rows"]["ubdx-null-map-header"]["cells"]["randwrite.32.4k"]["above_floor"] = 0.0
    assert "header" in raises(summary.Claim, summary.parts, worse, replicates)


def test_significance_is_counted():
    """the README counts a cell as lower only if that is significant after correction"""
    results, replicates = committed("compare"), committed("untouched")
    cells = [
        row["cells"][c]
        for name, row in replicates["rows"].items()
        if measure.is_untouched(name)
        for c in row["cells"]
        if c.split(".")[1] == "32"
    ]
    sure = [c["against_ublk_best"] for c in cells if c["against_ublk_best_p_holm"] < 0.05]
    low, high = sum(d < 0 for d in sure), sum(d > 0 for d in sure)
    text = summary.Figures(results, replicates).against_best(32)
    assert (
        f"lower in {low} and higher in {high} of {len(cells)} cells" in text
        and f"for {replicates['comparisons']['ublk_best']} comparisons" in text
    )
    for values in cells:
        values["against_ublk_best_p_holm"] = 0.05
    assert "no cell differs" in summary.Figures(results, replicates).against_best(32)


def test_named_tests():
    """each test that docs/reliability.md names is there"""
    text = (TOP / "docs" / "reliability.md").read_text()
    table = text.split("## What is tested")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")]
    names = [name for line in rows for name in re.findall("`([^`]+)`", line.split("|")[2])]
    assert len(names) > 15, names
    for name in names:
        if name.startswith("make "):
            assert f"\n{name[5:]}: " in (TOP / "Makefile").read_text(), name
        else:
            kind, _, test = name.rpartition(":")
            assert (TOP / "tests" / (kind or "guest") / f"{test}.t").exists(), name


def unpacked(folder: Path, into: Path) -> list[Path]:
    raws = []
    for raw in sorted(folder.glob("raw/*.tar.xz")):
        with tarfile.open(raw) as archive:
            archive.extractall(into / raw.name.split(".")[0], filter="data")
        raws.append(into / raw.name.split(".")[0])
    return raws


def again(reporter, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as work:
        raws = unpacked(folder, Path(work))
        assert raws, f"{folder} has no raw data"
        out = Path(work) / "out"
        arguments, sys.argv = sys.argv, ["report.py", "--out", str(out), *map(str, raws)]
        try:
            reporter.main()
        finally:
            sys.argv = arguments
        for name in ("results.json", "table.txt", "table.csv"):
            assert (out / name).read_bytes() == (
                folder / name
            ).read_bytes(), f"{folder.name}: {name} differs"
        figures = {path.stem for path in out.glob("*.svg")}
        assert figures and figures == {path.stem for path in folder.glob("*.svg")}, figures


def test_compare_again():
    """the committed comparison is what report.py makes of the committed raw data"""
    again(report, RESULTS / "compare" / "backports")


def test_untouched_again():
    """the committed replicates are what report.py makes of their raw data"""
    again(report, RESULTS / "untouched" / "backports")
    again(report, RESULTS / "forwarded" / "backports")
    again(report, RESULTS / "resolvers" / "backports")


def test_stages_again():
    """the committed stages are what report.py makes of their raw data"""
    mine = {name: sys.modules.pop(name) for name in ("figure", "report")}
    path, sys.path[:] = sys.path[:], [str(TOP / "experiments" / "stages"), *sys.path]
    try:
        again(load(TOP / "experiments" / "stages" / "report.py"), RESULTS / "stages" / "backports")
    finally:
        sys.path[:] = path
        sys.modules.update(mine)


def test_figures():
    """each figure is there as SVG, PNG and PDF, and the PDF has TrueType fonts in it"""
    vectors = list(RESULTS.glob("[csu]*/*/*.svg"))
    assert vectors
    for path in vectors:
        assert path.with_suffix(".png").exists(), path
        data = path.with_suffix(".pdf").read_bytes()
        assert b"/FontFile2" in data and b"/Type3" not in data, path


def test_no_empty_panel():
    """no figure has a panel without data"""
    figure = load(TOP / "experiments" / "compare" / "figure.py")
    for name in ("compare", "untouched"):
        seen = []
        figure.save_figure = lambda page, path, seen=seen: seen.append(
            (
                path.name,
                [len(axes.lines) for axes in page.axes if axes.axison],
                page.get_size_inches()[0],
            )
        )
        figure.draw(committed(name), Path("."))
        assert seen, name
        for which, lines, width in seen:
            assert lines and min(lines) > 3 and width == 3.3, (which, lines, width)


def test_marked():
    """marked parts of a document are replaced, and must be there once"""
    text = "a\n<!-- x: make y -->\nold\n<!-- end of x -->\nb\n"
    assert marked.replaced(text, {"x": "new\n"}) == text.replace("old", "new")
    raises(ValueError, marked.replaced, text, {"z": ""})
    assert max(map(len, marked.wrapped("word " * 99, "  ").splitlines())) <= 100


def main() -> int:
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")]
    print(f"1..{len(tests)}")
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        output = io.StringIO()
        try:
            test()
        except Exception:  # noqa: BLE001
            traceback.print_exc(file=output)
            failed += 1
        print(f"{'not ok' if output.getvalue() else 'ok'} {number} - {test.__doc__}")
        print("".join(f"# {line}\n" for line in output.getvalue().splitlines()), end="", flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
