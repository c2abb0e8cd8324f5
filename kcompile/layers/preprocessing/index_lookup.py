"""The common part of IntegerLookup and StringLookup: a vocabulary that is given or learned."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from kcompile.core import config, dtypes
from kcompile.core.errors import ArgumentError
from kcompile.layers.preprocessing.data_layer import DataLayer, batches_of, is_one_batch
from kcompile.layers.preprocessing.encoding import no_sparse
from kcompile.layers.preprocessing.hashing import salt_of
from kcompile.layers.preprocessing.lookup_checks import (
    check_arguments,
    checked_tokens,
    checked_weights,
    mode_name,
    special_tokens,
)
from kcompile.layers.preprocessing.vocabulary import (
    Counts,
    Token,
    Vocabulary,
    read_lines,
    read_tokens,
    write_tokens,
)
from kcompile.trace.keras_tensor import KerasTensor

LEFT_OUT = np.iinfo("int64").max  # the index of the mask in modes that do not show it


class IndexLookup(DataLayer):
    """See IntegerLookup and StringLookup."""

    _convert_input_args = False  # floats stay as they are given

    vocabulary_dtype: str

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary_dtype: str,
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        name: str | None = None,
        salt: Any = None,
        **kwargs: Any,
    ):
        layer = type(self).__name__
        output_mode = mode_name(layer, output_mode)
        self_given = {
            "max_tokens": max_tokens, "num_oov_indices": num_oov_indices, "invert": invert, "salt": salt,
            "pad_to_max_tokens": pad_to_max_tokens, "oov_method": oov_method, "output_mode": output_mode,
            "idf_weights": idf_weights, "vocabulary_dtype": vocabulary_dtype, "sparse": sparse,
            "mask_token": mask_token,
        }  # fmt: skip
        check_arguments(layer, **self_given)
        super().__init__(name=name)
        self.sparse = no_sparse(layer, sparse)
        self.invert, self.max_tokens, self.num_oov_indices = invert, max_tokens, num_oov_indices
        self.mask_token, self.oov_token, self.output_mode = mask_token, oov_token, output_mode
        self.pad_to_max_tokens, self.oov_method = pad_to_max_tokens, oov_method
        self.vocabulary_dtype, self.salt = vocabulary_dtype, salt_of(layer, salt)
        self._frozen_vocab_size = kwargs.pop("vocabulary_size", None)
        self._has_input_vocabulary = kwargs.pop("has_input_vocabulary", vocabulary is not None)
        kwargs.pop("trainable", None)
        kwargs.pop("dtype", None)
        if kwargs:
            raise ValueError(f"Unrecognized keyword argument(s): {kwargs}")
        # The config holds a vocabulary that was given as data; one from a file is saved as an asset.
        self.input_vocabulary = None if isinstance(vocabulary, (str, os.PathLike)) else _listed(vocabulary)
        self.input_idf_weights = _listed(idf_weights)
        self._vocabulary = Vocabulary([], self._token_start_index())
        self._counts = Counts()
        self.idf_weights: Any = None
        if vocabulary is not None:
            if output_mode == "tf_idf" and idf_weights is None:
                raise ValueError(
                    "When specifying the `vocabulary` argument, in TF-IDF output mode, the `idf_weights` "
                    "argument must also be provided."
                )
            self.set_vocabulary(vocabulary, idf_weights)

    # --- what a kind of tokens must define ------------------------------------------------------------------

    def _token(self, value: Any) -> Token:
        """A token as the vocabulary holds it."""
        raise NotImplementedError

    def _shown(self, token: Token) -> Any:
        """A token as the user sees it."""
        raise NotImplementedError

    def _rows(self, data: Any) -> Iterable[Sequence[Token]]:
        """The documents of a batch."""
        raise NotImplementedError

    # --- the vocabulary -------------------------------------------------------------------------------------

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens in the order of their indices, with mask and OOV tokens in front if asked for."""
        special = special_tokens(self) if include_special_tokens else []
        return [*special, *(self._shown(token) for token in self._vocabulary.tokens)]

    def vocabulary_size(self) -> int:
        """The number of tokens, mask and OOV indices included."""
        return len(self._vocabulary) + self._token_start_index()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Use these tokens: a list or array, or the path of a text file with one token on each line.

        Args:    idf_weights: a weight for each token, in the output mode "tf_idf" only.
        Raises:  ValueError for repeated or misplaced tokens, for too many, and for weights that do not fit.
        """
        if self.output_mode == "tf_idf" and idf_weights is None:
            raise ValueError("`idf_weights` must be set if output_mode is 'tf_idf'.")
        if self.output_mode != "tf_idf" and idf_weights is not None:
            raise ValueError(
                "`idf_weights` should only be set if output_mode is `'tf_idf'`. Received: "
                f"output_mode={self.output_mode} and idf_weights={idf_weights}"
            )
        if isinstance(vocabulary, (str, os.PathLike)):
            lines = read_lines(vocabulary)
            if self.output_mode == "tf_idf":
                raise ValueError("output_mode `'tf_idf'` does not support loading a vocabulary from file.")
            self._take([self._token(line) for line in lines])
            return
        given = [self._token(item) for item in _listed(vocabulary)]
        tokens = checked_tokens(self, given)
        self._take(tokens)
        if self.output_mode == "tf_idf":
            self.idf_weights = checked_weights(self, idf_weights, given, special=len(given) > len(tokens))

    def _take(self, tokens: list[Token]) -> None:
        self._vocabulary = Vocabulary(tokens, self._token_start_index())
        self._record_vocabulary_size()

    def _record_vocabulary_size(self) -> None:
        size = self.vocabulary_size()
        fixed = self.output_mode != "int" and not self.pad_to_max_tokens
        if fixed and self._frozen_vocab_size not in (None, size):
            raise RuntimeError(
                f"When using `output_mode={self.output_mode}` and `pad_to_max_tokens=False`, the vocabulary "
                "size cannot be changed after the layer is called. Old vocab size is "
                f"{self._frozen_vocab_size}, new vocab size is {size}"
            )
        self._frozen_vocab_size = size

    def _oov_start_index(self) -> int:
        return 1 if self.mask_token is not None and self.output_mode == "int" else 0

    def _token_start_index(self) -> int:
        return self._oov_start_index() + self.num_oov_indices

    def _ensure_known_vocab(self, layer: str | None = None) -> None:
        counted = self.output_mode != "int" and not self.pad_to_max_tokens
        if len(self._vocabulary) and not (counted and self._frozen_vocab_size is None):
            return
        raise RuntimeError(
            f"When using `output_mode={self.output_mode}` and `pad_to_max_tokens={self.pad_to_max_tokens}`, "
            f"you must set the vocabulary of layer '{layer or self.name}' before calling it. Either pass a "
            "`vocabulary` argument to the layer, or call `adapt` with some sample data."
        )

    # --- learning it ----------------------------------------------------------------------------------------

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the vocabulary: the most frequent tokens first, equally frequent ones in falling order.

        Args:    data: an array or list, or an iterable of batches, of which at most `steps` are used.
        Raises:  ValueError for a layer with a given vocabulary.
        """
        self.reset_state()
        if is_one_batch(data):
            array = self._one_batch(data)
            self.update_state(array[:, None] if array.ndim == 1 else array)
        else:
            for batch in batches_of(data, steps):
                self.update_state(batch)
        self.finalize_state()

    def _one_batch(self, data: Any) -> np.ndarray:
        return np.asarray(data)

    def update_state(self, data: Any) -> None:
        """Count the tokens of a batch. A batch with one axis is one document."""
        if self._has_input_vocabulary:
            raise ValueError(
                f"Cannot adapt layer '{self.name}' after setting a static vocabulary via `vocabulary` "
                "argument or `set_vocabulary()` method."
            )
        self._counts.add(self._rows(data), self.output_mode == "tf_idf")

    def finalize_state(self) -> None:
        """The vocabulary from what was counted."""
        if self._has_input_vocabulary or not self._counts.tokens:
            self._record_vocabulary_size()
            return
        most = self.max_tokens - self._token_start_index() if self.max_tokens else None
        special = [None if t is None else self._token(t) for t in (self.mask_token, self.oov_token)]
        tokens = self._counts.ranked(special, most)
        if self.output_mode == "tf_idf":
            weights = self._counts.inverse_document_frequencies(tokens).astype(config.floatx())
            front = np.full(self._token_start_index(), weights.mean() if len(weights) else 0, weights.dtype)
            weights = np.concatenate([front, weights])
            if self.pad_to_max_tokens and self.max_tokens is not None:
                weights = np.pad(weights, (0, self.max_tokens - len(weights)))
            self.idf_weights = weights
        self.reset_state()
        self._take(tokens)

    def reset_state(self) -> None:
        """Forget what was counted."""
        self._counts = Counts()

    # --- shapes and dtypes ----------------------------------------------------------------------------------

    @property
    def compute_dtype(self) -> str:
        return self.vocabulary_dtype

    @property
    def variable_dtype(self) -> str:
        return self.vocabulary_dtype

    @property
    def depth(self) -> Any:
        """The length of the rows in the output modes that have such; None while it is not known."""
        return self.max_tokens if self.pad_to_max_tokens else self._frozen_vocab_size

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = tuple(input_shape)
        if self.output_mode == "int":
            return shape
        if self.output_mode == "one_hot":
            return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), self.depth)
        return (*shape[:-1], self.depth)

    def compute_output_spec(self, inputs: Any) -> Any:
        dtype = "int64" if self.output_mode == "int" else config.floatx()
        if self.invert and self.vocabulary_dtype == dtypes.STRING:
            dtype = dtypes.STRING
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype)

    # --- config and files -----------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        names = """invert max_tokens num_oov_indices oov_token mask_token output_mode sparse pad_to_max_tokens
            vocabulary_dtype"""
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in names.split()},
            "idf_weights": self.input_idf_weights,
            "vocabulary": self.input_vocabulary,
            "vocabulary_size": self._frozen_vocab_size,
            "oov_method": self.oov_method,
            "salt": self.salt,
        }

    def get_build_config(self) -> dict[str, Any]:
        return {}

    def build_from_config(self, config: dict[str, Any] | None) -> None:
        self.build(None)

    def save_own_variables(self, store: Any) -> None:
        if self.output_mode == "tf_idf" and self.idf_weights is not None:
            store["idf_weights"] = self.idf_weights

    def load_own_variables(self, store: Any) -> None:
        if self.output_mode == "tf_idf" and "idf_weights" in store:
            self.idf_weights = np.asarray(store["idf_weights"])

    def save_assets(self, dir_path: str) -> None:
        """Write the vocabulary into a folder, unless the config holds it."""
        if self.input_vocabulary is None:
            special = [self._token(token) for token in special_tokens(self)]
            exact = [*special, *self._vocabulary.tokens]
            write_tokens(dir_path, [str(token) for token in self.get_vocabulary()], exact, self._token)

    def load_assets(self, dir_path: str) -> None:
        """Read what `save_assets` wrote.

        Raises:  ValueError where there is nothing.
        """
        if self.input_vocabulary is not None:
            return
        tokens = read_tokens(dir_path, self._token)
        if tokens is None:
            raise ValueError(f"There is no vocabulary of layer '{self.name}'.")
        if not tokens and self.output_mode == "int":
            return  # saved before it had any
        weights = None
        if self.output_mode == "tf_idf" and self.idf_weights is not None:
            weights = self.idf_weights[: len(tokens)]  # behind them zeros fill up to max_tokens
        self.set_vocabulary(tokens, weights)


def _listed(x: Any) -> Any:
    """Arrays and tensors as lists, for the config."""
    if x is None or isinstance(x, list):
        return x
    listed = list(x) if isinstance(x, tuple) else np.asarray(x).tolist()
    if not isinstance(listed, list):
        raise ArgumentError(
            f"A vocabulary or its weights must be a list, tuple or array. Received: {x} (of type {type(x)})"
        )
    return listed
