"""Tabular data: is daylight-saving time in force at a place on a day? Each column is preprocessed in its way.

    python examples/tabular_preprocessing.py          # about ten seconds: an AUC of 0.92 at unseen places
    python examples/tabular_preprocessing.py --short  # fewer rows and epochs

The table comes from Python's `zoneinfo` and the time-zone database (package tzdata): some 300 places with
their coordinates, on random days from 1970 to 2025. A fifth of the places is kept for the test, so geography
and history must be learned, not names. The preprocessing layers are part of the model and of its file, which
takes the table as it is. (It takes text, which ONNX files do not.) Only the import differs from Keras.
"""

import argparse
import random
import re
from datetime import datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import numpy as np

import kcompile as keras

layers = keras.layers

ENOUGH = 0.9  # the AUC that the full form must reach


def degrees(text):
    """+4230 or -0053023 (degrees, minutes, perhaps seconds) as a number."""
    sign, whole, minutes = re.fullmatch(r"([+-])(\d{2,3})(\d\d)(?:\d\d)?", text).groups()
    return (int(whole) + int(minutes) / 60) * (-1 if sign == "-" else 1)


def load_places():
    """(time zone, latitude, longitude) of the principal place of each zone, shuffled."""
    table = (files("tzdata") / "zoneinfo" / "zone1970.tab").read_text("utf-8")
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    places = [(row[2], *map(degrees, re.findall(r"[+-]\d+", row[1]))) for row in rows]
    random.Random(0).shuffle(places)
    return places


def as_table(continent, latitude, longitude, year, month, day):
    """The columns by name, in the dtypes that the model takes."""
    numbers = {"latitude": latitude, "longitude": longitude, "year": year, "day": day}
    table = {name: np.asarray(values, "float32") for name, values in numbers.items()}
    return {"continent": np.asarray(continent, object), "month": np.asarray(month, "int32"), **table}


def make_table(places, days):
    """Columns of `days` random days at each place, and whether daylight-saving time is in force at noon."""
    draw, rows = random.Random(1), []
    for zone, latitude, longitude in places:
        for _ in range(days):
            date = draw.randint(1970, 2025), draw.randint(1, 12), draw.randint(1, 28)
            saving = datetime(*date, hour=12, tzinfo=ZoneInfo(zone)).dst() > timedelta(0)
            rows.append((zone.split("/")[0], latitude, longitude, *date, saving))
    *columns, saving = map(np.array, zip(*rows, strict=True))
    return as_table(*columns), saving.astype("float32")


def build_model(table):
    """An Input per column. Numbers are scaled or put into intervals, categories one-hot, columns crossed."""
    inputs = {
        name: keras.Input((1,), name=name, dtype="string" if name == "continent" else values.dtype)
        for name, values in table.items()
    }

    def adapted(layer, name):
        layer.adapt(table[name])
        return layer(inputs[name])

    def crossed(bins, *columns):
        return layers.HashedCrossing(bins, output_mode="one_hot")(columns)

    belt = adapted(layers.Discretization(num_bins=12), "latitude")
    sector = adapted(layers.Discretization(num_bins=12), "longitude")
    era = adapted(layers.Discretization(num_bins=14), "year")
    numbers = "latitude", "longitude", "year", "day"
    features = [
        *(adapted(layers.Normalization(axis=None), name) for name in numbers),
        adapted(layers.StringLookup(output_mode="one_hot"), "continent"),
        layers.CategoryEncoding(13, output_mode="one_hot")(inputs["month"]),
        layers.CategoryEncoding(14, output_mode="one_hot")(era),
        crossed(512, belt, sector),
        crossed(256, belt, inputs["month"]),  # summer is not the same months everywhere
        crossed(256, sector, era),  # nor the same years
    ]
    x = layers.Concatenate()(features)
    for _ in range(2):
        x = layers.Dense(128, activation="relu")(x)
        x = layers.Dropout(0.4)(x)
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))


def main():
    parser = argparse.ArgumentParser(description="Predict daylight-saving time from place and date.")
    parser.add_argument("--short", action="store_true", help="a few seconds, a lower AUC")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)

    places = load_places()
    x_train, y_train = make_table(places[len(places) // 5 :], 40 if options.short else 200)
    x_test, y_test = make_table(places[: len(places) // 5], 200)
    print(f"{len(y_train)} rows to learn from, {len(y_test)} rows of other places to test with")

    model = build_model(x_train)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy", keras.metrics.AUC(name="auc")])
    model.fit(x_train, y_train, batch_size=256, epochs=4 if options.short else 10, verbose=2)
    scores = model.evaluate(x_test, y_test, return_dict=True, verbose=0)
    print(f"Test AUC: {scores['auc']:.3f}")
    print(f"Test accuracy: {scores['accuracy']:.3f} (always no: {1 - y_test.mean():.3f})")

    model.save("tabular_preprocessing.keras")
    loaded = keras.models.load_model("tabular_preprocessing.keras")
    for city, *place in [("Paris", "Europe", 48.9, 2.3), ("Sydney", "Australia", -33.9, 151.2)]:
        days = [(*place, 2020, month, 15) for month in (1, 7)]
        january, july = loaded.predict(as_table(*zip(*days, strict=True)), verbose=0)[:, 0]
        print(f"{city}: {january:.2f} in January, {july:.2f} in July")
    if not options.short and not scores["auc"] >= ENOUGH:
        raise SystemExit(f"The test AUC is below {ENOUGH}.")


if __name__ == "__main__":
    main()
