"""What the preprocessing layers of real Keras return, and what these are compared with."""
