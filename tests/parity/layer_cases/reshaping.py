"""Cases of the reshaping layers."""

from tests.parity.layer_cases.case import IMAGE, STEPS, VOLUME, case

FIRST = "channels_first"
IMAGE_FIRST, STEPS_FIRST, VOLUME_FIRST = (2, 4, 6, 7), (2, 4, 7), (2, 2, 4, 5, 4)

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
    case("Flatten", STEPS),
    case("Flatten", VOLUME, data_format=FIRST),
    case("Reshape", (2, 12), target_shape=[12]),
    case("Reshape", (2, 3, 4), target_shape=[2, -1, 3]),
    case("Reshape", (2, 1), target_shape=[]),
    case("Permute", (2, 3, 4, 5), dims=[3, 1, 2]),
    case("Permute", (2, 3), dims=[1]),
    case("RepeatVector", (2, 3), n=1),
    case("ZeroPadding1D", STEPS, padding=[0, 3]),
    case("ZeroPadding1D", STEPS_FIRST, padding=[1, 2], data_format=FIRST),
    case("ZeroPadding2D", IMAGE, padding=[2, 0]),
    case("ZeroPadding2D", IMAGE_FIRST, padding=[[0, 1], [2, 0]], data_format=FIRST),
    case("ZeroPadding3D", VOLUME, padding=[[0, 1], [2, 0], [1, 1]]),
    case("ZeroPadding3D", VOLUME_FIRST, padding=1, data_format=FIRST),
    case("Cropping1D", STEPS),
    case("Cropping1D", STEPS, cropping=[0, 3]),
    case("Cropping2D", IMAGE),
    case("Cropping2D", IMAGE, cropping=[1, 2]),
    case("Cropping2D", IMAGE_FIRST, cropping=[[0, 2], [3, 0]], data_format=FIRST),
    case("Cropping3D", VOLUME, cropping=[[0, 1], [2, 0], [1, 1]]),
    case("Cropping3D", VOLUME_FIRST, cropping=[1, 0, 1], data_format=FIRST),
    case("UpSampling1D", STEPS),
    case("UpSampling2D", IMAGE),
    case("UpSampling2D", IMAGE_FIRST, size=[3, 1], data_format=FIRST),
    case("UpSampling3D", VOLUME, size=[1, 3, 2]),
    case("UpSampling3D", VOLUME_FIRST, size=2, data_format=FIRST),
    *(
        case("UpSampling2D", IMAGE, size=[2, 3], interpolation=method)
        for method in ("bilinear", "bicubic", "lanczos3", "lanczos5")
    ),
    case("UpSampling2D", (2, 3, 1, 2), size=4, interpolation="bilinear"),
    case("UpSampling2D", (2, 2, 3, 2), size=[1, 5], interpolation="bicubic"),
    case("UpSampling2D", (1, 3, 4, 3), size=2, interpolation="lanczos5"),
    case("UpSampling2D", IMAGE_FIRST, size=[3, 2], interpolation="bilinear", data_format=FIRST),
]
