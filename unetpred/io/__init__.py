"""Files on disk: written whole or not at all, HDF5 of any age, and the weights that have a name.

Uses nothing of the package but its errors.
"""
