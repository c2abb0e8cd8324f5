"""Cases of layers that came late, and unusual arguments of others."""

from tests.parity.layer_cases.case import case

FRAMES = {"frame_length": 8, "frame_step": 3}
SIGNAL = (2, 30, 3)

CASES = [
    case("STFTSpectrogram", SIGNAL, **FRAMES),
    case("STFTSpectrogram", SIGNAL, mode="magnitude", expand_dims=True, **FRAMES),
    case("STFTSpectrogram", SIGNAL, mode="psd", padding="same", window="hamming", **FRAMES),
    case("STFTSpectrogram", SIGNAL, mode="real", scaling="spectrum", fft_length=16, **FRAMES),
    case("STFTSpectrogram", SIGNAL, mode="imag", scaling=None, periodic=True, **FRAMES),
    case("STFTSpectrogram", (2, 3, 30), mode="stft", data_format="channels_first", **FRAMES),
    case(
        "STFTSpectrogram", (2, 3, 30), mode="stft", data_format="channels_first", expand_dims=True, **FRAMES
    ),
    case("STFTSpectrogram", SIGNAL, mode="angle", expand_dims=True, frame_length=8, window=None),
]
