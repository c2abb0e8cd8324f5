"""From an ONNX graph to a checked file; beyond 2 GB the weights lie in a second file beside it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import kcompile
from kcompile.core.errors import CompileError, message
from kcompile.core.files import replaceable, replacing, sync_folder, telling
from kcompile.export.onnx import schema
from kcompile.export.onnx.graph import OnnxGraph, version_of

LIMIT = 2**31 - 2**20  # bytes of constants in one file: protobuf's limit less room for the rest
MODEL_VERSION = 1  # of what a model is; the file counts no versions of one model
INLINE = 256  # smaller constants stay in the model: shape inference must be able to read them
ALIGNMENT = 4096  # of each array in the second file, so that runtimes can map it


def model_proto(
    graph: OnnxGraph, name: str, opset: int, constants: list[Any], properties: dict[str, str] | None = None
) -> Any:
    """The whole model as ONNX stores it."""
    import onnx

    helper = onnx.helper
    made = schema.graph_proto(graph, name, constants)
    imports = [helper.make_opsetid(domain, version_of(domain, opset)) for domain in graph.domains()]
    model = helper.make_model(
        made,
        opset_imports=imports,
        ir_version=min(helper.find_min_ir_version_for(imports), onnx.IR_VERSION),
        producer_name="kcompile",
        producer_version=kcompile.__version__,
        model_version=MODEL_VERSION,
        doc_string=graph.notes.get("", ""),
    )
    props = {"name": name, "framework": f"kcompile {kcompile.__version__}"}
    helper.set_model_props(model, props | (properties or {}))
    return model


def write(
    graph: OnnxGraph,
    path: str | os.PathLike[str],
    name: str,
    opset: int,
    external_data: bool = False,
    properties: dict[str, str] | None = None,
) -> None:
    """Check the model and write it; an old file stays if anything fails.

    Args:    external_data: put the weights in a second file, `<path>.data`, even if one file could hold them;
             without weights of some size there is none.
             properties: texts that go into the file's metadata.
    Raises:  CompileError if ONNX's checker finds a fault, which is one of kcompile.
    """
    arrays = graph.constants | graph.defaults
    large = any(array.nbytes >= INLINE for array in arrays.values())
    if (external_data and large) or sum(array.nbytes for array in arrays.values()) > LIMIT:
        _write_with_data(graph, replaceable(path), name, opset, properties)
        return
    constants = [schema.tensor_proto(n, array) for n, array in arrays.items()]
    model = model_proto(graph, name, opset, constants, properties)
    check(model)
    before = _data_of(replaceable(path))
    with replacing(path) as file:
        file.write(model.SerializeToString())
    if before is not None:
        before.unlink(missing_ok=True)


def _data_of(target: Path) -> Path | None:
    """The second file of the model that is replaced, if it has one; other files of its name are not ours."""
    import onnx

    data = target.with_name(f"{target.name}.data")
    if not data.is_file() or not target.is_file():
        return None
    try:
        graph = onnx.load(target, load_external_data=False).graph
    except Exception:  # what cannot be read names no second file
        return None
    entries = (entry for tensor in graph.initializer for entry in tensor.external_data)
    named = any(entry.key == "location" and entry.value == data.name for entry in entries)
    return data if named else None


def check(model: Any) -> None:
    """ONNX's checker with full shape inference, on a model or on a file."""
    import onnx

    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise CompileError(
            message("The exported model does not pass ONNX's checker.", received=str(error))
        ) from error


def _write_with_data(
    graph: OnnxGraph, target: Path, name: str, opset: int, properties: dict[str, str] | None
) -> None:
    """Both files are made and checked in a folder of their own, then moved to their names."""
    data = f"{target.name}.data"
    with (
        telling(target),
        tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder,
    ):
        constants = _write_data(graph.constants | graph.defaults, Path(folder) / data)
        with replacing(Path(folder) / target.name) as file:
            model = model_proto(graph, name, opset, constants, properties)
            file.write(model.SerializeToString())
        check(str(Path(folder) / target.name))
        os.replace(Path(folder) / data, target.parent / data)
        os.replace(Path(folder) / target.name, target)
    sync_folder(target.parent)


def _write_data(constants: dict[str, np.ndarray], path: Path) -> list[Any]:
    """Arrays one after the other; returns the records that say where each lies, or hold a small one."""
    import onnx

    records = []
    with replacing(path) as file:
        for name, array in constants.items():
            if array.nbytes < INLINE:
                records.append(schema.tensor_proto(name, array))
                continue
            file.seek(-file.tell() % ALIGNMENT, os.SEEK_CUR)
            record = onnx.TensorProto(name=name, dims=array.shape, data_location=onnx.TensorProto.EXTERNAL)
            record.data_type = schema.element_type(array.dtype.name)
            entries = {"location": path.name, "offset": str(file.tell()), "length": str(array.nbytes)}
            for key, value in entries.items():
                record.external_data.add(key=key, value=value)
            file.write(np.ascontiguousarray(array).view(np.uint8).data)  # not all dtypes are known as buffers
            records.append(record)
    return records
