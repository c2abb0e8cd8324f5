"""Cases of the layers that scale, number and encode features by what they know of the data."""

from __future__ import annotations

from typing import Any

from tests.parity.layer_cases.case import Case


def case(layer: str, *shapes: tuple[int, ...], ints: int = 0, **kwargs: Any) -> Case:
    return Case(layer, kwargs, shapes, ints=ints, differentiable=False)


CASES = [
    case("Normalization", (2, 3), mean=2.0, variance=0.25),
    case("Normalization", (2, 4, 3), mean=(0.5, 1.0, 2.0), variance=(1.0, 2.0, 0.5)),
    case("Normalization", (2, 4, 3), axis=1, mean=(1.0, 2.0, 3.0, 4.0), variance=(1.0, 2.0, 0.5, 4.0)),
    case("Normalization", (2, 3), mean=2.0, variance=0.25, invert=True),
    case("Discretization", (3, 4), bin_boundaries=(-0.5, 0.0, 0.5)),
    case("Discretization", (3, 4), bin_boundaries=(-0.5, 0.5), output_mode="multi_hot"),
    case("Discretization", (3, 1), bin_boundaries=(-0.5, 0.5), output_mode="one_hot"),
    case("Discretization", (3, 4), bin_boundaries=(-0.5, 0.5), output_mode="count"),
    case("CategoryEncoding", (3, 4), ints=5, num_tokens=5),
    case("CategoryEncoding", (3, 1), ints=5, num_tokens=5, output_mode="one_hot"),
    case("CategoryEncoding", (3, 4), ints=5, num_tokens=6, output_mode="count"),
    case("Hashing", (3, 4), ints=50, num_bins=7),
    case("Hashing", (3, 4), ints=50, num_bins=7, mask_value=0),
    case("HashedCrossing", (3, 1), (3, 1), ints=50, num_bins=7),
    case("HashedCrossing", (3, 1), (3, 1), ints=50, num_bins=7, output_mode="one_hot"),
    case("IntegerLookup", (3, 4), ints=9, vocabulary=(2, 3, 5, 7)),
    case("IntegerLookup", (3, 4), ints=9, vocabulary=(2, 3, 5, 7), num_oov_indices=3, mask_token=0),
]
