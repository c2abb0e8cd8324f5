"""IntegerLookup: ints as indices into a vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.layers.preprocessing.encoding import encoded
from kcompile.layers.preprocessing.hashing import hashed
from kcompile.layers.preprocessing.index_lookup import LEFT_OUT, IndexLookup
from kcompile.layers.preprocessing.vocabulary import Token


class IntegerLookup(IndexLookup):
    """Each int as its index in a vocabulary, or what is encoded from the indices; `invert` for the way back.

    It is part of compiled programs. Without OOV indices an unknown int is an error; so that it can be one,
    a functional model calls such a layer on the host where it can.

    Args:    max_tokens: most indices, special ones included. num_oov_indices: indices for unknown ints, which
             are spread by `oov_method`: "floormod" or "farmhash". mask_token: what has index 0 ("int"), or is
             left out. oov_token: what `invert` returns for OOV indices. vocabulary: a list or array, or the
             path of a text file; `adapt` learns one otherwise. output_mode: "int", "one_hot", "multi_hot",
             "count" or "tf_idf". pad_to_max_tokens: rows are max_tokens long. salt: for "farmhash".

    >>> layer = IntegerLookup(vocabulary=[12, 36, 42])
    >>> layer(np.array([[42, 7], [12, 36]])).tolist(), layer.get_vocabulary()
    ([[3, 0], [1, 2]], [-1, 12, 36, 42])
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        if vocabulary_dtype != "int64":
            raise ValueError(
                "Only `vocabulary_dtype='int64'` is supported at this time. Received: "
                f"vocabulary_dtype={vocabulary_dtype}"
            )
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary_dtype, vocabulary, idf_weights,
            invert, output_mode, sparse, pad_to_max_tokens, oov_method, name, salt, **kwargs,
        )  # fmt: skip

    @property
    def runs_on_host(self) -> bool:  # type: ignore[override]
        return self.num_oov_indices == 0 and not self.invert

    def _token(self, value: Any) -> Token:
        return int(value)

    def _shown(self, token: Token) -> Any:
        return token

    def _rows(self, data: Any) -> Iterable[Sequence[Token]]:
        given = np.atleast_1d(np.asarray(data))
        if given.dtype.kind not in "biuf":
            raise TypeError(
                f"Layer '{self.name}' learns from ints. Received: {data!r:.200} (of dtype {given.dtype}). "
                "Use StringLookup for text."
            )
        array = given.astype("int64")
        return array.reshape(-1, array.shape[-1]).tolist() if array.ndim > 1 else [array.tolist()]

    def call(self, inputs: Any) -> Any:
        self._ensure_known_vocab()
        x = ops.cast(inputs, "int64")
        if self.invert:
            return self._inverted(x)
        indices = self._indices(x)
        if self.output_mode == "int":
            return indices
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        found = encoded(indices, mode, self.depth, "int64")
        if self.output_mode == "tf_idf":
            found = ops.cast(found, self.idf_weights.dtype) * self.idf_weights
        return found

    def _indices(self, x: Any) -> Any:
        start, unknown = self._oov_start_index(), self.num_oov_indices
        found = self._vocabulary.find(x, -1 if unknown != 1 else start)
        if unknown > 1:
            found = ops.where(ops.equal(found, np.int64(-1)), self._oov(x) + np.int64(start), found)
        if self.mask_token is not None:
            masked = 0 if self.output_mode == "int" else LEFT_OUT
            found = ops.where(ops.equal(x, np.int64(self.mask_token)), np.int64(masked), found)
        if unknown == 0 and isinstance(found, np.ndarray):
            self._check_known(x, found)
        return found

    def _oov(self, x: Any) -> Any:
        if self.oov_method == "farmhash":
            return hashed(x, self.num_oov_indices, self.salt, self.name)
        return ops.mod(x, np.int64(self.num_oov_indices))

    def _check_known(self, x: np.ndarray, found: np.ndarray) -> None:
        if (found == -1).any():
            raise ValueError(
                "When `num_oov_indices=0` all inputs should be in vocabulary, found OOV values "
                f"{x[found == -1][:10].tolist()}, consider setting `num_oov_indices=1`."
            )

    def _inverted(self, x: Any) -> Any:
        tokens = np.array(self._vocabulary.tokens, "int64")
        place = x - np.int64(self._token_start_index())
        inside = ops.logical_and(place >= np.int64(0), place < np.int64(len(tokens)))
        token = ops.take(tokens, ops.clip(place, np.int64(0), np.int64(len(tokens) - 1)))
        found = ops.where(inside, token, np.int64(self.oov_token))
        if self.mask_token is not None:
            found = ops.where(ops.equal(x, np.int64(0)), np.int64(self.mask_token), found)
        return found

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in ("oov_token", "mask_token"):
            config[name] = None if config[name] is None else int(config[name])
        if config["vocabulary"] is not None:
            config["vocabulary"] = [int(v) for v in config["vocabulary"]]
        return config
