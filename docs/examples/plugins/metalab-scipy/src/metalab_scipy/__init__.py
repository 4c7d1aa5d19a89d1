"""Sparse arrays of scipy as parameters and artifacts of metalab; installing it is all it takes."""
