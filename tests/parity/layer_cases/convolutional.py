"""Cases of the convolutional layers."""

from tests.parity.layer_cases.case import IMAGE, STEPS, VOLUME, case

CASES = [
    case("Conv1D", STEPS, filters=3, kernel_size=3),
    case("Conv1D", STEPS, filters=3, kernel_size=3, padding="causal", dilation_rate=2),
    case("Conv1D", STEPS, filters=4, kernel_size=2, strides=2, padding="same", groups=2),
    case("Conv2D", IMAGE, filters=3, kernel_size=3),
    case("Conv2D", IMAGE, filters=3, kernel_size=[2, 3], strides=2, padding="same", activation="tanh"),
    case("Conv2D", IMAGE, filters=3, kernel_size=3, dilation_rate=[2, 1], padding="same", use_bias=False),
    case("Conv2D", IMAGE, filters=6, kernel_size=3, groups=2, activation="relu"),
    case("Conv2D", (2, 4, 6, 7), filters=3, kernel_size=3, data_format="channels_first"),
    case("Conv3D", VOLUME, filters=3, kernel_size=2),
    case("Conv3D", VOLUME, filters=2, kernel_size=2, strides=2, padding="same"),
    case("DepthwiseConv1D", STEPS, kernel_size=3, depth_multiplier=2),
    case("DepthwiseConv2D", IMAGE, kernel_size=3),
    case(
        "DepthwiseConv2D",
        IMAGE,
        kernel_size=3,
        strides=2,
        padding="same",
        depth_multiplier=2,
        activation="relu",
    ),
    case("SeparableConv1D", STEPS, filters=3, kernel_size=3, padding="same"),
    case("SeparableConv2D", IMAGE, filters=3, kernel_size=3, strides=2, depth_multiplier=2),
]
