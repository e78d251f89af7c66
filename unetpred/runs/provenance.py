"""Where scores come from: what computed them, of what, when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from unetpred import __version__
from unetpred.errors import escaped
from unetpred.io.registry import find_weights, sha256
from unetpred.network.vgg16 import vgg_origin
from unetpred.runtime.command_line import command_line

DEFINITIONS = {
    "structure": (
        "Pearson correlation of filling and original over all missing values, -1..1; "
        "higher = more predictable"
    ),
    "structure_luminance": (
        "Pearson correlation of the luminance of filling and original over all missing pixels, "
        "0.2126 R + 0.7152 G + 0.0722 B (ITU-R BT.709) of encoded values, -1..1; "
        "higher = more predictable"
    ),
    "content": (
        "VGG-16 feature distance of filling and original in the bounding box of the hole, "
        "mean of 5 layers, from 0; higher = LESS predictable"
    ),
}


def provenance(
    weights: str | None,
    geometry: str,
    outputs: Sequence[str],
    vgg_weights: str | None = None,
    context: str = "full image",
    command: str | None = None,
) -> dict[str, str]:
    """What a table of scores must say about how it was made.

    Parameters
    ----------
    weights : str or None
        As for --weights.
    geometry : str
        The hole, in words.
    outputs : sequence of str
        The scores in the table.
    vgg_weights : str, optional
        As for --vgg_weights; looked at only where content is among the scores.
    context : str
        What surrounds the hole, in words.
    command : str, optional
        As for `made_with`.

    Returns
    -------
    dict of str to str
    """
    return made_with(weights, vgg_weights, "content" in outputs, command) | {
        "hole": escaped(geometry),
        "context": context,
        **{name: DEFINITIONS[name] for name in outputs},
    }


def made_with(
    weights: str | None,
    vgg_weights: str | None = None,
    content: bool = False,
    command: str | None = None,
) -> dict[str, str]:
    """What computed scores, when, and for which command.

    Parameters
    ----------
    weights, vgg_weights : str, optional
        As for --weights and --vgg_weights.
    content : bool
        Whether VGG-16 is used.
    command : str, optional
        What was asked for; the command line of this process if not given.

    Returns
    -------
    dict of str to str
    """
    import keras

    backend = keras.config.backend()
    module = __import__(backend)
    name, path = find_weights(weights)
    vgg = {}
    if content:
        vgg["vgg_weights"] = escaped(vgg_origin(vgg_weights))
    return {
        "unetpred": __version__,
        "weights": escaped(name),
        "weights_sha256": sha256(path),
        **vgg,
        "backend": f"{backend} {module.__version__}, keras {keras.__version__}",
        "note": "scores depend on the weights; these are not the published numbers unless the "
        "weights are the original's",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": escaped(command or command_line()),
    }
