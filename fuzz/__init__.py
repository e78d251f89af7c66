"""Damaged files by the thousand, and kills at any moment: what the readers and the runs do then.

Not part of the package; see `docs/reliability.md`.
"""
