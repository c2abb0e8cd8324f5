"""StringLookup: text as indices into a vocabulary. It runs on the host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import config, dtypes
from kcompile.layers.preprocessing import text_onnx
from kcompile.layers.preprocessing.encoding import counted, encoded
from kcompile.layers.preprocessing.hashing import hashed
from kcompile.layers.preprocessing.index_lookup import LEFT_OUT, IndexLookup
from kcompile.layers.preprocessing.text import as_text, from_bytes
from kcompile.layers.preprocessing.vocabulary import Token


class StringLookup(IndexLookup):
    """Each text as its index in a vocabulary, or what is encoded from the indices; `invert` for the way back.

    Inside a model it is called on the host, before the compiled program.

    Args:    as IntegerLookup; texts outside the vocabulary are spread over several OOV indices by FarmHash64,
             or by SipHash with a `salt`. encoding: of the vocabulary, which is shown as str.

    >>> layer = StringLookup(vocabulary=["a", "b"])
    >>> layer(["b", "z"]).tolist(), layer.get_vocabulary()
    ([2, 0], ['[UNK]', 'a', 'b'])
    """

    runs_on_host = True

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        **kwargs: Any,
    ):
        self.encoding = encoding
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, dtypes.STRING, vocabulary, idf_weights,
            invert, output_mode, sparse, pad_to_max_tokens, name=name, salt=salt, **kwargs,
        )  # fmt: skip

    def _token(self, value: Any) -> Token:
        return as_text(np.array(value, object), "vocabulary").item()

    def _shown(self, token: Token) -> Any:
        return token.decode(self.encoding, "replace") if isinstance(token, bytes) else token

    def _one_batch(self, data: Any) -> np.ndarray:
        return as_text(data, self.name)

    def _rows(self, data: Any) -> Iterable[Sequence[Token]]:
        array = np.atleast_1d(as_text(data, self.name))
        return array.reshape(-1, array.shape[-1]).tolist() if array.ndim > 1 else [array.tolist()]

    def call(self, inputs: Any) -> Any:
        self._ensure_known_vocab()
        if self.invert:
            return self._inverted(np.asarray(inputs))
        texts = as_text(inputs, self.name)
        indices = self.indices_of(texts.ravel().tolist()).reshape(texts.shape)
        if self.output_mode == "int":
            return indices
        if self.output_mode == "one_hot" or indices.ndim > 2:
            mode = "count" if self.output_mode == "tf_idf" else self.output_mode
            return self.weighted(encoded(indices, mode, self.depth, "int64"))
        rows = self.counts_of(list(np.atleast_2d(indices)))
        return rows if indices.ndim == 2 else rows[0]

    def traced_text(self, x: Any, write: Any) -> Any:
        """The layer in an ONNX file, where texts that it would refuse have index -1; see `text_onnx`."""
        self._ensure_known_vocab()
        if self.invert:
            return write(self._write_inverted, x, shape=x.shape, dtype=dtypes.STRING)
        found = write(self.write_indices, x, shape=x.shape, dtype="int64")
        if self.output_mode == "int":
            return found
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        return ops.cast(self.traced_counts(found, mode), config.floatx())

    def traced_counts(self, indices: Any, mode: str) -> Any:
        """What the modes other than "int" make of indices, in compiled code."""
        counts = encoded(indices, mode, self.depth, "int64")
        if self.output_mode != "tf_idf":
            return counts
        return ops.cast(counts, self.idf_weights.dtype) * self.idf_weights

    def write_indices(self, g: Any, x: str) -> str:
        """`indices_of` as ONNX operators."""
        if self.num_oov_indices > 1:
            raise NotImplementedError(
                f"ONNX has no hash of text to spread unknown ones over {self.num_oov_indices} indices"
            )
        start = self._token_start_index()
        numbers = {token: k for k, token in enumerate(text_onnx.decoded(self._vocabulary.tokens), start)}
        if self.mask_token is not None:
            (mask,) = text_onnx.decoded([self._token(self.mask_token)])
            numbers[mask] = 0 if self.output_mode == "int" else LEFT_OUT
        default = self._oov_start_index() if self.num_oov_indices else -1
        return text_onnx.numbered(g, x, numbers, default)

    def _write_inverted(self, g: Any, x: str) -> str:
        start = self._token_start_index()
        names = dict(enumerate(text_onnx.decoded(self._vocabulary.tokens), start))
        if self.mask_token is not None:
            names |= dict(enumerate(text_onnx.decoded([self._token(self.mask_token)])))  # it has the number 0
        (unknown,) = text_onnx.decoded([self._token(self.oov_token)])
        return text_onnx.named(g, x, names, unknown)

    def indices_of(self, texts: list[bytes]) -> np.ndarray:
        """The index of each text, int64.

        Raises:  ValueError for unknown texts where there is no OOV index.
        """
        start, unknown = self._oov_start_index(), self.num_oov_indices
        found = self._vocabulary.indices(texts, -1 if unknown != 1 else start)
        if unknown != 1:
            missing = np.flatnonzero(found == -1)
            masked = None if self.mask_token is None else self._token(self.mask_token)
            missing = np.array([k for k in missing if texts[k] != masked], "int64")
            if len(missing) and unknown == 0:
                raise ValueError(
                    "When `num_oov_indices=0` all inputs should be in vocabulary, found OOV values "
                    f"{[texts[k] for k in missing[:10]]}, consider setting `num_oov_indices=1`."
                )
            if len(missing):
                others = from_bytes([texts[k] for k in missing], (len(missing),))
                found[missing] = hashed(others, unknown, self.salt, self.name) + start
        if self.mask_token is not None:
            token = self._token(self.mask_token)
            is_mask = np.fromiter((text == token for text in texts), bool, len(texts))
            found[is_mask] = 0 if self.output_mode == "int" else LEFT_OUT
        return found

    def counts_of(self, rows: list[np.ndarray]) -> np.ndarray:
        """What the modes "multi_hot", "count" and "tf_idf" make of rows of indices."""
        return self.weighted(counted(rows, self.depth, self.output_mode == "multi_hot"))

    def weighted(self, counts: np.ndarray) -> np.ndarray:
        if self.output_mode != "tf_idf":
            return counts
        return counts.astype(self.idf_weights.dtype) * self.idf_weights

    def _inverted(self, x: np.ndarray) -> np.ndarray:
        start = self._token_start_index()
        tokens, unknown = self._vocabulary.tokens, self._token(self.oov_token)
        mask = None if self.mask_token is None else self._token(self.mask_token)
        items: list[Any] = []
        for index in x.ravel().tolist():
            place = int(index) - start
            known = 0 <= place < len(tokens)
            items.append(mask if mask is not None and index == 0 else tokens[place] if known else unknown)
        return from_bytes(items, x.shape)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["vocabulary_dtype"]
        return {**config, "encoding": self.encoding}
