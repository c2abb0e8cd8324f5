"""Cases of the normalization layers."""

from tests.parity.layer_cases.case import IMAGE, STEPS, case

CASES = [
    case("BatchNormalization", (6, 4), training=True),
    case("BatchNormalization", IMAGE, training=True, momentum=0.8, epsilon=0.01),
    case("BatchNormalization", IMAGE, training=True, axis=1, scale=False),
    case("BatchNormalization", STEPS, training=True, center=False, mask=True),
    case("LayerNormalization", (3, 4)),
    case("LayerNormalization", (2, 3, 4), axis=[1, 2], epsilon=0.1),
    case("LayerNormalization", (2, 3, 4), axis=1, center=False),
    case("GroupNormalization", IMAGE, groups=2),
    case("GroupNormalization", (2, 4, 3), groups=2, axis=1, scale=False),
    case("GroupNormalization", STEPS, groups=-1),
    case("RMSNormalization", (3, 4)),
    case("RMSNormalization", (2, 3, 4), axis=[1, 2], epsilon=0.1),
    case("UnitNormalization", (2, 3, 4)),
    case("UnitNormalization", (2, 3, 4), axis=[1, 2]),
]
