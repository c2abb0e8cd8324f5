"""What lookups demand of their arguments and vocabularies."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import config, dtypes
from kcompile.core.errors import ArgumentError
from kcompile.layers.preprocessing.vocabulary import Token
from kcompile.trace.variable import take_room

MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
OLD_NAMES = {"binary": "multi_hot", "tf-idf": "tf_idf"}


def mode_name(layer: str, mode: Any) -> str:
    """The output mode, also under its name in older versions of Keras."""
    mode = OLD_NAMES.get(mode, mode) if isinstance(mode, str) else None
    if mode not in MODES:
        raise ValueError(
            f"Unknown value for `output_mode` argument of {layer}. Allowed values are: {MODES}. Received: "
            f"output_mode={mode}"
        )
    return mode


def check_arguments(layer: str, **given: Any) -> None:
    """Raise ValueError for arguments that are wrong or do not go together."""

    def refuse(rule: str, *names: str) -> None:
        shown = " and ".join(f"{name}={given[name]}" for name in names)
        raise ValueError(f"{layer}: {rule} Received: {shown}")

    mode, most, token = given["output_mode"], given["max_tokens"], given["mask_token"]
    kind = str if given["vocabulary_dtype"] == dtypes.STRING else (int, np.integer)
    if token is not None and not isinstance(token, kind):
        raise ArgumentError(
            f"{layer}: `mask_token` must be a token of the vocabulary's dtype, {given['vocabulary_dtype']}. "
            f"Received: mask_token={token!r}"
        )
    if most is not None and most <= 1:
        refuse("If set, `max_tokens` must be greater than 1.", "max_tokens")
    if given["pad_to_max_tokens"] and most is None:
        refuse("If pad_to_max_tokens is True, must set `max_tokens`.", "max_tokens")
    if given["num_oov_indices"] < 0:
        refuse("`num_oov_indices` must be greater than or equal to 0.", "num_oov_indices")
    if given["oov_method"] not in ("floormod", "farmhash"):
        refuse("`oov_method` must be 'floormod' or 'farmhash'.", "oov_method")
    of_ints = given["vocabulary_dtype"] == "int64"
    if given["salt"] is not None and of_ints and given["oov_method"] != "farmhash":
        refuse("`salt` can only be used when `oov_method='farmhash'`.", "oov_method")
    if given["invert"] and mode != "int":
        refuse("`output_mode` must be `'int'` when `invert` is true.", "output_mode")
    if given["sparse"] and mode == "int":
        refuse("`sparse` may only be true if `output_mode` is not `'int'`.", "sparse", "output_mode")
    if given["idf_weights"] is not None and mode != "tf_idf":
        refuse(
            "`idf_weights` should only be set if `output_mode` is `'tf_idf'`.", "idf_weights", "output_mode"
        )


def special_tokens(layer: Any) -> list[Any]:
    """What stands before the vocabulary: the mask's token in the mode "int", and one for each OOV index."""
    take_room((layer.num_oov_indices,), "int64")  # a file may name any number
    mask = [layer.mask_token] * layer._oov_start_index()
    return mask + [layer.oov_token] * layer.num_oov_indices


def checked_tokens(layer: Any, given: list[Token]) -> list[Token]:
    """The tokens of a vocabulary that may begin with the special ones.

    Raises:  ValueError for an empty one, repeated tokens, special tokens elsewhere, and too many.
    """
    if not given:
        raise ValueError(f"Cannot set an empty vocabulary. Received: vocabulary={given}")
    special = special_tokens(layer)
    known = [None if t is None else layer._token(t) for t in special]
    tokens = given[len(known) :] if given[: len(known)] == known else given
    if len(set(tokens)) < len(tokens):
        seen: set[Token] = set()
        repeated = [layer._shown(t) for t in tokens if t in seen or seen.add(t)]  # type: ignore[func-returns-value]
        raise ValueError(
            "The passed vocabulary has at least one repeated term. Please uniquify your dataset. The "
            f"repeated terms are: {repeated}"
        )
    _check_reserved(layer, "mask", layer.mask_token, tokens, special)
    if layer.invert:  # otherwise the OOV token is not used
        _check_reserved(layer, "OOV", layer.oov_token, tokens, special)
    size = layer._token_start_index() + len(tokens)
    if layer.max_tokens is not None and size > layer.max_tokens:
        raise ValueError(
            f"Attempted to set a vocabulary larger than the maximum vocab size. Received vocabulary size is "
            f"{size}; `max_tokens` is {layer.max_tokens}."
        )
    return tokens


def _check_reserved(layer: Any, kind: str, token: Any, tokens: list[Token], special: list[Any]) -> None:
    if token is None or layer._token(token) not in tokens:
        return
    raise ValueError(
        f"Found reserved {kind} token at unexpected location in `vocabulary`. Note that passed `vocabulary` "
        "does not need to include the OOV and mask tokens. Either remove all mask and OOV tokens, or include "
        f"them only at the start of the vocabulary in precisely this order: {special}. Received: {token!r} "
        f"at vocabulary index {tokens.index(layer._token(token))}"
    )


def checked_weights(layer: Any, weights: Any, given: list[Token], special: bool) -> np.ndarray:
    """Weights of all indices from those of the given tokens; `special`: the special tokens are among them.

    Without weights of their own, special tokens have the mean of the others.
    """
    weights = np.asarray(weights, config.floatx())
    if len(given) != len(weights):
        raise ValueError(
            f"`idf_weights` must be the same length as vocabulary. len(idf_weights) is {len(weights)}; "
            f"len(vocabulary) is {len(given)}"
        )
    if weights.ndim != 1:
        raise ValueError(f"TF-IDF data must be a 1-index array. Received: shape={weights.shape}")
    if not special:
        weights = np.pad(weights, (layer._token_start_index(), 0), constant_values=weights.mean())
    if layer.pad_to_max_tokens and layer.max_tokens is not None:
        weights = np.pad(weights, (0, layer.max_tokens - len(weights)))
    return weights
