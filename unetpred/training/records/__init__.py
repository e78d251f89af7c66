"""What a run leaves behind: checkpoints, the history and pictures of it, the network that ships.

Uses `io` and `plots`.
"""
