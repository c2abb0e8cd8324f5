"""What is compared with Keras, layer by layer: a module and a pair of fixture files per family of layers."""

from tests.parity.layer_cases import (
    activations,
    adaptive,
    attention,
    blocks,
    convolutional,
    core,
    images,
    merging,
    normalization,
    numbering,
    pooling,
    preprocessing,
    recurrent,
    regularization,
    reshaping,
    tour,
    transposed,
)
from tests.parity.layer_cases.case import Case

FAMILIES = {
    module.__name__.rpartition(".")[2]: module.CASES
    for module in (
        activations,
        adaptive,
        attention,
        blocks,
        convolutional,
        core,
        images,
        merging,
        normalization,
        numbering,
        pooling,
        preprocessing,
        recurrent,
        regularization,
        reshaping,
        tour,
        transposed,
    )
}
CASES = [one for family in FAMILIES.values() for one in family]
assert len({c.name for c in CASES}) == len(CASES)

__all__ = ["CASES", "FAMILIES", "Case"]
