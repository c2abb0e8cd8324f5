"""The comparison of exporters: what is counted, how cases are ranked, and a run of our own exporter."""

from __future__ import annotations

import json

import numpy as np
import onnx
from onnx import helper

from benchmarks.__main__ import main, parse
from benchmarks.exports import cases, files, report, run
from benchmarks.exports.compare import Comparison, File
from benchmarks.exports.exporters import EXPORTERS


def test_every_case_has_a_name_and_builds_the_same_twice():
    import kcompile

    assert len(set(cases.NAMES)) == len(cases.NAMES) > 300
    first, second = (cases.build(kcompile, "model digits") for _ in range(2))
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_nodes_of_bodies_count_and_constants_do_not(tmp_path):
    def info(name):
        return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2])

    body = helper.make_graph([helper.make_node("Neg", ["s"], ["t"])], "body", [info("s")], [info("t")])
    nodes = [
        helper.make_node("Constant", [], ["c"], value=onnx.numpy_helper.from_array(np.zeros(2, "float32"))),
        helper.make_node("Scan", ["c"], ["y"], body=body, num_scan_inputs=1),
    ]
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [], [info("y")])), path)
    assert files.nodes(path) == 2
    assert files.size(path) == path.stat().st_size
    path.with_name("m.onnx.data").write_bytes(b"12345")
    assert files.size(path) == path.stat().st_size + 5


def compared(case, ours, **theirs):
    made = Comparison(case, {"kcompile": ours, **theirs})
    return made


def test_ratios_and_goals(capsys):
    rows = [
        compared("good", File(nodes=2, microseconds=1.0), a=File(nodes=4, microseconds=2.0), b=File("no")),
        compared("large", File(nodes=6, microseconds=5.0), a=File(nodes=4, microseconds=2.0), b=File("no")),
        compared("lost", File("no operator"), a=File("no"), b=File(nodes=3, microseconds=1.0)),
        compared("alone", File(nodes=3), a=File("no"), b=File("no")),
    ]
    assert [one.lacks for one in rows] == [False, False, True, False]
    wrong = compared("wrong", File(nodes=9, microseconds=1.0), a=File(nodes=1, difference=0.5))
    assert wrong.ratio("nodes") == 0  # a file that computes something else is no measure
    assert [one.ratio("nodes") for one in rows] == [0.5, 1.5, 0.0, 0.0]
    lines = report.summary(rows)
    assert "kcompile: 3 of 4 files run" in lines
    assert "written by another and not by us: 1 (lost)" in lines
    assert "larger than another's: 1 (large)" in lines
    report.print_report(rows, console_of_lines())
    shown = capsys.readouterr().out
    assert shown.index("lost") < shown.index("large") < shown.index("good")


def console_of_lines():
    from rich.console import Console

    return Console(width=160)


def test_differences_of_results():
    a, b = [np.array([1.0, 2.0])], [np.array([1.0, 2.5])]
    assert files.apart(a, a) == 0
    assert files.apart(a, b) == 0.2
    assert files.apart(a, [np.zeros(3)]) == float("inf")


def test_the_cases_that_are_asked_for():
    assert run.chosen(None) == cases.NAMES
    assert run.chosen(["digits", "ELU"]) == [
        "model digits",
        *(n for n in cases.NAMES if n.startswith("layer ELU(")),
    ]
    assert parse(["export", "--only", "digits,ELU", "--peers", "tf2onnx"]).only == ["digits", "ELU"]
    assert set(EXPORTERS) == {"kcompile", "keras-tensorflow", "tf2onnx", "keras-torch"}


def test_a_run_of_our_own_exporter(tmp_path, capsys):
    """Peers that are not installed are left out; one case that cannot be built does not stop the rest."""
    threads = ["--threads", "1", "--peers", "tf2onnx"]
    assert main(["export", "--only", "digits,ELU", "--out", str(tmp_path), *threads]) == 0
    (path,) = tmp_path.glob("export-*.json")
    told = json.loads(path.read_text())
    ours = {one["case"]: one["files"]["kcompile"] for one in told["cases"]}
    assert ours["model digits"]["nodes"] == 4 and ours["model digits"]["microseconds"] > 0
    assert all(not one["error"] and one["batch"] is None for one in ours.values())
    assert "kcompile: 2 of 2 files run" in capsys.readouterr().out
