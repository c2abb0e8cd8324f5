"""Scalar mathematics as LLVM IR that a loop vectorizer widens: in float32 no calls and no branches.

Each module defines functions of an IR builder and values of type float, double or a vector of float; the
result has the type of the argument. In float32 each states its maximum error in units in the last place, over
all arguments; float64 goes to the C library. `numba_ops` has them for Numba's code.
"""
