"""Tables of scores, and where they come from."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from datetime import datetime, timezone

from unetpred import __version__
from unetpred.io.files import atomic_path, write_rows
from unetpred.io.registry import find_weights, sha256
from unetpred.network.vgg16 import vgg_origin
from unetpred.runtime.command_line import command_line

DEFINITIONS = {
    "structure": (
        "Pearson correlation of filling and original over all missing values, -1..1; "
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

    Returns
    -------
    dict of str to str
    """
    return made_with(weights, vgg_weights, "content" in outputs) | {
        "hole": geometry,
        "context": context,
        **{name: DEFINITIONS[name] for name in outputs},
    }


def made_with(
    weights: str | None, vgg_weights: str | None = None, content: bool = False
) -> dict[str, str]:
    """What computed scores, when, and for which command.

    Parameters
    ----------
    weights, vgg_weights : str, optional
        As for --weights and --vgg_weights.
    content : bool
        Whether VGG-16 is used.

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
        vgg["vgg_weights"] = vgg_origin(vgg_weights)
    return {
        "unetpred": __version__,
        "weights": name,
        "weights_sha256": sha256(path),
        **vgg,
        "backend": f"{backend} {module.__version__}, keras {keras.__version__}",
        "note": "scores depend on the weights; these are not the published numbers unless the "
        "weights are the original's",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": command_line(),
    }


def write_table(path: str | os.PathLike, rows: list[dict], origin: dict[str, str]) -> None:
    """Write one tidy row per image, and the provenance.

    Parameters
    ----------
    path : path-like
        .csv, with the provenance in lines that start with ``#``, or .json, with `provenance` and
        `rows`. Floats are written in full; NaN is ``nan`` in csv and null in json.
    rows : list of dict
        All with the same keys.
    origin : dict
        From `provenance`.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    text = {"newline": "", "encoding": "utf-8", "errors": "surrogateescape"}
    with atomic_path(path) as temporary, temporary.open("w", **text) as file:
        if str(path).lower().endswith(".json"):
            clean = [
                {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
                for row in rows
            ]
            json.dump({"provenance": origin, "rows": clean}, file, indent=1, ensure_ascii=False)
            file.write("\n")
        else:
            for name, value in origin.items():
                file.write(f"# {name}: {' '.join(str(value).split())}\n")
            write_rows(file, rows[0], ([row[name] for name in rows[0]] for row in rows))
