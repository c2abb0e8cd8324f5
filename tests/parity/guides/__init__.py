"""Short programs in the manner of Keras's guides, for real Keras and for kcompile.

Every program takes the library and a class of tapes, and returns named numbers, texts and lists of them.
"""
