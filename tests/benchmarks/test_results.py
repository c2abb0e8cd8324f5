"""Series, paired ratios, and a round trip through the file."""

from __future__ import annotations

import pytest

from benchmarks.results import Results, Series, merged, ratio


def series(contender="a", values=(1.0,), variant="", task="t", measure="train"):
    return Series(task, measure, contender, variant, tuple(values))


def results(*rows):
    return Results({"cpu": "c", "system": "s"}, 2, "today", series=list(rows))


def test_ratio_pairs_rounds():
    # The machine was ten times slower in the second round: the ratio of medians would be 1.
    ours, theirs = series("a", (1, 20, 3)), series("b", (2, 40, 2))
    assert ratio(ours, theirs).median == 0.5


def test_ratio_uses_the_rounds_that_both_ran():
    assert ratio(series("a", (1, 1, 1, 100)), series("b", (2, 2, 2))).high == 0.5


def test_quartiles():
    found = ratio(series("a", (1, 2, 3, 4, 5)), series("b", (1, 1, 1, 1, 1)))
    assert (found.low, found.median, found.high) == (2, 3, 4)


def test_fastest_is_the_lowest_median_of_all_variants():
    found = results(
        series("a", (3, 1, 3)), series("b", (2, 2, 9), "slow"), series("b", (1.5, 1.5, 9), "quick")
    )
    assert found.fastest("t", "train").variant == "quick"
    assert found.fastest("t", "train", ["a"]).contender == "a"
    assert found.fastest("t", "predict") is None
    assert found.names("t", "train") == ["a", "b"]


def test_file_round_trip(tmp_path):
    before = results(series("a", (1.5, 2.5)))
    before.failed["x"] = "why"
    before.save(tmp_path / "deep" / "r.json")
    assert Results.load(tmp_path / "deep" / "r.json") == before


def test_peak_only_rises():
    found = results()
    found.raise_peak({"gflops": 100.0, "gbytes": 50.0})
    found.raise_peak({"gflops": 90.0, "gbytes": 60.0})
    assert found.peak == {"gflops": 100.0, "gbytes": 60.0}


def test_disturbance_is_the_median_over_all_blocks():
    assert results(series()).disturbance() == 0
    rows = [
        Series("t", "train", "a", "", (1.0,) * 3, others) for others in [(0.1, 0.2, 0.9), (0.2, 0.2, 0.3)]
    ]
    assert results(*rows).disturbance() == 0.2


def test_merging_replaces_whole_rows_by_later_ones():
    early = results(series("a", (1.0,)), series("b", (1.0,)), series("a", (7.0,), measure="call"))
    late = results(series("a", (2.0,)))
    early.raise_peak({"gflops": 9.0})
    late.date = "tomorrow"
    found = merged([early, late])
    assert [(one.contender, one.measure, one.values) for one in found.series] == [
        ("a", "call", (7.0,)),
        ("a", "train", (2.0,)),
    ]
    assert found.peak == {"gflops": 9.0} and found.date == "tomorrow"
    assert len(early.series) == 3


def test_runs_of_two_machines_are_not_merged():
    other = results()
    other.machine = {"cpu": "another"}
    with pytest.raises(ValueError, match="different machines"):
        merged([results(), other])


@pytest.mark.parametrize("values", [(2.0,), (1.0, 2.0, 9.0), (1.0, 3.0)])
def test_median(values):
    assert series(values=values).median == 2.0
