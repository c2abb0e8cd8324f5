"""Window functions by name, with the names and values of `scipy.signal.get_window`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Window = Callable[[int], np.ndarray]


def cosines(*weights: float) -> Window:
    """w0 - w1 cos(x) + w2 cos(2 x) - ..., x over one period."""

    def window(n: int) -> np.ndarray:
        x = np.linspace(-np.pi, np.pi, n)
        return np.sum([w * np.cos(k * x) for k, w in enumerate(weights)], axis=0)

    return window


def from_middle(shape: Callable[[np.ndarray], Any]) -> Window:
    """A function of the distance from the middle, which is 1 at both ends."""
    return lambda n: np.asarray(shape(np.abs(np.linspace(-1, 1, n))), float)


def triangle(n: int) -> np.ndarray:
    """Rises from one step above 0, unlike Bartlett's."""
    rising = np.arange(1, (n + 1) // 2 + 1)
    half = 2.0 * rising / (n + 1) if n % 2 else (2.0 * rising - 1) / n
    return np.concatenate([half, half[-2::-1] if n % 2 else half[::-1]])


def parzen(n: int) -> np.ndarray:
    """Parabolas of third degree."""
    x = np.abs(np.arange(n) - (n - 1) / 2) / (n / 2)
    return np.where(x <= 0.5, 1 - 6 * x**2 * (1 - x), 2 * (1 - x) ** 3)


def taylor(n: int, lobes: int = 4, level: float = 30.0) -> np.ndarray:
    """Side lobes of equal height, `level` dB below the middle (Carrara and Goodman 1995)."""
    a = np.arccosh(10 ** (level / 20)) / np.pi
    m = np.arange(1, lobes)
    spread = lobes**2 / (a**2 + (lobes - 0.5) ** 2)
    above = np.prod(1 - m[:, None] ** 2 / spread / (a**2 + (m[None] - 0.5) ** 2), axis=1)
    ratios = 1 - m[:, None] ** 2 / m[None] ** 2
    below = 2 * np.prod(np.where(m[:, None] == m[None], 1, ratios), axis=1)
    weights = -((-1.0) ** m) * above / below

    def wave(x: np.ndarray) -> np.ndarray:
        return 1 + 2 * np.cos(2 * np.pi * np.outer((x - n / 2 + 0.5) / n, m)) @ weights

    return wave(np.arange(n)) / wave(np.array([(n - 1) / 2]))


def tukey(x: np.ndarray) -> np.ndarray:
    """Flat in the middle half."""
    return np.where(x <= 0.5, 1.0, 0.5 * (1 + np.cos(np.pi * (2 * x - 1))))


WINDOWS: dict[str, Window] = {
    "barthann": from_middle(lambda x: 0.62 - 0.24 * x + 0.38 * np.cos(np.pi * x)),
    "bartlett": from_middle(lambda x: 1 - x),
    "blackman": cosines(0.42, 0.50, 0.08),
    "blackmanharris": cosines(0.35875, 0.48829, 0.14128, 0.01168),
    "bohman": from_middle(
        lambda x: np.where(x == 1, 0, (1 - x) * np.cos(np.pi * x) + np.sin(np.pi * x) / np.pi)
    ),
    "boxcar": np.ones,
    "cosine": lambda n: np.sin(np.pi / n * (np.arange(n) + 0.5)),
    "exponential": lambda n: np.exp(-np.abs(np.arange(n) - (n - 1) / 2)),
    "flattop": cosines(0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
    "hamming": cosines(0.54, 0.46),
    "hann": cosines(0.5, 0.5),
    "lanczos": from_middle(np.sinc),
    "nuttall": cosines(0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "parzen": parzen,
    "taylor": taylor,
    "triang": triangle,
    "tukey": from_middle(tukey),
}
SHORT = {
    "barthann": "brthan bth", "bartlett": "bart brt", "blackman": "black blk",
    "blackmanharris": "blackharr bkh", "bohman": "bman bmn", "boxcar": "box ones rect rectangular",
    "cosine": "halfcosine", "exponential": "poisson", "flattop": "flat flt", "hamming": "hamm ham",
    "hann": "han", "lanczos": "sinc", "nuttall": "nutl nut", "parzen": "parz par", "taylor": "taylorwin",
    "triang": "triangle tri", "tukey": "tuk",
}  # fmt: skip
NAMES = {name: full for full, short in SHORT.items() for name in (full, *short.split())}


def window_of(name: str, n: int, periodic: bool = False) -> np.ndarray:
    """n values of a window; periodic: the first n of a symmetric one of n + 1.

    Raises:  ValueError for an unknown name.

    >>> window_of("hann", 4, periodic=True).round(3).tolist(), window_of("bartlett", 3).tolist()
    ([0.0, 0.5, 1.0, 0.5], [0.0, 1.0, 0.0])
    """
    for suffix in ("_symmetric", "_periodic"):
        if name.endswith(suffix):
            name, periodic = name.removesuffix(suffix), suffix == "_periodic"
    if name not in NAMES:
        raise ValueError(f"Unknown window type: {name!r}. Known ones are {', '.join(WINDOWS)}.")
    if n <= 1:
        return np.ones(n)
    values = WINDOWS[NAMES[name]](n + 1 if periodic else n)
    return values[:n]
