"""What moves the weights: the losses, the optimiser, the step on PyTorch, several devices.

Uses `network` and `backends`.
"""
