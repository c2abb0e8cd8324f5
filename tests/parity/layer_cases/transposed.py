"""Cases of the transposed convolutions."""

from tests.parity.layer_cases.case import case

STEPS = (2, 5, 3)
IMAGE = (2, 4, 5, 3)
VOLUME = (2, 2, 3, 2, 2)
FIRST = "channels_first"

CASES = [
    *(
        case("Conv1DTranspose", STEPS, filters=2, kernel_size=k, strides=s, padding=padding)
        for padding in ("valid", "same")
        for k, s in ((3, 1), (3, 2), (2, 3), (4, 2), (5, 3))
    ),
    *(
        case("Conv1DTranspose", STEPS, filters=2, kernel_size=k, strides=3, padding=padding, output_padding=p)
        for padding in ("valid", "same")
        for k, p in ((2, 0), (3, 1), (4, 2), (5, 2))
    ),
    case("Conv1DTranspose", STEPS, filters=2, kernel_size=3, dilation_rate=2),
    case("Conv1DTranspose", STEPS, filters=2, kernel_size=2, dilation_rate=3, padding="same"),
    case("Conv1DTranspose", (2, 3, 5), filters=2, kernel_size=3, strides=2, data_format=FIRST),
    case("Conv1DTranspose", (2, 1, 3), filters=2, kernel_size=3, strides=4, padding="same"),
    case("Conv2DTranspose", IMAGE, filters=3, kernel_size=3),
    case(
        "Conv2DTranspose", IMAGE, filters=2, kernel_size=[2, 3], strides=2, padding="same", activation="tanh"
    ),
    case("Conv2DTranspose", IMAGE, filters=2, kernel_size=[3, 4], strides=[2, 1], use_bias=False),
    case("Conv2DTranspose", IMAGE, filters=2, kernel_size=3, strides=[3, 2], output_padding=[2, 0]),
    case("Conv2DTranspose", IMAGE, filters=2, kernel_size=3, strides=2, padding="same", output_padding=1),
    case("Conv2DTranspose", IMAGE, filters=2, kernel_size=3, dilation_rate=[2, 1], padding="same"),
    case(
        "Conv2DTranspose",
        (2, 3, 4, 5),
        filters=2,
        kernel_size=3,
        strides=2,
        padding="same",
        data_format=FIRST,
        activation="relu",
    ),
    case("Conv2DTranspose", (2, 3, 4, 5), filters=2, kernel_size=3, dilation_rate=2, data_format=FIRST),
    case("Conv3DTranspose", VOLUME, filters=2, kernel_size=2),
    case("Conv3DTranspose", VOLUME, filters=2, kernel_size=[2, 3, 1], strides=[2, 1, 3], padding="same"),
    case("Conv3DTranspose", VOLUME, filters=2, kernel_size=2, strides=2, output_padding=1),
    case(
        "Conv3DTranspose",
        VOLUME,
        filters=2,
        kernel_size=3,
        strides=2,
        padding="same",
        output_padding=[1, 0, 1],
    ),
    case("Conv3DTranspose", (2, 2, 2, 3, 2), filters=2, kernel_size=2, strides=2, data_format=FIRST),
    case("Convolution2DTranspose", IMAGE, filters=2, kernel_size=3, kernel_regularizer="l2"),
]
