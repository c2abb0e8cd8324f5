"""Cases of the merging layers."""

from tests.parity.layer_cases.case import PAIR, case

CASES = [
    case("Add", (*PAIR, (3, 4))),
    case("Add", ((3, 2, 4), (3, 4))),
    case("Subtract", PAIR),
    case("Multiply", PAIR),
    case("Average", (*PAIR, (3, 1))),
    case("Maximum", PAIR),
    case("Minimum", PAIR),
    case("Concatenate", ((3, 4), (3, 2))),
    case("Concatenate", ((2, 3, 4), (2, 1, 4)), axis=1),
    case("Dot", PAIR, axes=1),
    case("Dot", ((2, 3, 4), (2, 4, 5)), axes=[2, 1]),
    case("Dot", ((2, 3, 4), (2, 5, 4)), axes=-1, normalize=True),
]
