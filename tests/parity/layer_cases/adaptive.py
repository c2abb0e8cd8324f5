"""Cases of the adaptive pooling layers."""

from tests.parity.layer_cases.case import case

STEPS = (2, 7, 3)
IMAGE = (2, 6, 5, 3)
VOLUME = (2, 4, 5, 3, 2)
FIRST = "channels_first"

CASES = [
    one
    for kind in ("Average", "Max")
    for one in (
        *(case(f"Adaptive{kind}Pooling1D", STEPS, output_size=n) for n in (1, 2, 3, 4, 10)),
        case(f"Adaptive{kind}Pooling1D", (2, 3, 6), output_size=[4], data_format=FIRST),
        case(f"Adaptive{kind}Pooling2D", IMAGE, output_size=1),
        case(f"Adaptive{kind}Pooling2D", IMAGE, output_size=4),
        case(f"Adaptive{kind}Pooling2D", IMAGE, output_size=[3, 5]),
        case(f"Adaptive{kind}Pooling2D", IMAGE, output_size=[2, 3]),
        case(f"Adaptive{kind}Pooling2D", (2, 3, 6, 5), output_size=[8, 2], data_format=FIRST),
        case(f"Adaptive{kind}Pooling3D", VOLUME, output_size=2),
        case(f"Adaptive{kind}Pooling3D", VOLUME, output_size=[3, 1, 2]),
        case(f"Adaptive{kind}Pooling3D", (2, 2, 4, 5, 3), output_size=[2, 3, 3], data_format=FIRST),
    )
]
