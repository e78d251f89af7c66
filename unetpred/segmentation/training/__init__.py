"""Training a network that segments: settings, first weights, losses, the run.

Uses `segmentation.data`, the network above it, and `unetpred.training`, whose loop it is.
"""
