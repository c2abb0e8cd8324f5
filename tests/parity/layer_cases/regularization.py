"""Cases of the regularization layers."""

from tests.parity.layer_cases.case import IMAGE, STEPS, VOLUME, case

CASES = [
    case("Dropout", (3, 4), rate=0.5),
    case("Dropout", (3, 4), rate=0.0, training=True),
    case("SpatialDropout1D", STEPS, rate=0.5),
    case("SpatialDropout2D", IMAGE, rate=0.5),
    case("SpatialDropout3D", VOLUME, rate=0.5),
    case("GaussianNoise", (3, 4), stddev=0.5),
    case("GaussianDropout", (3, 4), rate=0.5),
    case("AlphaDropout", (3, 4), rate=0.5),
    case("ActivityRegularization", (3, 4), l1=0.1, l2=0.2),
]
