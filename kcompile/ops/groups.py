"""Which groups of a convolution are computed one by one, and which are joined first."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core.lanes import LANES, share_lanes
from kcompile.ops import elementwise as ew
from kcompile.ops import movement

# Channels of a group from which Winograd's algorithm takes less time (on an Intel Granite Rapids).
DEPTH_OF_FAST = 16


def joined_groups(w: Any, groups: int, is_fast: bool) -> tuple[Any, int]:
    """A kernel with groups of fewer channels or features than a vector has lanes joined, and how many groups
    there are.

    Between the parts of different groups a joined kernel is 0. What is multiplied by it would have been
    empty lanes, and larger groups are faster. Left are groups that vectors hold several of, each lane with
    the channels of its own (schedule/lanes.py), and groups of one channel: loops compute them.
    """
    depth, features = w.shape[-2], w.shape[-1] // groups
    whole = groups * features % LANES == 0
    if whole and share_lanes(features, depth, LANES) and not (is_fast and depth >= DEPTH_OF_FAST):
        return w, groups
    numbers = [r for r in range(1, groups + 1) if groups % r == 0]
    filled = next((r for r in numbers if min(depth, features) * r >= LANES), 1) if is_fast else 1
    joined = max([filled, *(r for r in numbers if r * features <= LANES)])
    if depth == 1 or joined == 1:
        return w, groups
    kernel, left = tuple(w.shape[:-2]), groups // joined
    parts = movement.reshape(w, (*kernel, 1, depth, left, joined, features))
    own = np.eye(joined, dtype=bool).reshape(joined, 1, 1, joined, 1)
    whole = ew.where(own, parts, 0.0)
    return movement.reshape(whole, (*kernel, joined * depth, left * joined * features)), left
