"""Masks of files: one for each image, a stack for a stack; going on where a run was stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unetpred.errors import InputError, WriteError, reason_of
from unetpred.images.formats.tiff_pages import Pages, is_stack, write_pages
from unetpred.images.sources import Source, list_sources
from unetpred.io.files import atomic_path, is_of_disk, make_folder
from unetpred.runtime.interrupt import stop_signals
from unetpred.segmentation.data.checked import as_image
from unetpred.segmentation.data.datasets import read_page
from unetpred.segmentation.data.labels import write_mask
from unetpred.segmentation.pictures import overlay
from unetpred.segmentation.predictor import Segmenter
from unetpred.training.records.checkpoints import remove_leftovers

SETTINGS = "segment.json"
#: What of a provenance may differ between the masks of one folder.
_VARYING = ("date", "command", "weights")


@dataclass
class Written:
    """What `write_masks` did.

    Attributes
    ----------
    files : list of Path
        The masks that are there, also those of the run that this one went on with.
    errors : list of str
        What is wrong with inputs, one line each.
    stopped : int
        The number of the signal that stopped it; 0 if none did.
    """

    files: list[Path] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    stopped: int = 0


@dataclass(frozen=True)
class MaskJob:
    """One input: a picture, or a stack of them."""

    target: Path  # where the mask goes, without what is added to the name
    source: Source | None  # None for a stack
    path: str

    def names(self, overlays: bool, probabilities: str | None) -> list[Path]:
        ending = ".png" if self.source else ".tif"
        added = [f"_mask{ending}"]
        added += [f"_overlay{ending}"] * overlays
        added += [f"_prob.{probabilities}"] * bool(probabilities)
        return [self.target.with_name(self.target.name + one) for one in added]


def write_masks(
    segmenter: Segmenter,
    inputs: Sequence[str | os.PathLike[str]],
    output_dir: str | os.PathLike[str],
    key: str | None = None,
    recursive: bool = False,
    overlays: bool = False,
    probabilities: str | None = None,
    resume: bool = False,
    provenance: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Written:
    """Write the masks of images.

    For an image NAME.jpg there is `NAME_mask.png`, with a palette, of the image's own size; for a
    TIFF file of several pages `NAME_mask.tif`, of as many; for a picture of an array
    `NAME_0000_mask.png`. `segment.json` says how they were made.

    Parameters
    ----------
    segmenter : Segmenter
    inputs : sequence of path-like
        Images, TIFF stacks, arrays, folders; see `unetpred.images.sources.list_sources`.
    output_dir : path-like
        Made if it is not there.
    key, recursive
        As for `list_sources`.
    overlays : bool
        Whether the mask is also drawn over the image, `NAME_overlay.png`.
    probabilities : {"npy", "npz"}, optional
        Write `NAME_prob.npy` too: float32 (H,W,K), of two classes (H,W), that of class 1; of a
        stack with N in front. In a npz it is called `probabilities`.
    resume : bool
        Leave alone what is there already.
    provenance : mapping of str to str, optional
        What is noted in `segment.json` beside the settings.
    progress : callable, optional
        Called with how many inputs are done, and how many there are.

    Returns
    -------
    Written

    Raises
    ------
    InputError
        If two inputs would be written to the same file, or an input be replaced, the folder cannot
        be written to, or what shall be gone on with was made with other settings.
    WriteError
        If the disk is full, say; the masks before are kept.
    """
    written, jobs = begin_masks(
        segmenter, inputs, output_dir, key, recursive, resume, provenance, overlays, probabilities
    )
    with stop_signals() as stop:
        for done, job in enumerate(jobs):
            if stop:
                written.stopped = stop[0]
                break
            files = job.names(overlays, probabilities)
            if not (resume and all(file.is_file() for file in files)):
                try:
                    make_folder(job.target.parent)
                    write_job(segmenter, job, files)
                except InputError as error:
                    written.errors.append(str(error))
                    files = []
                except WriteError as error:
                    if not written.files:
                        raise
                    told = WriteError(f"{error}; the masks before it are kept, `resume` goes on")
                    told.errno = error.errno
                    raise told from None
            written.files += files[:1]
            if progress:
                progress(done + 1, len(jobs))
    return written


def begin_masks(
    segmenter: Segmenter,
    inputs: Sequence[str | os.PathLike[str]],
    output_dir: str | os.PathLike[str],
    key: str | None,
    recursive: bool,
    resume: bool,
    provenance: Mapping[str, str] | None,
    overlays: bool,
    probabilities: str | None,
) -> tuple[Written, list[MaskJob]]:
    """List what there is to do, and note in the folder how it is done; all as `write_masks`."""
    written = Written()
    folder = make_folder(output_dir)
    remove_leftovers(folder)
    jobs = _jobs(inputs, folder, key, recursive, written.errors)
    begun = resume and (folder / SETTINGS).is_file()
    jobs = _without_own(jobs, overlays, probabilities, resume, begun)
    _note_settings(folder / SETTINGS, segmenter, dict(provenance or {}), resume)
    return written, jobs


def _jobs(
    inputs: Sequence[str | os.PathLike[str]],
    folder: Path,
    key: str | None,
    recursive: bool,
    errors: list[str],
) -> list[MaskJob]:
    jobs = []
    for given in (os.fspath(one) for one in inputs):
        if is_stack(given):
            jobs.append(MaskJob(folder / Path(given).stem, None, given))
            continue
        (found,) = list_sources([given], key, recursive, smallest=1)
        if found.error:
            errors.append(found.error)
        for source in found.sources:
            path = Path(source.path)
            within = path.parent.relative_to(given) if found.kind == "directory" else Path()
            if found.kind == "directory" and is_stack(path):
                jobs.append(MaskJob(folder / within / path.stem, None, source.path))
                continue
            name = path.stem if source.index is None else f"{path.stem}_{source.index:04d}"
            jobs.append(MaskJob(folder / within / name, source, source.path))
    seen: dict[Path, str] = {}
    for job in jobs:
        if job.target in seen:
            raise InputError(
                f"{job.path}: its mask would be that of {seen[job.target]}, "
                f"{job.target.name}_mask; give them one by one, with a folder for each"
            )
        seen[job.target] = job.path
    return jobs


def _without_own(
    jobs: list[MaskJob], overlays: bool, probabilities: str | None, resume: bool, begun: bool
) -> list[MaskJob]:
    """Refuse to replace an input; who goes on leaves out the masks made of the others.

    Where no run has `begun` yet they are not of a run, and are left only if nothing is missing
    beside them.
    """
    names = [job.names(overlays, probabilities) for job in jobs]
    made = {os.path.realpath(file): place for place, files in enumerate(names) for file in files}
    own = [job for job in jobs if os.path.realpath(job.path) in made]
    for job in own:
        place = made[os.path.realpath(job.path)]
        if not (begun or (resume and all(file.is_file() for file in names[place]))):
            raise InputError(
                f"{job.path}: is an input, and would be replaced by what is made of "
                f"{jobs[place].path}; give another `output_dir`"
            )
    return [job for job in jobs if job not in own]


def _note_settings(path: Path, segmenter: Segmenter, origin: dict[str, Any], resume: bool) -> None:
    classes = segmenter.classes
    about = {
        **classes.as_dict(),
        "masks": dict(zip(map(str, classes.written), classes.names, strict=True)),
        "threshold": segmenter.threshold if classes.binary else None,
        "tile": segmenter.tile,
        "turning": segmenter.turning,
        **origin,
    }
    if resume and path.is_file():
        try:
            before = json.loads(path.read_text("utf-8"))
            if not isinstance(before, dict):
                raise ValueError("it holds no settings")
        except ValueError as error:
            raise InputError(f"{path}: is damaged ({reason_of(error)}); remove it") from None
        changed = [
            f"{name} {about[name]} (was {before[name]})"
            for name in about
            if name in before and name not in _VARYING and about[name] != before[name]
        ]
        if changed:
            raise InputError(
                f"{path}: the masks there were made with other settings, {', '.join(changed)}; "
                "give those, or another --output_dir"
            )
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", "utf-8")


def write_job(segmenter: Segmenter, job: MaskJob, files: list[Path]) -> None:
    """Write what belongs to one input: the mask last, so that it tells that all is there."""
    if job.source is None:
        _write_stack(segmenter, Pages(job.path), files)
        return
    source = job.source
    image = as_image(source.load(), job.path)
    mask_file, *others = files
    shares = next((file for file in others if file.suffix != ".png"), None)
    with _shares(shares, _shape(segmenter, image.shape[:2])) as target:
        mask = _mask(segmenter, image, target)
    for file in others:
        if file.suffix == ".png":
            _write_picture(file, overlay(image, mask, segmenter.classes))
    write_mask(mask_file, segmenter.classes.labels(mask), segmenter.classes.palette())


def _mask(segmenter: Segmenter, image: np.ndarray, target: np.ndarray | None) -> np.ndarray:
    """The mask of an image, (H,W) numbers of classes; its probabilities go to `target`."""
    mask, row = np.empty(image.shape[:2], np.uint8), 0
    for band in segmenter.bands(image):
        mask[row : row + len(band)] = segmenter.decide(band)
        if target is not None:
            target[row : row + len(band)] = band
        row += len(band)
    return mask


def _shape(segmenter: Segmenter, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape if segmenter.classes.binary else (*shape, len(segmenter.classes))


def _write_stack(segmenter: Segmenter, pages: Pages, files: list[Path]) -> None:
    mask_file, *others = files
    classes = segmenter.classes
    shares = next((file for file in others if file.suffix != ".tif"), None)
    size = read_page(pages, 0).shape[:2]

    def image(index: int) -> np.ndarray:
        found = as_image(read_page(pages, index), pages.name(index))
        if found.shape[:2] != size and shares is not None:
            raise InputError(
                f"{pages.name(index)}: is of another size than the first page; probabilities of "
                "such a stack are no array"
            )
        return found

    with _shares(shares, (len(pages), *_shape(segmenter, size))) as target:

        def masks() -> Iterator[np.ndarray]:
            for index in range(len(pages)):
                place = None if target is None else target[index]
                yield classes.labels(_mask(segmenter, image(index), place))

        # all pages are computed before the first file appears
        write_pages(mask_file, masks(), classes.palette())
    drawn = next((file for file in others if file.suffix == ".tif"), None)
    if drawn is not None:
        made = Pages(mask_file)  # read again, since all masks of a stack may not fit in memory
        write_pages(
            drawn,
            (
                overlay(image(i), classes.indices(made.read(i)[0], made.name(i)), classes)
                for i in range(len(made))
            ),
        )


def _write_picture(path: Path, picture: np.ndarray) -> None:
    from PIL import Image

    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")


@contextmanager
def _shares(path: Path | None, shape: tuple[int, ...]) -> Iterator[np.ndarray | None]:
    """Give an array to fill that becomes a file when the block ends well; None without a path."""
    if path is None:
        yield None
        return
    with atomic_path(path) as temporary:
        if path.suffix == ".npy":
            array = np.lib.format.open_memmap(temporary, "w+", np.float32, shape)
            _take_room(temporary)
            yield array
            array.flush()
        else:
            filled = np.empty(shape, np.float32)
            yield filled
            np.savez_compressed(temporary, probabilities=filled)


def _take_room(path: Path) -> None:
    """Have the disk keep room for all of a file, or raise.

    A process that writes to mapped memory for which the disk has no room any more is ended.
    """
    with path.open("r+b") as file, suppress(AttributeError):  # not everywhere
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if is_of_disk(error):
                raise
