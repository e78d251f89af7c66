"""File formats that need more care than a library gives: TIFF, png, JPEG, MATLAB.

Uses `io`. `unetpred.images.decoding` and `unetpred.images.sources` call it.
"""
