"""Cases of the pooling layers."""

from tests.parity.layer_cases.case import IMAGE, STEPS, VOLUME, case

FIRST = "channels_first"
IMAGE_FIRST, STEPS_FIRST, VOLUME_FIRST = (2, 4, 6, 7), (2, 4, 7), (2, 2, 4, 5, 4)

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
    *(
        one
        for kind in ("Max", "Average")
        for one in (
            case(f"{kind}Pooling1D", STEPS, pool_size=3, strides=1),
            case(f"{kind}Pooling1D", STEPS, pool_size=2, strides=3, padding="same"),
            case(f"{kind}Pooling1D", STEPS_FIRST, pool_size=3, padding="same", data_format=FIRST),
            case(f"{kind}Pooling2D", IMAGE, pool_size=[2, 3], strides=[3, 1]),
            case(f"{kind}Pooling2D", IMAGE, pool_size=[1, 4], strides=[1, 2], padding="same"),
            case(f"{kind}Pooling2D", IMAGE_FIRST, pool_size=3, strides=2, padding="same", data_format=FIRST),
            case(f"{kind}Pooling3D", VOLUME, pool_size=[1, 3, 2], strides=[2, 1, 2]),
            case(f"{kind}Pooling3D", VOLUME, pool_size=2, padding="same"),
            case(f"{kind}Pooling3D", VOLUME_FIRST, pool_size=[2, 3, 2], strides=1, data_format=FIRST),
            case(f"Global{kind}Pooling1D", STEPS_FIRST, keepdims=True, data_format=FIRST),
            case(f"Global{kind}Pooling2D", IMAGE_FIRST, data_format=FIRST),
            case(f"Global{kind}Pooling3D", VOLUME_FIRST, keepdims=True, data_format=FIRST),
        )
    ),
    case("MaxPool2D", IMAGE),
    case("AvgPool1D", STEPS, pool_size=2),
    case("GlobalAvgPool2D", IMAGE),
    case("GlobalMaxPool1D", STEPS, keepdims=True),
    case("GlobalAveragePooling1D", STEPS, mask=True),
]
