"""What Numba compiles: the search itself, over the arrays of `facts`."""
