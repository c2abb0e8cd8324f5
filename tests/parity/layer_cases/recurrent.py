"""Cases of the recurrent layers with one output; tests/parity/recurrent_cases.py has the others."""

from tests.parity.layer_cases.case import STEPS, case

MASKED = (3, 5, 2)
ROWS, IMAGES, VOLUMES = (2, 3, 6, 2), (2, 3, 5, 6, 2), (1, 2, 4, 5, 4, 2)

CASES = [
    case("SimpleRNN", STEPS, units=3),
    case("SimpleRNN", STEPS, units=3, return_sequences=True, use_bias=False),
    case("SimpleRNN", MASKED, units=3, mask=True, activation="relu"),
    case("SimpleRNN", STEPS, units=3, go_backwards=True, return_sequences=True, activity_regularizer="l2"),
    case("SimpleRNN", (1, 1, 1), units=1, kernel_regularizer="l2", recurrent_regularizer="l2"),
    case("GRU", STEPS, units=3),
    case("GRU", STEPS, units=3, return_sequences=True, reset_after=False),
    case("GRU", STEPS, units=3, use_bias=False, implementation=1),
    case("GRU", STEPS, units=3, reset_after=False, use_bias=False, go_backwards=True, return_sequences=True),
    case("GRU", MASKED, units=3, mask=True),
    case("GRU", MASKED, units=3, mask=True, return_sequences=True, zero_output_for_mask=True),
    case("GRU", MASKED, units=3, mask=True, unroll=True, return_sequences=True, reset_after=False),
    case("GRU", STEPS, units=5, recurrent_activation="hard_sigmoid", activation="softsign", use_cudnn=False),
    case("LSTM", STEPS, units=3),
    case("LSTM", STEPS, units=3, return_sequences=True),
    case("LSTM", STEPS, units=3, go_backwards=True, return_sequences=True, use_bias=False),
    case("LSTM", STEPS, units=3, unroll=True, unit_forget_bias=False),
    case("LSTM", MASKED, units=3, mask=True),
    case("LSTM", MASKED, units=3, mask=True, return_sequences=True, go_backwards=True),
    case("LSTM", MASKED, units=3, mask=True, return_sequences=True, zero_output_for_mask=True),
    case("LSTM", STEPS, units=3, implementation=1, recurrent_activation="relu", activity_regularizer="l2"),
    case("LSTM", STEPS, units=2, kernel_constraint="non_neg", bias_regularizer="l2", seed=3),
    case("ConvLSTM1D", ROWS, filters=2, kernel_size=3),
    case("ConvLSTM1D", ROWS, filters=2, kernel_size=2, padding="same", return_sequences=True),
    case("ConvLSTM2D", IMAGES, filters=2, kernel_size=3, activity_regularizer="l2"),
    case("ConvLSTM2D", IMAGES, filters=2, kernel_size=(2, 3), strides=2, padding="same", use_bias=False),
    case("ConvLSTM2D", (2, 3, 2, 5, 6), filters=3, kernel_size=2, data_format="channels_first"),
    case("ConvLSTM2D", IMAGES, filters=1, kernel_size=2, dilation_rate=2, go_backwards=True),
    case("ConvLSTM3D", VOLUMES, filters=2, kernel_size=2, return_sequences=True),
]
