"""Numbers of real Keras (on JAX) for images.

    python tests/parity/make_image_fixtures.py [ops] [layers] [boxes]

Writes image_ops.npz, the result of every case in image_op_cases.py, and image_layers.npz and .json: for each
case in image_layer_cases.py the config, a transformation that the layer drew, and what it makes of the data;
image_boxes.npz, the results of box_cases.py.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.parity import packed  # noqa: E402
from tests.parity.box_cases import box_cases  # noqa: E402
from tests.parity.image_layer_cases import CASES, CONFIGS, ImageCase  # noqa: E402
from tests.parity.image_op_cases import cases, inputs  # noqa: E402


def make_ops() -> None:
    from keras import ops, tree

    arrays, found = inputs(), {}
    for name, case in cases().items():
        try:
            found[name] = [np.asarray(leaf) for leaf in tree.flatten(case(ops, arrays))]
        except Exception as error:
            print(f"left out: {name}: {type(error).__name__} {str(error).splitlines()[0][:90]}")
    packed.save(HERE / "image_ops.npz", found)
    print(len(found), "results")


def applied(layer: Any, case: ImageCase) -> dict[str, Any]:
    """The transformation that a layer draws for the data, and the parts of the data after it."""
    data = case.data()
    drawn = layer.get_random_transformation(data if not_gray(case) else data["images"], training=True)
    single = "single_" if case.single else ""
    methods = {
        "images": f"transform_{single or ''}image{'' if case.single else 's'}",
        "labels": "transform_labels",
        "bounding_boxes": "transform_bounding_boxes",
        "segmentation_masks": "transform_segmentation_masks",
    }
    import jax.numpy as jnp
    from keras import tree

    found = {}
    for name, value in tree.map_structure(jnp.asarray, data).items():
        found[name] = getattr(layer, methods[name])(value, transformation=drawn, training=True)
    inference = layer(tree.map_structure(jnp.asarray, data["images"]), training=False)
    return {"transformation": drawn, "training": found, "inference": inference}


def not_gray(case: ImageCase) -> bool:
    return case.layer != "RandomGrayscale"  # it takes images only


def make_layers() -> None:
    import random

    import keras

    described: dict[str, Any] = {}
    arrays: dict[str, list[np.ndarray]] = {}
    for case in [*CASES, *CONFIGS]:
        keras.utils.clear_session()
        random.seed(5)
        layer = getattr(keras.layers, case.layer)(**case.arguments())
        described[case.name] = {"config": json.loads(json.dumps(layer.get_config()))}
        if case in CONFIGS:
            continue
        try:
            results = applied(layer, case)
        except Exception as error:
            print(f"left out: {case.name}: {type(error).__name__} {str(error).splitlines()[0][:90]}")
            continue
        arrays[case.name] = []
        described[case.name]["results"] = packed.taken_apart(results, arrays[case.name])
    packed.save(HERE / "image_layers.npz", arrays)
    (HERE / "image_layers.json").write_text(json.dumps(described, indent=0, sort_keys=True))
    print(len(arrays), "layers")


def make_boxes() -> None:
    from keras.utils import bounding_boxes

    found = {
        name: [np.asarray(case(bounding_boxes))] if not isinstance(case(bounding_boxes), dict)
        else [np.asarray(v) for _, v in sorted(case(bounding_boxes).items())]
        for name, case in box_cases().items()
    }  # fmt: skip
    packed.save(HERE / "image_boxes.npz", found)
    print(len(found), "results of bounding boxes")


def main() -> None:
    wanted = sys.argv[1:] or ["ops", "layers", "boxes"]
    if "ops" in wanted:
        make_ops()
    if "layers" in wanted:
        make_layers()
    if "boxes" in wanted:
        make_boxes()


if __name__ == "__main__":
    main()
