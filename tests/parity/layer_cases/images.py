"""Cases of the image layers that draw nothing, or whose draws have one possible result."""

from tests.parity.layer_cases.case import Case, case

IMAGES = (2, 9, 8, 3)
FIRST = (2, 3, 9, 8)


def ints(layer: str, shape: tuple[int, ...], **kwargs: object) -> Case:
    return case(layer, shape, ints=256, **kwargs)  # type: ignore[arg-type]


CASES = [
    case("Resizing", IMAGES, height=5, width=12),
    case("Resizing", IMAGES, height=5, width=12, interpolation="nearest"),
    case("Resizing", IMAGES, height=12, width=5, interpolation="bicubic", antialias=True),
    case("Resizing", FIRST, height=4, width=4, interpolation="lanczos3", data_format="channels_first"),
    case("Resizing", IMAGES, height=4, width=6, crop_to_aspect_ratio=True),
    case("Resizing", IMAGES, height=4, width=6, pad_to_aspect_ratio=True, fill_value=0.5),
    case("CenterCrop", IMAGES, height=5, width=6),
    case("CenterCrop", IMAGES, height=12, width=6),
    case("CenterCrop", FIRST, height=4, width=4, data_format="channels_first"),
    ints("CenterCrop", IMAGES, height=4, width=4),
    case("RandomRotation", IMAGES, factor=[0.11, 0.11], training=True, seed=1),
    case(
        "RandomRotation", FIRST, factor=[0.11, 0.11], fill_mode="wrap", data_format="channels_first", seed=1
    ),
    case("RandomTranslation", IMAGES, height_factor=[0.13, 0.13], width_factor=[-0.21, -0.21], seed=1),
    case("RandomZoom", IMAGES, height_factor=[0.23, 0.23], width_factor=[-0.17, -0.17], seed=1),
    case("RandomZoom", IMAGES, height_factor=[0.23, 0.23], fill_mode="constant", fill_value=0.3, seed=1),
    case("RandomBrightness", IMAGES, factor=[0.1, 0.1], value_range=[-1, 1], seed=1),
    case("RandomColorDegeneration", IMAGES, factor=[0.3, 0.3], value_range=[-9, 9], seed=1),
    case("RandomGrayscale", IMAGES, factor=1.0, seed=1),
    case("RandomInvert", IMAGES, factor=[1, 1], seed=1),
    case("RandomSharpness", IMAGES, factor=[0.8, 0.8], value_range=[-9, 9], seed=1),
    case("RandomGaussianBlur", IMAGES, factor=[1, 1], sigma=[0.7, 0.7], value_range=[-9, 9], seed=1),
    ints("RandomPosterization", IMAGES, factor=[3, 3], seed=1),
    ints("RandomHue", IMAGES, factor=[0, 0], seed=1),
    case("Equalization", IMAGES, value_range=[-5, 5]),
    case("AutoContrast", IMAGES, value_range=[-5, 5]),
]
