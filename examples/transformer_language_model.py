"""A small transformer that writes: it learns Python's language reference, character by character.

    python examples/transformer_language_model.py          # a minute: 1.84 to 1.87 bits per character
    python examples/transformer_language_model.py --short  # a smaller network, an eighth of the text

The text is what `help("TOPIC")` prints, so nothing is downloaded. A causal transformer reads 128 characters
and predicts at each place the next one. It is measured in bits per character on pages that it has not seen:
what a file would take if it was compressed with these predictions. Only the import differs from Keras.
"""

import argparse
import lzma
from pydoc_data.topics import topics

import numpy as np

import kcompile as keras

layers = keras.layers
ops = keras.ops

LENGTH = 128
PAGE = 4096
BATCH = 8
DROP = 0.05
ENOUGH = 1.95  # bits per character: the full form must not need more


def load_text():
    """All topics in pages, each paragraph once (topics quote topics); every tenth page is for the test."""
    paragraphs = dict.fromkeys(part for name in sorted(topics) for part in topics[name].split("\n\n"))
    text = "\n\n".join(paragraphs)
    pages = [text[start : start + PAGE] for start in range(0, len(text), PAGE)]
    test = pages[9::10]
    del pages[9::10]
    return "".join(pages), "".join(test)


def windows(codes, stride):
    """Runs of LENGTH characters, and the same runs one character later."""
    starts = np.arange(0, len(codes) - LENGTH, stride)[:, None] + np.arange(LENGTH)
    return codes[starts], codes[starts + 1]


@keras.saving.register_keras_serializable("examples")
class TokenAndPosition(layers.Layer):
    """The sum of two learned vectors: one for the character, one for its place."""

    def __init__(self, characters, width, **kwargs):
        super().__init__(**kwargs)
        self.characters, self.width = characters, width
        self.token = layers.Embedding(characters, width)
        self.position = layers.Embedding(LENGTH, width)

    def call(self, codes):
        return self.token(codes) + self.position(ops.arange(ops.shape(codes)[1]))

    def get_config(self):
        return {**super().get_config(), "characters": self.characters, "width": self.width}


def transformer_block(x, width, heads):
    """Attention to what came before, then two dense layers; around each a shortcut, before each a norm."""
    y = layers.LayerNormalization()(x)
    y = layers.MultiHeadAttention(heads, width // heads)(y, y, use_causal_mask=True)
    x = x + layers.Dropout(DROP)(y)
    y = layers.LayerNormalization()(x)
    y = layers.Dense(width)(layers.Dense(4 * width, activation="gelu")(y))
    return x + layers.Dropout(DROP)(y)


def build_model(characters, width, blocks):
    codes = keras.Input((LENGTH,), dtype="int32")
    x = TokenAndPosition(characters, width)(codes)
    for _ in range(blocks):
        x = transformer_block(x, width, heads=4)
    logits = layers.Dense(characters)(layers.LayerNormalization()(x))
    return keras.Model(codes, logits)


def write(model, alphabet, prompt, count, rng):
    """The prompt and `count` characters more, drawn from what is predicted, made a little sharper."""
    codes = [alphabet.index(character) for character in prompt]
    for _ in range(count):
        window = codes[-LENGTH:]
        padded = np.array(
            [window + [0] * (LENGTH - len(window))], "int32"
        )  # what comes later is never looked at
        logits = model.predict_on_batch(padded)[0, len(window) - 1] / 0.7
        chances = np.exp(logits - logits.max())
        codes.append(int(rng.choice(len(alphabet), p=chances / chances.sum())))
    return "".join(alphabet[code] for code in codes)


def main():
    parser = argparse.ArgumentParser(description="Train a transformer on Python's language reference.")
    parser.add_argument("--short", action="store_true", help="a few seconds, more bits per character")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)

    train, test = load_text()
    alphabet = sorted(set(train + test))
    train_codes, test_codes = (np.array([alphabet.index(c) for c in text], "int32") for text in (train, test))
    if options.short:
        train_codes = train_codes[: len(train_codes) // 8]
    print(f"{len(train_codes)} characters to learn from, {len(test)} to test with, {len(alphabet)} kinds")

    x, y = windows(train_codes, LENGTH // 2)
    epochs = 6 if options.short else 5
    steps = epochs * -(-len(x) // BATCH)
    model = build_model(len(alphabet), *(64, 1) if options.short else (128, 2))
    model.summary()
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=2e-3, warmup_steps=steps // 10)
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=0.1, clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=2)

    loss, _ = model.evaluate(*windows(test_codes, LENGTH), verbose=0)
    packed = len(lzma.compress((train + test).encode())) - len(lzma.compress(train.encode()))
    bits = loss / np.log(2)
    print(f"Test bits per character: {bits:.3f} (lzma: {8 * packed / len(test):.3f})")

    model.save("transformer_language_model.keras")
    model.export("transformer_language_model.onnx", format="onnx")
    loaded = keras.models.load_model("transformer_language_model.keras")
    count, rng = 100 if options.short else 400, np.random.default_rng(options.seed)
    print(write(loaded, alphabet, "The statement ", count, rng))
    if not options.short and not bits <= ENOUGH:
        raise SystemExit(f"The test takes more than {ENOUGH} bits per character.")


if __name__ == "__main__":
    main()
