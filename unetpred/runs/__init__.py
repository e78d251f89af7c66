"""Long runs over many inputs: planned, read ahead, kept as they go, taken up again, written.

Uses `scoring`, `plots` and `runtime`.
"""
