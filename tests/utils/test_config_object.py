"""`keras.utils.Config`, `normalize` and the namespaces of ops."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras


def test_values():
    config = keras.utils.Config(rate=0.1)
    config.seed, config["b"] = 1, 2
    assert (config.seed, config.get("none", 5), config.pop("b")) == (1, 5, 2)
    config.update({"z": 1}, y=2)
    assert config.as_dict() == {"rate": 0.1, "seed": 1, "z": 1, "y": 2}
    assert list(config) == ["rate", "seed", "y", "z"]
    assert (len(config), "z" in config, next(iter(config.keys()))) == (4, True, "rate")
    del config["z"]
    assert config.to_json() == '{"rate": 0.1, "seed": 1, "y": 2}'
    assert repr(config) == "<Config {'rate': 0.1, 'seed': 1, 'y': 2}>"
    assert (list(config.values()), dict(config.items())["y"]) == ([0.1, 1, 2], 2)


def test_frozen():
    config = keras.utils.Config(rate=0.1)
    config.freeze()
    assert config.frozen
    for change in (
        lambda: setattr(config, "a", 1),
        lambda: config.__setitem__("a", 1),
        lambda: config.pop("rate"),
        lambda: config.update(a=1),
        lambda: config.__delitem__("rate"),
    ):
        with pytest.raises(ValueError, match="the config is frozen"):
            change()
    config.unfreeze()
    config.a = 1
    with pytest.raises(AttributeError, match=r"Unknown attribute: 'rates'. Did you mean 'rate'\?"):
        _ = config.rates


def test_normalize():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(keras.utils.normalize(x), [[0.6, 0.8], [0, 0]])
    np.testing.assert_allclose(keras.utils.normalize(x, axis=0, order=1), [[1, 1], [0, 0]])
    y = keras.utils.normalize(keras.Input((2,)))
    assert y.shape == (None, 2)


def test_dtypes_and_placeholders():
    assert keras.utils.standardize_dtype("int") == "int32"
    assert keras.utils.is_keras_tensor(keras.Input((2,)))
    assert keras.utils.get_registered_object("nobody>Nothing") is None


@pytest.mark.parametrize("name", ["numpy", "nn", "linalg"])
def test_namespaces_of_ops(name):
    module = getattr(keras.ops, name)
    names = dir(module)
    assert len(names) > 10
    for op in names:
        assert getattr(module, op) is getattr(keras.ops, op)
    with pytest.raises(AttributeError, match="no_such_op"):
        _ = module.no_such_op
