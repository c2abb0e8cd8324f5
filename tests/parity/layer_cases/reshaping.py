"""Cases of the reshaping layers."""

from tests.parity.layer_cases.case import IMAGE, STEPS, VOLUME, case

CASES = [
    case("Flatten", IMAGE),
    case("Flatten", IMAGE, data_format="channels_first"),
    case("Flatten", (3,)),
    case("Reshape", (2, 12), target_shape=[3, 4]),
    case("Reshape", (2, 3, 4), target_shape=[-1, 2]),
    case("Permute", (2, 3, 4), dims=[2, 1]),
    case("RepeatVector", (2, 3), n=4),
    case("ZeroPadding1D", STEPS, padding=2),
    case("ZeroPadding2D", IMAGE, padding=[[1, 0], [2, 1]]),
    case("ZeroPadding2D", IMAGE, padding=1, data_format="channels_first"),
    case("ZeroPadding3D", VOLUME, padding=[1, 0, 2]),
    case("Cropping1D", STEPS, cropping=[1, 2]),
    case("Cropping2D", IMAGE, cropping=[[1, 0], [2, 1]]),
    case("Cropping3D", VOLUME, cropping=1),
    case("UpSampling1D", STEPS, size=3),
    case("UpSampling2D", IMAGE, size=[2, 3]),
    case("UpSampling3D", VOLUME, size=2),
]
