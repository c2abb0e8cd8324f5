"""Cases of the pooling layers."""

from tests.parity.layer_cases.case import IMAGE, STEPS, VOLUME, case

CASES = [
    case("MaxPooling1D", STEPS, pool_size=2),
    case("MaxPooling1D", STEPS, pool_size=3, strides=2, padding="same"),
    case("MaxPooling2D", IMAGE, pool_size=2),
    case("MaxPooling2D", IMAGE, pool_size=[3, 2], strides=2, padding="same"),
    case("MaxPooling2D", (2, 4, 6, 7), pool_size=2, data_format="channels_first"),
    case("MaxPooling3D", VOLUME, pool_size=2),
    case("AveragePooling1D", STEPS, pool_size=2),
    case("AveragePooling1D", STEPS, pool_size=3, strides=2, padding="same"),
    case("AveragePooling2D", IMAGE, pool_size=2),
    case("AveragePooling2D", IMAGE, pool_size=3, strides=1, padding="same"),
    case("AveragePooling3D", VOLUME, pool_size=2),
    case("GlobalAveragePooling1D", STEPS),
    case("GlobalAveragePooling1D", STEPS, keepdims=True, mask=True),
    case("GlobalAveragePooling2D", IMAGE),
    case("GlobalAveragePooling2D", IMAGE, keepdims=True, data_format="channels_first"),
    case("GlobalAveragePooling3D", VOLUME),
    case("GlobalMaxPooling1D", STEPS),
    case("GlobalMaxPooling2D", IMAGE),
    case("GlobalMaxPooling3D", VOLUME, keepdims=True),
]
