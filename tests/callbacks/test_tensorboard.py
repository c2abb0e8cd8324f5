"""Event files: what real Keras writes, read by the protobuf library; framing, images, embeddings, errors."""

from __future__ import annotations

import io
import json
import struct
import zlib

import numpy as np
import pytest

import kcompile as keras
from kcompile.callbacks import event_file
from kcompile.callbacks.tensorboard import TensorBoard, as_images
from tests.parity import event_decoder, fixtures
from tests.parity.block_cases import tensorboard as cases


def decode_png(data):
    """(h, w, channels) of a PNG whose rows have no filter."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    file, chunks = io.BytesIO(data[8:]), {}
    while name := file.read(8):
        length, kind = struct.unpack(">I4s", name)
        body = file.read(length)
        assert struct.unpack(">I", file.read(4))[0] == zlib.crc32(kind + body)
        chunks[kind] = body
    width, height, bits, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert bits == 8 and rest == [0, 0, 0] and chunks[b"IEND"] == b""
    channels = {0: 1, 2: 3, 6: 4}[colour]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + width * channels)
    assert (rows[:, 0] == 0).all()
    return rows[:, 1:].reshape(height, width, channels)


def order(summary):
    return summary["run"], summary["step"], summary["tag"]


def compare(summary, wanted, expected):
    assert {k: summary[k] for k in wanted if k not in ("size", "content")} == {
        k: v for k, v in wanted.items() if k not in ("size", "content")
    }
    assert summary["content"].decode() == wanted["content"]
    value = summary["value"]
    if summary["plugin"] == "images":
        assert [int(part) for part in value[:2]] == wanted["size"]
        np.testing.assert_array_equal(np.stack([decode_png(one) for one in value[2:]]), expected)
    elif "per_second" in summary["tag"]:
        assert value.shape == () and value > 0
    elif isinstance(value, np.ndarray):
        assert value.dtype == expected.dtype
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-6)
    else:
        assert json.loads(value[0])["class_name"] == "Sequential"


@pytest.mark.parametrize("name", cases.CASES)
def test_summaries_are_those_of_keras(name, tmp_path):
    cases.CASES[name](keras, str(tmp_path))
    text, numbers = fixtures.block_texts("tensorboard")[name], fixtures.block_arrays("tensorboard")
    theirs = [(s, numbers.get(f"{text['number']} {k}")) for k, s in enumerate(text["summaries"])]
    found = sorted(event_decoder.read(str(tmp_path)), key=order)
    theirs.sort(key=lambda pair: order(pair[0]))
    assert [order(s) for s in found] == [order(s) for s, _ in theirs]
    for summary, (wanted, expected) in zip(found, theirs, strict=True):
        compare(summary, wanted, expected)


def test_the_checksum():
    assert event_decoder.crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C
    for data in (b"", b"a", bytes(range(256))):
        assert event_file.masked_crc(data) == event_decoder.mask(event_decoder.crc32c(data))


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**31, 2**63 - 1, -1])
def test_numbers_of_any_size(number):
    event = event_decoder.event_class().FromString(event_file.field(2, number))
    assert event.step == number


def test_histograms():
    def rows(values):
        summary = event_decoder.event_class().FromString(
            event_file.field(5, event_file.histogram("h", values))
        )
        return event_decoder.tensor_of(summary.summary.value[0].tensor)

    spread = rows(np.arange(60.0))
    assert spread.shape == (30, 3) and (spread[:, 2] == 2).all() and spread[0, 0] == 0 and spread[-1, 1] == 59
    assert rows(np.full(5, 2.0))[-1].tolist() == [2, 2, 5] and rows(np.full(5, 2.0))[:, 2].sum() == 5
    assert (rows(np.zeros(0)) == 0).all()
    assert rows(np.array([0.0, 1.0, np.nan, np.inf]))[:, 2].sum() == 2


def test_images_of_weights():
    assert as_images(np.ones(5)).shape == (1, 5, 1, 1)
    assert as_images(np.ones((7, 3))).shape == (1, 3, 7, 1)
    assert as_images(np.ones((2, 3, 5))).shape == (5, 2, 3, 1)
    assert as_images(np.ones((3, 3, 2, 4))).shape == (3, 3, 2, 4)
    assert as_images(np.ones((3, 3, 2, 5))) is None and as_images(np.float32(1)) is None


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels)).astype(np.uint8)
    np.testing.assert_array_equal(decode_png(event_file.png(pixels)), pixels)


def words(**settings):
    layers = keras.layers
    stack = [keras.Input((3,), dtype="int32"), layers.Embedding(5, 2, name="words"), layers.Flatten()]
    model = keras.Sequential([*stack, layers.Dense(1)])
    model.compile("sgd", "mse", **settings)
    return model


def test_embeddings(tmp_path):
    x, y = np.zeros((4, 3), "int32"), np.zeros((4, 1), "float32")
    logger = TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"words": 'a "b".tsv'})
    words().fit(x, y, verbose=0, epochs=2, callbacks=[logger])
    assert (tmp_path / "projector_config.pbtxt").read_text() == (
        'embeddings {\n  tensor_name: "layer_with_weights-0/embeddings/.ATTRIBUTES/VARIABLE_VALUE"\n'
        '  metadata_path: "a \\"b\\".tsv"\n}\n'
    )
    saved = sorted(path.name for path in (tmp_path / "train").glob("*.h5"))
    assert saved == ["keras_embedding.ckpt-0.weights.h5", "keras_embedding.ckpt-1.weights.h5"]
    with pytest.raises(ValueError, match=r"Unrecognized `Embedding` layer names.*\['other'\]"):
        TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"other": "x"}).set_model(words())


def test_rates_of_several_optimizers(tmp_path):
    o = keras.optimizers
    several = o.MultiOptimizer(o.OptimizerMap(o.SGD(0.5, name="a"), {".*bias": o.SGD(0.25, name="b")}))
    x, y = np.zeros((4, 3), "int32"), np.zeros((4, 1), "float32")
    model = words()
    model.compile(several, "mse")
    model.fit(x, y, verbose=0, callbacks=[TensorBoard(tmp_path)])
    found = {s["tag"]: float(s["value"]) for s in event_decoder.read(str(tmp_path)) if "rate" in s["tag"]}
    assert found == {"epoch_learning_rate_a": 0.5, "epoch_learning_rate_b": 0.25}


def test_profiles_are_not_available(tmp_path):
    with pytest.warns(UserWarning, match=r"profile_batch has no effect; model.explain\(\)"):
        TensorBoard(tmp_path, profile_batch=(2, 3))


def test_nothing_is_written_before_it_is_needed(tmp_path):
    TensorBoard(tmp_path / "logs", write_graph=False).set_model(words())
    assert not (tmp_path / "logs").exists()
