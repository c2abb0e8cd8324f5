"""3 x 3 convolution at stride 1 by Winograd's F(4x4, 3x3): 36 products, not 144, for a tile of 4 x 4 outputs.

    y tile = A' [ sum over channels of (B' x tile B) * (G w G') ] A        x tile: 6 x 6 inputs, 4 apart

and, as every step is linear, the gradient of the weights by the adjoint steps:

    dw = G' [ sum over tiles of (B' x tile B) * (A dy tile A') ] G

The products of the 36 points are contractions over channels (or tiles); `transform` emits the transforms.
Source: A. Lavin, S. Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

TILE = 4  # outputs a tile, each way
WINDOW = 6  # inputs a tile, each way
POINTS = WINDOW * WINDOW

INPUT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
OUTPUT = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
FILTER = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
# Applied from the left and, transposed, from the right to a square of points.
MATRICES = {
    "input": INPUT,
    "output": OUTPUT,
    "filter": FILTER,
    "output_gradient": OUTPUT.T,
    "filter_gradient": FILTER.T,
}


def reference(name: str, x: ArrayLike) -> NDArray[np.float64]:
    """One transform of squares in NumPy: (n, n, ...) -> (m, m, ...) as MATRICES[name] is (m, n).

    >>> reference("output", np.ones((6, 6)))[0]
    array([25.,  0., 50.,  5.])
    """
    matrix = MATRICES[name]
    return np.einsum("ai,bj,ij...->ab...", matrix, matrix, np.asarray(x, np.float64))
