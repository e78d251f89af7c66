"""Long runs over many inputs: planned, read ahead, kept as they go, taken up again, written.

`long_run` is the one way to run long: batches, work that makes rows of them, a sink that keeps
them. Uses `results`, `scoring`, `plots` and `runtime`.
"""
