"""`ExportArchive`: the name is there, to say what to use in its place."""

from __future__ import annotations

from kcompile.core.errors import message


class ExportArchive:
    """Keras's writer of TensorFlow's SavedModel files, which need TensorFlow.

    Raises:  RuntimeError always, as Keras does without TensorFlow.
    """

    def __init__(self) -> None:
        raise RuntimeError(
            message(
                "The export API with ExportArchive writes TensorFlow's SavedModel, which needs TensorFlow.",
                hint="`model.export('model.onnx', format='onnx')` writes a file that many runtimes read",
            )
        )
