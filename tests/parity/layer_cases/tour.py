"""Cases that a tour of all layers found wanting: arguments that meet seldom."""

from tests.parity.layer_cases.case import IMAGE, STEPS, case

FIRST = "channels_first"
IMAGE_FIRST, LONG = (2, 4, 9, 8), (2, 11, 4)

CASES = [
    case("DepthwiseConv1D", LONG, kernel_size=3, strides=2, dilation_rate=2),
    case(
        "DepthwiseConv1D", LONG, kernel_size=2, strides=3, dilation_rate=2, padding="same", depth_multiplier=2
    ),
    case("DepthwiseConv2D", IMAGE, kernel_size=3, strides=[1, 2], dilation_rate=[2, 1]),
    case("DepthwiseConv2D", IMAGE, kernel_size=2, strides=2, dilation_rate=2, padding="same"),
    case("DepthwiseConv2D", IMAGE_FIRST, kernel_size=3, strides=2, dilation_rate=2, data_format=FIRST),
    case("SeparableConv1D", LONG, filters=3, kernel_size=3, strides=2, dilation_rate=3),
    case("SeparableConv2D", IMAGE, filters=3, kernel_size=2, strides=2, dilation_rate=[1, 2], padding="same"),
    case("Dot", (STEPS, STEPS), axes=-1),
    case("ActivityRegularization", (3, 4)),
]
