"""What all architectures share: the arguments of their functions, the image, the end, and trained weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kcompile import activations, layers
from kcompile.config import image_data_format
from kcompile.models import Functional
from kcompile.trace.keras_tensor import KerasTensor
from kcompile.trace.operation import get_source_inputs

IMAGENET_CLASSES = 1000
Fetch = Callable[["Options"], Path]  # the published weights for these options, from the cache or the web


@dataclass
class Options:
    """Arguments that every architecture takes; what they mean stands in `kcompile.applications`."""

    include_top: bool
    weights: Any
    input_tensor: Any
    input_shape: Any
    pooling: str | None
    classes: int
    classifier_activation: Any
    name: str

    @property
    def pretrained(self) -> bool:
        return self.weights == "imagenet"


def channel_axis(channels_last: int = 3) -> int:
    """The axis of the channels, which layers of some families call -1 and those of others 3."""
    return channels_last if image_data_format() == "channels_last" else 1


def channels(x: Any) -> int:
    return int(x.shape[channel_axis()])


def check(options: Options) -> None:
    """Refuse arguments that do not go together, before a layer is made."""
    known = options.weights is None or options.pretrained
    if not known and not Path(options.weights).exists():
        raise ValueError(
            "The `weights` argument should be None (random weights), 'imagenet' (trained on ImageNet), "
            f"or the path to a weights file to load. Received: weights={options.weights!r}"
        )
    if options.pretrained and options.include_top and options.classes != IMAGENET_CLASSES:
        raise ValueError(
            'With weights="imagenet" and include_top=True, `classes` should be 1000. For other classes, '
            f"use include_top=False and a layer on top. Received: classes={options.classes}"
        )


def check_size(options: Options, default: int, minimum: int, flat: bool | None = None) -> tuple[Any, ...]:
    """The shape of the image, without the batch: what is given, if it is large enough, or a default.

    flat: whether the top needs a known size; by default, if there is a top.
    """
    shape, flat = options.input_shape, options.include_top if flat is None else flat
    last = image_data_format() == "channels_last"
    depth = shape[-1 if last else 0] if shape and len(shape) == 3 and not options.pretrained else 3
    if depth not in (1, 3):
        warnings.warn(
            f"{options.name} usually expects 1 or 3 input channels. It was passed input_shape={shape}, with "
            f"{depth} of them.",
            stacklevel=5,
        )
    standard = (default, default, depth) if last else (depth, default, default)
    if options.pretrained and flat:
        if shape is not None and tuple(shape) != standard:
            raise ValueError(
                'With include_top=True and weights="imagenet", '
                f"`input_shape` should be {standard}. Received: input_shape={shape}"
            )
        return standard
    if not shape:
        return standard if flat else ((None, None, depth) if last else (depth, None, None))
    _check_given(tuple(shape), options, minimum, last)
    if flat and None in shape:
        raise ValueError(
            f"If `include_top` is True, a static `input_shape` is needed. Received: input_shape={shape}"
        )
    return tuple(shape)


def _check_given(shape: tuple[Any, ...], options: Options, minimum: int, last: bool) -> None:
    if len(shape) != 3:
        raise ValueError(f"`input_shape` must be a tuple of three integers. Received: input_shape={shape}")
    depth, sizes = (shape[2], shape[:2]) if last else (shape[0], shape[1:])
    if options.pretrained and depth != 3:
        raise ValueError(
            f'With weights="imagenet" the input must have 3 channels. Received: input_shape={shape}'
        )
    if any(size is not None and size < minimum for size in sizes):
        raise ValueError(f"Input size must be at least {minimum}x{minimum}. Received: input_shape={shape}")


def image(options: Options, shape: tuple[Any, ...]) -> Any:
    """The placeholder that the network begins with."""
    given = options.input_tensor
    if given is None:
        return layers.Input(shape=shape)
    return given if isinstance(given, KerasTensor) else layers.Input(tensor=given, shape=shape)


def check_classifier(options: Options) -> Any:
    """The activation of the last layer; with trained weights only one that they were trained with."""
    chosen = activations.get(options.classifier_activation)
    if options.weights is not None and chosen not in (activations.get("softmax"), activations.get(None)):
        raise ValueError(
            "With trained weights and include_top=True, `classifier_activation` may be None or 'softmax'. "
            f"Received: classifier_activation={options.classifier_activation!r}"
        )
    return options.classifier_activation


def pooled(x: Any, options: Options, average: str | None = None, maximum: str | None = None) -> Any:
    """The end without a top: one vector an image if `pooling` asks for it."""
    if options.pooling == "avg":
        return layers.GlobalAveragePooling2D(name=average)(x)
    if options.pooling == "max":
        return layers.GlobalMaxPooling2D(name=maximum)(x)
    return x


def classified(
    x: Any, options: Options, average: str | None = "avg_pool", dropout: float = 0, **dense: Any
) -> Any:
    """The usual top: average over the image, then a dense layer."""
    x = layers.GlobalAveragePooling2D(name=average)(x)
    if dropout > 0:
        x = layers.Dropout(dropout, name="top_dropout")(x)
    activation = check_classifier(options)
    return layers.Dense(options.classes, activation=activation, name="predictions", **dense)(x)


def finished(start: Any, x: Any, options: Options, fetch: Fetch) -> Functional:
    """The model from its image to its end, with its weights."""
    inputs = start if options.input_tensor is None else get_source_inputs(options.input_tensor)
    model = Functional(inputs, x, name=options.name)
    if options.pretrained:
        model.load_weights(str(fetch(options)))
    elif options.weights is not None:
        model.load_weights(options.weights)
    return model


def standard(title: str, name: str, network: Callable[[Options], Functional], about: str) -> Any:
    """The public function of an architecture with the usual arguments. about: a sentence and its source."""
    default = name

    def build(
        include_top: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        input_shape: Any = None,
        pooling: str | None = None,
        classes: int = IMAGENET_CLASSES,
        classifier_activation: Any = "softmax",
        name: str = default,
    ) -> Functional:
        return network(
            Options(
                include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
            )
        )

    return published(build, title, about)


def published(function: Any, title: str, about: str) -> Any:
    """A function made in a loop over a table, named as the user calls it."""
    function.__name__ = function.__qualname__ = title
    function.__module__ = "kcompile.applications"
    function.__doc__ = f"{about}\n\nThe arguments are explained in `kcompile.applications`."
    return function
