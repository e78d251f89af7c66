"""Pictures of what was filled in, one file for each job."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from unetpred.errors import InputError
from unetpred.results.pictures import save_png
from unetpred.runs.scoring.jobs import Job, Outcome
from unetpred.runs.scoring.outputs import Outputs


class Drawn:
    """The pictures that are asked for.

    Parameters
    ----------
    outputs : Outputs
        With their folders, which are made.
    jobs : list of Job
        All of the run.
    scores : sequence of str
        What stands below a picture.

    Raises
    ------
    InputError
        If a folder cannot be made, or an input would be replaced.
    """

    def __init__(self, outputs: Outputs, jobs: list[Job], scores: Sequence[str]):
        self._beside = picture_names(outputs.images, jobs, "save_images")
        self._filled = picture_names(outputs.filled, jobs, "save_filled")
        self._scores = scores

    def __bool__(self) -> bool:
        return bool(self._beside or self._filled)

    def draw(self, job: Job, outcome: Outcome) -> None:
        """Write the pictures of one job."""
        arrays = outcome.arrays
        if self._filled:
            save_png(arrays["filled"], self._filled[job.position])
        if not self._beside:
            return
        from unetpred.plots import save, triptych

        place, scores = job.place, outcome.scores or {}
        words = [f"x {place.x}, y {place.y}, {place.size} px"] if place else []
        words += [f"{name} {scores[name]:.3f}" for name in self._scores]
        box = tuple(map(int, arrays["context"])) if "context" in arrays else None
        image, mask, filled = (arrays[name] for name in ("image", "mask", "filled"))
        figure = triptych(image, mask, filled, "   ".join(words), context=box)  # type: ignore[arg-type]
        save(figure, self._beside[job.position])


def picture_names(folder: str | None, jobs: list[Job], option: str) -> dict[int, Path]:
    """Give the picture of every job a name of its own, and make their folder.

    Parameters
    ----------
    folder : str or None
        Where they go.
    jobs : list of Job
        All of the run.
    option : str
        What messages call the folder.

    Returns
    -------
    dict of int to Path
        By position among the jobs; empty if no pictures are wanted.

    Raises
    ------
    InputError
        If the folder cannot be made, or a picture would replace an input.
    """
    names: dict[int, Path] = {}
    if not folder:
        return names
    used: set[str] = set()
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"`{option}` {folder}: cannot be made ({error.strerror})") from None
    inputs = {os.path.realpath(path): path for path in {job.source.path for job in jobs}}
    stems: dict[str, set[str]] = {}
    for path in {job.source.path for job in jobs}:
        stems.setdefault(Path(path).stem, set()).add(path)
    for job in jobs:
        source, place = job.source, job.place
        # the whole path only where another picture has such a name
        name = Path(source.path).stem
        name = name if len(stems[name]) == 1 else os.path.splitext(source.path)[0]
        flat = re.sub(r"[^\w.-]+", "_", name).lstrip("._")
        stem = flat[-150:] + ("" if source.index is None else f"_{source.index:04d}")
        stem += f"_x{place.x}_y{place.y}_s{place.size}" if place else ""
        name, count = f"{stem}_filled.png", 1
        while name in used:
            count += 1
            name = f"{stem}_filled_{count}.png"
        used.add(name)
        target = Path(folder) / name
        if (replaced := inputs.get(os.path.realpath(target))) is not None:
            raise InputError(
                f"{replaced}: is an input, and would be replaced by what is made of {source.path}; "
                f"give another `{option}`"
            )
        names[job.position] = target
    return names
