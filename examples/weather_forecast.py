"""Time series: an LSTM forecasts the temperature of the next twelve hours from the last two days.

    python examples/weather_forecast.py          # about ten seconds: 1.6 degrees wrong on average
    python examples/weather_forecast.py --short  # fewer epochs

The data are the 8,760 hours of a typical year at the airport of Greensboro, North Carolina (NREL's TMY3).
They come with the package pvlib, so nothing is downloaded. The first three weeks of each month are learned
from, the rest is forecast. Two forecasts without a network stand beside it: "as now" and "as yesterday at
this hour". Only the import differs from Keras.
"""

import argparse
from importlib.metadata import distribution

import numpy as np

import kcompile as keras

layers = keras.layers

PAST, AHEAD = 48, 12  # hours
ENOUGH = 1.7  # degrees: the mean error that the full form must not exceed
COLUMNS = "Dry-bulb (C)", "Dew-point (C)", "Pressure (mbar)", "Wspd (m/s)", "TotCld (tenths)", "GHI (W/m^2)"


def load_weather():
    """A row of numbers per hour, and its day of the month. Times and directions become points on circles."""
    path = distribution("pvlib").locate_file("pvlib/data/723170TYA.CSV")
    with open(path) as file:
        next(file)  # the station
        names, *rows = (line.rstrip("\n").split(",") for line in file)
    column = {name: np.array([row[index] for row in rows]) for index, name in enumerate(names)}
    hour = np.arange(len(rows)) % 24 * (2 * np.pi / 24)
    wind = np.radians(column["Wdir (degrees)"].astype("float32"))
    circles = [np.sin(hour), np.cos(hour), np.sin(wind), np.cos(wind)]
    day = np.array([int(date.split("/")[1]) for date in column["Date (MM/DD/YYYY)"]])
    return np.stack([column[name].astype("float32") for name in COLUMNS] + circles, -1).astype("float32"), day


def windows(weather, chosen):
    """Runs of PAST hours and the AHEAD temperatures behind each, where all of these hours are chosen."""
    starts = np.arange(len(weather) - PAST - AHEAD + 1)[:, None]
    hours = starts + np.arange(PAST + AHEAD)
    hours = hours[chosen[hours].all(axis=1)]
    return weather[hours[:, :PAST]], weather[hours[:, PAST:], 0]


def build_model(columns, normalize):
    """The network forecasts by how much each hour will be warmer than the last one that it has seen."""
    past = keras.Input((PAST, columns), name="past")
    x = normalize(past)
    x = layers.LSTM(32)(x)
    x = layers.Dropout(0.5)(x)
    change = layers.Dense(AHEAD, kernel_initializer="zeros")(x)
    return keras.Model(past, past[:, -1, :1] + 5 * change, name="forecast")


def main():
    parser = argparse.ArgumentParser(description="Forecast the temperature of the next hours.")
    parser.add_argument("--short", action="store_true", help="a few seconds, a larger error")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)

    weather, day = load_weather()
    x_train, y_train = windows(weather, day <= 21)
    x_test, y_test = windows(weather, day > 21)
    print(f"{len(x_train)} windows to learn from, {len(x_test)} to test with")

    normalize = layers.Normalization()
    normalize.adapt(weather[day <= 21])
    model = build_model(weather.shape[1], normalize)
    batch_size, epochs = 32, 4 if options.short else 15
    steps = epochs * -(-len(x_train) // batch_size)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, steps)), loss="mae")
    model.fit(x_train, y_train, batch_size=batch_size, epochs=epochs, verbose=2)

    error = model.evaluate(x_test, y_test, verbose=0)
    now = np.abs(x_test[:, -1:, 0] - y_test).mean()
    yesterday = np.abs(x_test[:, -24 : AHEAD - 24, 0] - y_test).mean()
    print(f"Test mean error: {error:.2f} degrees (as now: {now:.2f}, as yesterday: {yesterday:.2f})")

    model.save("weather_forecast.keras")
    model.export("weather_forecast.onnx", format="onnx")
    loaded = keras.models.load_model("weather_forecast.keras")
    forecast = loaded.predict(x_test[:1], verbose=0)[0]
    print("A forecast, and what came:")
    for hour, pair in enumerate(zip(forecast, y_test[0], strict=True), start=1):
        print("  in {:2d} hours: {:5.1f} {:5.1f}".format(hour, *pair))
    if not options.short and not error <= ENOUGH:
        raise SystemExit(f"The test error is above {ENOUGH} degrees.")


if __name__ == "__main__":
    main()
