"""What a network segments, for training and measuring: images, their labels, the classes.

Uses `images`, `io`.
"""
