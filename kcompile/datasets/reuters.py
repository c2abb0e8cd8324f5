"""Reuters: 11,228 newswires on 46 topics, as lists of word numbers."""

from __future__ import annotations

import json

import numpy as np

from kcompile.core import public_names
from kcompile.datasets.mnist import Split
from kcompile.datasets.pickled import load_npz
from kcompile.datasets.sequences import as_objects, limited, numbered, shorter, shuffled
from kcompile.datasets.sources import BASE, fetch

HASH = "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
INDEX_HASH = "4d44cc38712099c9e383dc6e5f11a921"
LABELS = """cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship
    cotton carcass crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin strategic-metal
    livestock retail ipi iron-steel rubber heat jobs lei bop zinc orange pet-chem dlr gas silver wpi hog
    lead"""


def load_data(
    path: str = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> Split:
    """Newswires and the numbers of their topics; see `get_label_names`.

    Args:    as `imdb.load_data`; test_split: share of the newswires for the test set.
    Returns: (x_train, y_train), (x_test, y_test): x arrays of lists of ints, y int64.
    Raises:  ConnectionError if the file must be downloaded and cannot be.
    """
    texts, labels = load_npz(fetch(path, f"{BASE}reuters.npz", HASH), ("x", "y"))
    texts, labels = shuffled(texts, labels, np.random.RandomState(seed))
    kept, labels = shorter(numbered(texts, start_char, index_from), labels, maxlen)
    found = limited(kept, num_words, skip_top, oov_char)
    count = int(len(found) * (1 - test_split))
    y_train, y_test = np.array(labels[:count]), np.array(labels[count:])
    return (as_objects(found[:count]), y_train), (as_objects(found[count:]), y_test)


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """The number of each word, from 1 for the most frequent one; `load_data` adds `index_from`."""
    file = fetch(path, f"{BASE}reuters_word_index.json", INDEX_HASH)
    found: dict[str, int] = json.loads(file.read_text())
    return found


def get_label_names() -> tuple[str, ...]:
    """The topics in the order of their numbers.

    >>> get_label_names()[:3], len(get_label_names())
    (('cocoa', 'grain', 'veg-oil'), 46)
    """
    return tuple(LABELS.split())


__all__ = public_names.of(__name__)
