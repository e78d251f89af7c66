"""Classes, and the width, of small networks that segment."""

from unetpred.segmentation.data.classes import Classes

WIDTH = 0.0625
TWO = Classes(("between", "cell"), (0, 255), ((0, 0, 0), (255, 255, 255)))
THREE = Classes(("a", "b", "c"), (0, 1, 2), ((0, 0, 0), (128, 0, 0), (0, 128, 0)), 255)
