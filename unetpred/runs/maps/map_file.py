"""Maps as files, finished and not."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from unetpred.errors import InputError
from unetpred.io.files import atomic_path, set_damaged_aside
from unetpred.io.hdf5_writing import late_failing
from unetpred.io.reading import check_regular, reading
from unetpred.runs.part_file import VARYING
from unetpred.scoring.map_grid import PredictabilityMap

logger = logging.getLogger(__name__)


def write_map(path: Path, result: PredictabilityMap, origin: dict[str, str]) -> None:
    """Write a map and its provenance as .npz, whole or not at all."""
    scores: dict[str, Any] = {**result.scores}
    with atomic_path(path) as temporary, late_failing(temporary) as file:
        np.savez_compressed(
            file,
            **scores,
            x=result.x,
            y=result.y,
            reason=result.reason.astype(str),
            provenance=json.dumps(origin, ensure_ascii=False),
        )


def go_on_with(part: Path, result: PredictabilityMap, origin: dict[str, str]) -> None:
    """Take over what an interrupted run has scored.

    A damaged file is kept under another name; nothing is taken over then.

    Parameters
    ----------
    part : Path
        What it has left.
    result : PredictabilityMap
        From `unetpred.scoring.maps.blank_map`; gets the scores.
    origin : dict of str to str
        Provenance.

    Raises
    ------
    InputError
        If it is of another map.
    """
    if not part.exists():
        logger.info("%s: is not there, so the map is begun afresh", part)
        return
    try:
        kept = _read_part(part, result, origin)
    except _Damaged as error:
        aside = set_damaged_aside(part)
        logger.warning("%s; it is kept as %s, and the map is begun afresh", error, aside.name)
        return
    for name, values in (*result.scores.items(), ("reason", result.reason)):
        values[:] = kept[name]


class _Damaged(InputError):
    """A file is not as it was written."""


def _read_part(
    part: Path, result: PredictabilityMap, origin: dict[str, str]
) -> dict[str, np.ndarray]:
    check_regular(part)
    with _damage(part), np.load(part, allow_pickle=False) as file:
        before = dict(json.loads(str(_member(file, "provenance", 1 << 20))))
    for name in {**origin, **before}:
        if name in (*VARYING, "image"):
            continue
        then, now = before.get(name, "none"), origin.get(name, "none")
        if then != now:
            raise InputError(
                f"{part}: was begun with another {name} ({then}, now {now}); "
                "remove it, or leave `resume` away, to begin afresh"
            )
    wanted = {**result.scores, "reason": result.reason}
    with _damage(part), np.load(part, allow_pickle=False) as file:
        kept = {name: _member(file, name, 10_000 + 4096 * old.size) for name, old in wanted.items()}
        for name, old in wanted.items():
            if kept[name].shape != old.shape or kept[name].dtype.kind not in "fU":
                raise ValueError(f"{name} is {kept[name].dtype} of shape {kept[name].shape}")
    return kept


def _member(file: Any, name: str, most: int) -> np.ndarray:
    """An array of a .npz, if it has no more than so many bytes."""
    if file.zip.getinfo(f"{name}.npy").file_size > most:
        raise ValueError(f"{name} is too large")
    return file[name]


@contextmanager
def _damage(part: Path) -> Iterator[None]:
    try:
        with reading(str(part), "is damaged"):
            yield
    except InputError as error:
        raise _Damaged(str(error)) from None
