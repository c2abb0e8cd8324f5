"""Cases of the activations layers."""

from tests.parity.layer_cases.case import case

CASES = [
    case("Activation", (3, 4), activation="gelu"),
    case("Activation", (3, 4), activation="silu"),
    case("ReLU", (3, 4)),
    case("ReLU", (3, 4), max_value=0.5, negative_slope=0.1, threshold=0.2),
    case("LeakyReLU", (3, 4)),
    case("PReLU", (2, 3, 4)),
    case("PReLU", (2, 3, 4), shared_axes=[1]),
    case("ELU", (3, 4), alpha=0.7),
    case("Softmax", (3, 4)),
    case("Softmax", (2, 3, 4), axis=[1, 2]),
    case("Softmax", (3, 4), mask=True),
]
