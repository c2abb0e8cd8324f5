"""TextVectorization: texts as rows of token numbers or of token counts. It runs on the host."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import config as settings
from kcompile.core import dtypes
from kcompile.core.serialization import deserialize_keras_object
from kcompile.layers.preprocessing import text_onnx
from kcompile.layers.preprocessing.data_layer import DataLayer, batches_of, is_one_batch
from kcompile.layers.preprocessing.encoding import no_sparse
from kcompile.layers.preprocessing.lookup_checks import mode_name
from kcompile.layers.preprocessing.string_lookup import StringLookup
from kcompile.layers.preprocessing.text import as_text
from kcompile.layers.preprocessing.tokens import LOWER, SPLITS, STRIP, standardized, with_ngrams
from kcompile.trace.keras_tensor import KerasTensor


class TextVectorization(DataLayer):
    """Texts, standardized and split into tokens, as rows of token numbers or of counts of tokens.

    Inside a model it is called on the host, before the compiled program. Number 0 pads and 1 stands for
    tokens outside the vocabulary.

    Args:    max_tokens: most numbers. standardize: "lower_and_strip_punctuation", "lower",
             "strip_punctuation", None, or a function of an array of str. split: "whitespace", "character",
             None, or a function from an array of str to a list of lists of tokens. ngrams: tokens are runs of
             up to so many, or of the widths in a tuple. output_mode: "int", "multi_hot", "count" or "tf_idf".
             output_sequence_length: the length of the rows of "int", else that of the longest text of a
             batch. pad_to_max_tokens, vocabulary, idf_weights, encoding: as StringLookup.
    Raises:  ValueError for arguments that do not go together, and for ragged or sparse outputs.

    >>> layer = TextVectorization(vocabulary=["red", "apple"], output_sequence_length=3)
    >>> layer(["An apple!", "Red."]).tolist()
    [[1, 3, 0], [2, 0, 0]]
    """

    _convert_input_args = False  # floats stay as they are given

    runs_on_host = True

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace",
        ngrams: Any = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **kwargs: Any,
    ):
        no_sparse("TextVectorization", sparse)
        if ragged:
            raise ValueError("`ragged=True` cannot be used: there are no ragged tensors here.")
        output_mode = mode_name("TextVectorization", output_mode)
        _check_choice("standardize", standardize, sorted({*LOWER, *STRIP}))
        _check_choice("split", split, sorted(SPLITS))
        if isinstance(ngrams, list):  # JSON has no tuples
            ngrams = tuple(ngrams)
        _check_numbers(ngrams, output_mode, output_sequence_length)
        has_input_vocabulary = kwargs.pop("has_input_vocabulary", vocabulary is not None)
        vocabulary_size = kwargs.pop("vocabulary_size", None)
        super().__init__(name=name, **kwargs)
        self._max_tokens, self._standardize, self._split, self._ngrams_arg = (
            max_tokens,
            standardize,
            split,
            ngrams,
        )
        self._ngrams = tuple(range(1, ngrams + 1)) if isinstance(ngrams, int) else ngrams
        self._output_mode, self._output_sequence_length = output_mode, output_sequence_length
        self._encoding = encoding
        self._lookup_layer = StringLookup(
            max_tokens=max_tokens, vocabulary=vocabulary, idf_weights=idf_weights, mask_token="",
            pad_to_max_tokens=pad_to_max_tokens, output_mode=output_mode, encoding=encoding,
            has_input_vocabulary=has_input_vocabulary, vocabulary_size=vocabulary_size,
        )  # fmt: skip

    @property
    def compute_dtype(self) -> str:
        return dtypes.STRING

    variable_dtype = compute_dtype

    @property
    def _has_input_vocabulary(self) -> bool:
        return self._lookup_layer._has_input_vocabulary

    def build(self, input_shape: Any = None) -> None:
        """There is nothing to build."""

    # --- the vocabulary -------------------------------------------------------------------------------------

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary from texts: the most frequent tokens first.

        Args:    data: an array or list of texts, or an iterable of batches, of which at most `steps` are
                 used. batch_size: accepted.
        """
        self.reset_state()
        if is_one_batch(data):
            texts = as_text(data, self.name)
            self.update_state(texts[:, None] if texts.ndim == 1 else texts)
        else:
            for batch in batches_of(data, steps):
                self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the tokens of a batch."""
        rows, _ = self._tokens(as_text(data, self.name))
        lookup = self._lookup_layer
        if self._has_input_vocabulary:
            lookup.update_state(data)  # which refuses
        lookup._counts.add(rows, self._output_mode == "tf_idf")

    def finalize_state(self) -> None:
        """The vocabulary from what was counted."""
        self._lookup_layer.finalize_state()

    def reset_state(self) -> None:
        """Forget what was counted."""
        self._lookup_layer.reset_state()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The tokens in the order of their numbers."""
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """The number of tokens, padding and the one for unknown tokens included."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Use these tokens; see `StringLookup.set_vocabulary`."""
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights=idf_weights)

    # --- calling --------------------------------------------------------------------------------------------

    def _tokens(self, texts: np.ndarray) -> tuple[list[list[bytes]], tuple[int, ...]]:
        """The tokens of each row, and the shape of the rows."""
        x = standardized(texts, self._standardize, self._encoding)
        if self._split is None:
            x = as_text(np.asarray(x), self.name)
            rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1]).tolist() if x.ndim else [[x.item()]]
            return [with_ngrams(row, self._ngrams) for row in rows], x.shape[:-1]
        x = np.asarray(x)
        if x.ndim > 1:
            if x.shape[-1] != 1:
                raise ValueError(
                    "When using `TextVectorization` to tokenize strings, the input rank must be 1 or the "
                    f"last shape dimension must be 1. Received: inputs.shape={x.shape} with rank={x.ndim}"
                )
            x = x[..., 0]
        if callable(self._split):
            plain = np.array([t.decode(self._encoding) for t in as_text(x, self.name).ravel()], dtype="U")
            rows = [as_text(_row(row), self.name).tolist() for row in self._split(plain)]
        else:
            rows = [SPLITS[self._split](t) for t in as_text(x, self.name).ravel().tolist()]
        return [with_ngrams(row, self._ngrams) for row in rows], x.shape

    def call(self, inputs: Any) -> Any:
        lookup = self._lookup_layer
        lookup._ensure_known_vocab(self.name)
        texts = as_text(inputs, self.name)
        rows, shape = self._tokens(texts)
        if self._split is not None and self._output_mode == "one_hot":
            raise ValueError(
                f"Layer '{self.name}': rows of one-hot tokens differ in length, and there are no ragged "
                "tensors here. Use output_mode='multi_hot', or 'int' and CategoryEncoding."
            )
        found = lookup.indices_of([token for row in rows for token in row])
        ends = np.cumsum([len(row) for row in rows])[:-1]
        parts = np.split(found, ends) if rows else []
        if self._output_mode == "int":
            return self._padded(parts, shape, is_single=self._split is None and not texts.ndim)
        if self._output_mode == "one_hot":
            return lookup.call(texts)
        return lookup.counts_of(parts).reshape(*shape, lookup.depth)

    def traced_text(self, x: Any, write: Any) -> Any:
        """The layer in an ONNX file; see `text_onnx`."""
        lookup = self._lookup_layer
        lookup._ensure_known_vocab(self.name)
        whole = self._split is not None
        for what, given in (("standardize", self._standardize), ("split", self._split)):
            if callable(given):
                raise NotImplementedError(f"its `{what}` is a function of Python")
        if self._split == "character":
            raise NotImplementedError("ONNX has no operator that splits text into characters")
        if len(x.shape) > 2 or (whole and len(x.shape) == 2 and x.shape[1] != 1):
            raise NotImplementedError(f"its inputs have the shape {x.shape}")
        length = self._output_sequence_length if self._output_mode == "int" else None
        plain = not whole and self._ngrams is None
        shape = (x.shape[0], length if length is not None else x.shape[-1] if plain else None)
        found = write(partial(self._write_indices, length=length), x, shape=shape, dtype="int64")
        if self._output_mode == "int":
            return found
        mode = "count" if self._output_mode == "tf_idf" else self._output_mode
        return ops.cast(lookup.traced_counts(found, mode), settings.floatx())

    def _write_indices(self, g: Any, x: str, length: int | None) -> str:
        whole = self._split is not None
        if whole and len(g.shape(x)) == 2:
            x = g.reshape(x, g.shape(x)[:1])
        tokens = text_onnx.standardized(g, x, self._standardize)
        if whole:
            tokens = text_onnx.words(g, tokens)
        tokens = text_onnx.with_ngrams(g, tokens, self._ngrams, padded=whole)
        return text_onnx.of_length(g, self._lookup_layer.write_indices(g, tokens), length)

    def _padded(self, rows: list[np.ndarray], shape: tuple[int, ...], is_single: bool) -> np.ndarray:
        length = self._output_sequence_length
        if is_single:
            if length is not None:
                raise ValueError("A single token cannot be padded: give a list of tokens.")
            return rows[0].reshape(())
        size = max((len(row) for row in rows), default=0) if length is None else length
        out = np.zeros((len(rows), size), "int64")
        for k, row in enumerate(rows):
            out[k, : len(row)] = row[:size]
        return out.reshape(*shape, size)

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = tuple(input_shape)
        if self._output_mode == "int":
            return (*shape[:1], self._output_sequence_length)
        if self._split is None:
            shape = shape if len(shape) > 1 else (*shape, 1)
        else:
            shape = (*(shape[:-1] if len(shape) > 1 else shape), None)
        return self._lookup_layer.compute_output_shape(shape)

    def compute_output_spec(self, inputs: Any) -> Any:
        dtype = "int64" if self._output_mode == "int" else settings.floatx()
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype)

    # --- config and files -----------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        lookup = self._lookup_layer
        return {
            **super().get_config(),
            "max_tokens": lookup.max_tokens,
            "standardize": self._standardize,
            "split": self._split,
            "ngrams": self._ngrams_arg,
            "output_mode": self._output_mode,
            "output_sequence_length": self._output_sequence_length,
            "pad_to_max_tokens": lookup.pad_to_max_tokens,
            "sparse": False,
            "ragged": False,
            "vocabulary": lookup.input_vocabulary,
            "idf_weights": lookup.input_idf_weights,
            "encoding": self._encoding,
            "vocabulary_size": self.vocabulary_size(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        config = dict(config)
        for name in ("standardize", "split"):
            if not isinstance(config.get(name), str):
                config[name] = deserialize_keras_object(config.get(name))
        return cls(**config)

    def save_own_variables(self, store: Any) -> None:
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        self._lookup_layer.load_own_variables(store)

    def save_assets(self, dir_path: str) -> None:
        """Write the vocabulary into a folder."""
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path: str) -> None:
        """Read what `save_assets` wrote."""
        self._lookup_layer.load_assets(dir_path)


def _row(tokens: Any) -> np.ndarray:
    """The tokens that a function split a text into: a list, or a tensor of any library."""
    return np.asarray(tokens if hasattr(tokens, "__array__") else list(tokens), object)


def _check_choice(name: str, value: Any, allowed: list[str]) -> None:
    if value is not None and not callable(value) and value not in allowed:
        raise ValueError(
            f"Unknown value for `{name}` argument of TextVectorization. Allowed values are: None, a "
            f"`callable`, or one of {tuple(allowed)}. Received: {name}={value}"
        )


def _check_numbers(ngrams: Any, mode: str, length: Any) -> None:
    widths = ngrams if isinstance(ngrams, tuple) else (ngrams,)
    if ngrams is not None and not all(isinstance(width, int) for width in widths):
        raise ValueError(
            f"`ngrams` must be None, an integer, or a tuple of integers. Received: ngrams={ngrams}"
        )
    if mode == "int" and not (length is None or isinstance(length, int)):
        raise ValueError(
            "`output_sequence_length` must be either None or an integer when `output_mode` is 'int'. "
            f"Received: output_sequence_length={length}"
        )
    if mode != "int" and length is not None:
        raise ValueError(
            "`output_sequence_length` must not be set if `output_mode` is not 'int'. Received "
            f"output_sequence_length={length}."
        )
