"""Dense, Embedding, inputs, masking and layers around a function."""
