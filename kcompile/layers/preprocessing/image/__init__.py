"""Images prepared and augmented, inside of a model and in a data pipeline."""
