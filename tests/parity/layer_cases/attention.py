"""Cases of the attention layers, and of EinsumDense, which they are made of."""

from tests.parity.layer_cases.case import case

PAIR = ((2, 3, 5), (2, 6, 5))  # query and value
TRIPLE = ((2, 3, 5), (2, 6, 4), (2, 6, 5))  # query, value, key
PLANE = ((2, 3, 4, 5), (2, 3, 4, 5))  # two dimensions of steps
CAUSAL = {"use_causal_mask": True}
# A bias of the keys changes nothing: its gradient is what rounding leaves of much larger numbers.
SPREAD = {"spread": True, "weight_size": 0.3}
HEADS = {"num_heads": 2, "key_dim": 3}
GROUPS = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}

CASES = [
    case("EinsumDense", (2, 3, 5), equation="abc,cd->abd", output_shape=(3, 4), bias_axes="d"),
    case(
        "EinsumDense", (2, 3, 5), equation="...x,xy->...y", output_shape=4, bias_axes="y", activation="relu"
    ),
    case("EinsumDense", (2, 5, 3), equation="ab...,bc->ac...", output_shape=4, bias_axes="c"),
    case("EinsumDense", (2, 3, 5), equation="abc,bcd->ad", output_shape=4),
    case("EinsumDense", (2, 3, 5), equation="abc,cde->abde", output_shape=(3, 2, 4), bias_axes="be"),
    case("Attention", PAIR),
    case("Attention", TRIPLE, use_scale=True),
    case("Attention", PAIR, score_mode="concat", use_scale=True, options=CAUSAL),
    case("Attention", PAIR, score_mode="concat"),
    case("Attention", PAIR, dropout=0.3, seed=1),
    case("Attention", ((2, 2, 3, 5), (2, 2, 6, 5)), options=CAUSAL),
    case("AdditiveAttention", PAIR),
    case("AdditiveAttention", TRIPLE, use_scale=False, options=CAUSAL),
    case("AdditiveAttention", TRIPLE, dropout=0.2),
    case("MultiHeadAttention", PAIR, **SPREAD, **HEADS),
    case("MultiHeadAttention", PAIR, **SPREAD, options=CAUSAL, **HEADS),
    case("MultiHeadAttention", TRIPLE, **SPREAD, use_bias=False, output_shape=7, **HEADS),
    case("MultiHeadAttention", PAIR, **SPREAD, output_shape=(2, 3), sliding_window=2, **HEADS),
    case("MultiHeadAttention", PAIR, **SPREAD, use_gate=True, options=CAUSAL, **HEADS),
    case("MultiHeadAttention", PAIR, **SPREAD, value_dim=4, dropout=0.4, options=CAUSAL, **HEADS),
    case("MultiHeadAttention", PLANE, **SPREAD, **HEADS),
    case("MultiHeadAttention", PLANE, **SPREAD, attention_axes=(2,), dropout=0.1, **HEADS),
    case("MultiHeadAttention", PLANE, **SPREAD, attention_axes=-3, value_dim=2, **HEADS),
    case("MultiHeadAttention", PAIR, **SPREAD, kernel_regularizer="l2", activity_regularizer="l2", **HEADS),
    case("GroupQueryAttention", PAIR, **SPREAD, **GROUPS),
    case("GroupQueryAttention", PAIR, **SPREAD, use_bias=False, options=CAUSAL, **GROUPS),
    case("GroupQueryAttention", PAIR, **SPREAD, sliding_window=2, options=CAUSAL, **GROUPS),
    case("GroupQueryAttention", PAIR, **SPREAD, use_gate=True, dropout=0.2, options=CAUSAL, **GROUPS),
    case("GroupQueryAttention", (*PAIR, (2, 6, 7)), **SPREAD, **{**GROUPS, "num_key_value_heads": 1}),
]
