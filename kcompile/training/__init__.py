"""Training: the step as one graph, the data that goes in, and `compile`, `fit`, `evaluate`, `predict`."""
