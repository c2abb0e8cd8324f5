"""Cases of the preprocessing layers."""

from tests.parity.layer_cases.case import case

CASES = [
    case("Rescaling", (3, 4), scale=0.5, offset=-1.0),
    case("Rescaling", (2, 3), scale=[0.5, 1.0, 2.0], offset=[0.0, 1.0, 2.0]),
    case("Rescaling", (3, 4), scale=1 / 255, ints=256),
]
