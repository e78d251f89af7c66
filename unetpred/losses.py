"""The losses under their promised name, `unetpred.losses`; they lie in `unetpred.training`."""

from unetpred.training.optimisation.losses import hole_loss, upstream_loss

__all__ = ["hole_loss", "upstream_loss"]
