"""Maps as long runs: their batches of places, their file, their going on.

Uses `runs` above it, `scoring` and `plots`.
"""
