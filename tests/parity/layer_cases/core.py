"""Cases of the core layers."""

from tests.parity.layer_cases.case import STEPS, case

CASES = [
    case("Dense", (3, 4), units=5),
    case("Dense", (2, 3, 4), units=5, activation="relu", use_bias=False),
    case("Dense", (2, 3, 2, 4), units=2, activation="softmax"),
    case("Embedding", (3, 5), input_dim=7, output_dim=4, ints=7),
    case("Identity", (3, 4)),
    case("Masking", STEPS, mask_value=0.0),
    case("Masking", STEPS, mask_value=1.5),
    case("Identity", STEPS),
    case("Embedding", (3,), input_dim=7, output_dim=4, ints=7),
    case("Embedding", (3, 5), input_dim=7, output_dim=2, ints=7, mask_zero=True, embeddings_regularizer="l2"),
    case("ReversibleEmbedding", (3, 5), input_dim=7, output_dim=4, ints=7),
    case("ReversibleEmbedding", (3, 5), input_dim=7, output_dim=4, ints=7, tie_weights=False, mask_zero=True),
    case("Dense", (3, 4), units=2, kernel_regularizer="l2", bias_regularizer="l2", activity_regularizer="l2"),
]
