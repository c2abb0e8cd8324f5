"""Cases of the normalization layers."""

from tests.parity.layer_cases.case import IMAGE, STEPS, VOLUME, case

CLIPPED = {"rmin": 0.8, "rmax": 1.5, "dmax": 0.3}

CASES = [
    case("BatchNormalization", (6, 4), training=True),
    case("BatchNormalization", IMAGE, training=True, momentum=0.8, epsilon=0.01),
    case("BatchNormalization", IMAGE, training=True, axis=1, scale=False),
    case("BatchNormalization", STEPS, training=True, center=False, mask=True),
    case("BatchNormalization", VOLUME, training=True, axis=2),
    case("BatchNormalization", (6, 4), training=True, center=False, scale=False),
    case("BatchNormalization", STEPS, training=True, mask=True, momentum=0.7),
    case("BatchNormalization", (6, 4), training=True, trainable=False),
    case("BatchNormalization", (6, 4), training=True, renorm=True),
    case("BatchNormalization", IMAGE, training=True, renorm=True, renorm_momentum=0.9, momentum=0.8),
    case("BatchNormalization", (6, 4), training=True, renorm=True, renorm_clipping=CLIPPED),
    case(
        "BatchNormalization", STEPS, training=True, renorm=True, center=False, renorm_clipping={"rmax": 1.1}
    ),
    case("BatchNormalization", STEPS, training=True, renorm=True, scale=False, mask=True),
    case("BatchNormalization", (6, 4), training=True, renorm=True, center=False, scale=False, epsilon=0.1),
    case(
        "BatchNormalization",
        (6, 4),
        training=True,
        gamma_regularizer="l2",
        beta_regularizer="l2",
        gamma_constraint="non_neg",
        moving_mean_initializer="ones",
    ),
    case("LayerNormalization", (3, 4)),
    case("LayerNormalization", (2, 3, 4), axis=[1, 2], epsilon=0.1),
    case("LayerNormalization", (2, 3, 4), axis=1, center=False),
    case("LayerNormalization", (2, 3, 4), axis=[2, 1], scale=False),
    case("LayerNormalization", (2, 3, 4), axis=[-1, -2], center=False, scale=False),
    case("LayerNormalization", (2, 3, 4), rms_scaling=True),
    case("LayerNormalization", (2, 3, 4), rms_scaling=True, axis=1, epsilon=0.1),
    case("LayerNormalization", IMAGE, axis=[1, 3], gamma_regularizer="l2"),
    case("GroupNormalization", IMAGE, groups=2),
    case("GroupNormalization", (2, 4, 3), groups=2, axis=1, scale=False),
    case("GroupNormalization", STEPS, groups=-1),
    case("GroupNormalization", IMAGE, groups=4, epsilon=0.1, center=False),
    case("GroupNormalization", VOLUME, groups=1),
    case("GroupNormalization", (3, 6), groups=3, center=False, scale=False),
    case("GroupNormalization", (2, 3, 4, 5), groups=2, axis=2),
    case("RMSNormalization", (3, 4)),
    case("RMSNormalization", (2, 3, 4), axis=[1, 2], epsilon=0.1),
    case("UnitNormalization", (2, 3, 4)),
    case("UnitNormalization", (2, 3, 4), axis=[1, 2]),
    case("UnitNormalization", (2, 3, 4), axis=1),
]
