"""SwapEMAWeights and RemoteMonitor."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse

import numpy as np
import pytest

import kcompile as keras
from kcompile.callbacks import Callback, RemoteMonitor, SwapEMAWeights

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(16, 3)).astype("float32"), RNG.normal(size=(16, 1)).astype("float32")


def model_of(optimizer):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.set_weights([np.full(w.shape, 0.5, "float32") for w in model.get_weights()])
    model.compile(optimizer, "mse")
    return model


def average_of(model, optimizer=None):
    optimizer = optimizer or model.optimizer
    return [v.numpy() for v in optimizer.variables if v.name.endswith("_average")]


def ema(**settings):
    return keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5, **settings)


class Watch(Callback):
    """Keeps the weights that an evaluation and the ends of epochs see."""

    def __init__(self):
        super().__init__()
        self.seen = {}

    def on_test_begin(self, logs=None):
        self.seen["test"] = self.model.get_weights()

    def on_test_end(self, logs=None):
        self.seen["after test"] = self.model.get_weights()

    def on_epoch_end(self, epoch, logs=None):
        self.seen[f"epoch {epoch}"] = self.model.get_weights()

    def on_train_batch_begin(self, batch, logs=None):
        self.seen[f"batch {batch}"] = self.model.get_weights()


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("wrap", [False, True])
def test_evaluations_see_the_averages(wrap):
    inner = ema()
    model = model_of(keras.optimizers.LossScaleOptimizer(inner) if wrap else inner)
    plain = model_of(keras.optimizers.SGD(0.1))
    for one in (model, plain):
        one.train_on_batch(X, Y)
        one.train_on_batch(X, Y)
    averages, weights, watch = average_of(model), model.get_weights(), Watch()
    assert not same(averages, weights)
    value = model.evaluate(X, Y, verbose=0, callbacks=[SwapEMAWeights(), watch])
    assert same(watch.seen["test"], averages) and same(watch.seen["after test"], weights)
    assert same(model.get_weights(), weights) and same(average_of(model), averages)
    plain.set_weights(averages)
    assert value == pytest.approx(plain.evaluate(X, Y, verbose=0), rel=1e-6)


def test_predictions_see_the_averages_and_leave_the_weights():
    model = model_of(ema())
    model.train_on_batch(X, Y)
    model.train_on_batch(X, Y)
    weights, averages = model.get_weights(), average_of(model)
    found = model.predict(X, batch_size=4, verbose=0, callbacks=[SwapEMAWeights()])
    np.testing.assert_allclose(found, X @ averages[0] + averages[1], rtol=1e-5)
    assert same(model.get_weights(), weights)


def test_epochs_end_with_the_averages_in_the_model():
    """The last state is that of a training without the swap, whose end copies the averages."""
    settings = {"batch_size": 4, "epochs": 3, "verbose": 0, "shuffle": False}
    model, plain, watch = model_of(ema()), model_of(ema()), Watch()
    model.fit(X, Y, callbacks=[SwapEMAWeights(swap_on_epoch=True), watch], **settings)
    plain.fit(X, Y, **settings)
    for a, b in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert same(watch.seen["epoch 2"], model.get_weights())
    one = model_of(ema())
    one.fit(X, Y, **{**settings, "epochs": 1})
    assert same(watch.seen["epoch 0"], one.get_weights())


def test_only_optimizers_with_averages_swap():
    o = keras.optimizers
    for optimizer, text in (
        (o.SGD(0.1), "Received: use_ema=False"),
        (o.MultiOptimizer(o.OptimizerMap(o.SGD(0.1))), "all inner optimizers having `use_ema=False`"),
    ):
        model = model_of(optimizer)
        model.train_on_batch(X, Y)
        with pytest.raises(ValueError, match=text):
            model.evaluate(X, Y, verbose=0, callbacks=[SwapEMAWeights()])
    several = o.MultiOptimizer(o.OptimizerMap(o.SGD(0.1), {".*kernel": ema()}))
    model, watch = model_of(several), Watch()
    model.train_on_batch(X, Y)
    model.train_on_batch(X, Y)
    averages, weights = average_of(model), model.get_weights()
    model.evaluate(X, Y, verbose=0, callbacks=[SwapEMAWeights(), watch])
    assert same(watch.seen["test"], [averages[0], weights[1]])


class Server(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted; refuses paths that say so."""

    received: list = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((self.path, dict(self.headers), body.decode()))
        self.send_response(404 if "refuse" in self.path else 200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    Server.received = []
    with http.server.HTTPServer(("127.0.0.1", 0), Server) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}", Server
        made.shutdown()
        thread.join()


def test_epochs_are_posted(server):
    root, kept = server
    form = RemoteMonitor(root, headers={"X-Run": "7"})
    plain = RemoteMonitor(root, path="/refuse", send_as_json=True)  # a refusal is the server's matter
    history = model_of("sgd").fit(X, Y, epochs=2, verbose=0, callbacks=[form, plain]).history
    paths = [path for path, _, _ in kept.received]
    assert paths == ["/publish/epoch/end/", "/refuse"] * 2
    for epoch in range(2):
        wanted = {"epoch": epoch, "loss": history["loss"][epoch]}
        _, headers, body = kept.received[2 * epoch]
        assert json.loads(urllib.parse.parse_qs(body)["data"][0]) == wanted and headers["X-Run"] == "7"
        _, headers, body = kept.received[2 * epoch + 1]
        assert json.loads(body) == wanted and headers["Content-Type"] == "application/json"


def test_a_server_that_is_not_there(server):
    with pytest.warns(UserWarning, match="Could not reach RemoteMonitor root server at http://127.0.0.1:9"):
        RemoteMonitor("http://127.0.0.1:9").on_epoch_end(0, {"loss": np.float32(1)})
    with pytest.raises(ValueError, match="root must begin with http"):
        RemoteMonitor("file:///tmp").on_epoch_end(0, {})
