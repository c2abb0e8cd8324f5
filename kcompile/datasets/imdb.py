"""IMDB: 50,000 film reviews, good or bad, as lists of word numbers (Maas et al., 2011)."""

from __future__ import annotations

import json

import numpy as np

from kcompile.core import public_names
from kcompile.datasets.mnist import Split
from kcompile.datasets.pickled import load_npz
from kcompile.datasets.sequences import as_objects, limited, numbered, shorter, shuffled
from kcompile.datasets.sources import BASE, fetch

HASH = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
INDEX_HASH = "bfafd718b763782e994055a2d397834f"


def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> Split:
    """Reviews and their labels, 0 for bad and 1 for good ones; 3 is the most frequent word and so on.

    Args:    path: the file's name in the cache. num_words: larger word numbers become `oov_char`. skip_top:
             smaller ones too. maxlen: only reviews of fewer words. seed: of the order. start_char: what each
             review begins with. oov_char: what stands for a word that was left out; None leaves no trace.
             index_from: added to the word numbers of the file.
    Returns: (x_train, y_train), (x_test, y_test): x (25000,) arrays of lists of ints, y (25000,) int64.
    Raises:  ConnectionError if the file must be downloaded and cannot be; ValueError if `maxlen` leaves no
             review.
    """
    file = fetch(path, f"{BASE}imdb.npz", HASH)
    x_train, y_train, x_test, y_test = load_npz(file, ("x_train", "y_train", "x_test", "y_test"))
    rng = np.random.RandomState(seed)
    x_train, y_train = shuffled(x_train, y_train, rng)
    x_test, y_test = shuffled(x_test, y_test, rng)
    train, y_train = shorter(numbered(x_train, start_char, index_from), y_train, maxlen)
    test, y_test = shorter(numbered(x_test, start_char, index_from), y_test, maxlen)
    if not train or not test:
        raise ValueError(
            f"After filtering for sequences shorter than maxlen={maxlen}, no sequence was kept. Increase "
            "maxlen."
        )
    texts = limited(train + test, num_words, skip_top, oov_char)
    labels = np.concatenate([y_train, y_test])
    count = len(train)
    return (as_objects(texts[:count]), labels[:count]), (as_objects(texts[count:]), labels[count:])


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """The number of each word, from 1 for the most frequent one; `load_data` adds `index_from`."""
    file = fetch(path, f"{BASE}imdb_word_index.json", INDEX_HASH)
    found: dict[str, int] = json.loads(file.read_text())
    return found


__all__ = public_names.of(__name__)
