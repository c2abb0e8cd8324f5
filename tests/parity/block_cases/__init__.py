"""The same blocks of training for real Keras and for kcompile; `blocks/` holds Keras's answers."""
