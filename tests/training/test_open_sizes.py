"""Networks that leave the size of images open, of layers that need to know more of it than that."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile
from kcompile import layers


def halving():
    """Halves an image and doubles it again: only even sizes come back as they were."""
    image = kcompile.Input((None, None, 1))
    small = layers.Conv2D(2, 3, padding="same")(layers.MaxPooling2D()(image))
    return kcompile.Model(image, layers.Concatenate()([image, layers.UpSampling2D()(small)]))


@pytest.mark.parametrize("eager", [False, True])
def test_an_image_that_is_halved_and_doubled_again(eager):
    model, rng = halving(), np.random.default_rng(0)
    model.compile("sgd", "mse", run_eagerly=eager)
    for shape in ((3, 4, 6, 1), (2, 8, 8, 1)):
        x = rng.normal(size=shape).astype("float32")
        (kernel, bias), (_, h, w, _) = model.get_weights(), shape
        small = x.reshape(-1, h // 2, 2, w // 2, 2).max(axis=(2, 4))
        padded = np.pad(small, ((0, 0), (1, 1), (1, 1)))
        taps = [
            padded[:, i : i + h // 2, j : j + w // 2, None] * kernel[i, j, 0]
            for i in range(3)
            for j in range(3)
        ]
        large = (np.sum(taps, axis=0) + bias).repeat(2, axis=1).repeat(2, axis=2)
        expected = np.concatenate([x, large], axis=-1)
        for found in (model.predict(x, verbose=0), model(x), model.predict_on_batch(x)):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        assert np.isfinite(model.train_on_batch(x, np.zeros_like(expected)))
    with pytest.raises(ValueError, match="concatenate"):
        model.predict(np.zeros((1, 5, 4, 1), "float32"), verbose=0)
