"""Numpy objects as parameters, metrics and artifacts of metalab; installing it is all it takes."""
