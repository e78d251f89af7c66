"""How well a network fills holes in photographs, beside simple fillings of the same holes."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unetpred import __version__
from unetpred.backends.precision import full_float32
from unetpred.errors import InputError
from unetpred.evaluation.gallery import examples, pages_in, save_pages
from unetpred.evaluation.measures import NETWORK, Evaluation, Row, measure, summarise
from unetpred.evaluation.tables import TEXT, markdown, write_csv
from unetpred.fillings.simple import BASELINES
from unetpred.holes.masks import DEFAULT_HOLE, check_mask, hole_mask
from unetpred.images.colour import from_network, to_network
from unetpred.io.files import atomic_path, make_folder
from unetpred.photographs.dataset import central_crops, list_photographs
from unetpred.scoring.content import contents, pairs_per_pass
from unetpred.scoring.scores import Content

if TYPE_CHECKING:
    import keras

logger = logging.getLogger(__name__)


def evaluate(
    model: keras.Model,
    files_or_folder: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output_dir: str | os.PathLike[str],
    holes: Sequence[int] = (26, 52, 104),
    side: int = 224,
    baselines: Sequence[str] = tuple(BASELINES),
    vgg: keras.Model | None = None,
    resamples: int = 2000,
    seed: int = 0,
    gallery: int = 24,
    batch_size: int = 8,
    progress: Callable[[int, int], None] | None = None,
    provenance: Mapping[str, object] | None = None,
) -> Evaluation:
    """Measure a network's fillings of centred square holes, and those of simple methods.

    Of every photograph the central side x side px are taken (one with a shorter side is enlarged
    to it). A filling is clipped to 0..255 and compared, in the hole alone, with what was there;
    neither network nor baselines see it. Written into `output_dir`, each file whole or not at
    all:

    * `evaluation.csv`: a line per `Row`, in full precision;
    * `summary.csv`: a line per `Summary`;
    * `summary.md`: the same as tables to read;
    * `gallery.png`, and as many further pages (`gallery_2.png` and on) as are needed: original,
      masked and filled in by every method, scores below, for the hole of 52 px (the middle one of
      `holes` if that is not among them). The examples are not chosen by hand: they are evenly
      spaced in rank, from the network's best structure to its worst, undefined ones last.

    Parameters
    ----------
    model : keras.Model
        From `unetpred.load_model` or `build_unetpred`.
    files_or_folder : path-like, or sequence of them
        A folder of photographs (with all its folders), or image files. Files that cannot be read
        are named in a warning and left out.
    output_dir : path-like
        Made if it does not exist.
    holes : sequence of int
        Sides of the holes, px.
    side : int
        Side of the crops, px.
    baselines : sequence of str
        Of `unetpred.fillings.simple.BASELINES`. "telea" is left out, with a warning, where OpenCV
        is not installed.
    vgg : keras.Model, optional
        ``unetpred.network.vgg16.vgg_model(path, CONTENT_LAYERS)``. Without it content is left out.
    resamples, seed : int
        For the intervals, see `summarise`.
    gallery : int
        Number of examples in the gallery at most; 0 for none.
    batch_size : int
        Photographs per pass of the network; bounds the memory and changes no measure.
    progress : callable, optional
        Called with the number of photographs done and that of all.
    provenance : mapping, optional
        What else to say in every table, such as the name of the weights and their hash: lines
        that start with "#" in csv, a list in `summary.md`.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        If there is no photograph that can be read, a hole does not fit into the crop or leaves
        nothing visible, a baseline is unknown, a number is out of range, or `output_dir` cannot
        be written to.
    """
    for name, value, least in (
        ("side", side, 1),
        ("resamples", resamples, 1),
        ("seed", seed, 0),
        ("gallery", gallery, 0),
        ("batch_size", batch_size, 1),
    ):
        if not isinstance(value, (int, np.integer)) or value < least:
            raise InputError(f"{name}={value!r}: a whole number of at least {least} is needed")
    holes = list(dict.fromkeys(holes))
    if not holes:
        raise InputError("no size of hole was given; give at least one, such as 52")
    names = _named_files(files_or_folder, output_dir)
    baselines = _available(baselines)
    if gallery and not _importable("matplotlib"):
        logger.warning("the gallery is left out: matplotlib is not installed")
        gallery = 0
    if vgg is None:
        logger.info("content is left out: no VGG-16 was given")
    # The network is built only for holes that fit, the folder only for what can be evaluated.
    masks = {hole: _square(side, hole) for hole in holes}
    folder = make_folder(output_dir)
    fillers = {hole: _Filler(model, mask, baselines) for hole, mask in masks.items()}

    files, rows = list(names), []
    read: list[Path] = []
    crops: dict[Path, np.ndarray] = {}
    for position, file in enumerate(files, start=1):
        for _, crop in central_crops([file], side):
            # A copy, because a view of the middle would keep the whole photograph in memory.
            crops[file] = crop.copy()
        # Full batches even where files are skipped: every other size would be compiled anew.
        if crops and (len(crops) == batch_size or position == len(files)):
            rows += _measured(crops, names, fillers, vgg)
            read += crops
            crops = {}
        if progress:
            progress(position, len(files))
    if not read:
        raise InputError(f"{files[0]}: none of {len(files)} photograph(s) can be read")

    result = Evaluation(rows, summarise(rows, resamples, seed), len(files) - len(read))
    notes = {
        "unetpred": __version__,
        **(provenance or {}),
        "photographs": f"{len(read)}, and {result.skipped} that could not be read",
        "crop": f"the central {side}x{side} px of each; one with a shorter side is enlarged",
        "holes": f"squares in the centre, of {', '.join(map(str, holes))} px",
        "intervals": f"95 %, percentile bootstrap of the mean over images, {resamples} "
        f"resamples, seed {seed}",
    }
    lines = {key: " ".join(str(value).split()) for key, value in notes.items()}
    write_csv(folder / "evaluation.csv", rows, lines)
    write_csv(folder / "summary.csv", result.summary, lines)
    with atomic_path(folder / "summary.md") as temporary:
        temporary.write_text(markdown(result, lines), **TEXT)
    if gallery:
        hole = DEFAULT_HOLE if DEFAULT_HOLE in holes else sorted(holes)[len(holes) // 2]
        shown = [row for row in rows if row.hole == hole]
        save_pages(examples(shown, read, fillers[hole], gallery), folder)
    return result


class _Filler:
    """Fills one hole by all methods.

    Gives per method what it puts there, float32 (N,h,h,3), RGB 0..255, for crops (N,H,W,3).
    """

    def __init__(self, model: keras.Model, mask: np.ndarray, baselines: Sequence[str]) -> None:
        from unetpred.network.model import build_hole_model

        rows, columns = np.nonzero(mask == 0)
        box = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
        self.mask = mask  # (H,W)
        self.patch = slice(box[0], box[2]), slice(box[1], box[3])
        self._baselines = baselines
        self._network = build_hole_model(model, *mask.shape, box)
        channels = model.inputs[1].shape[-1]
        self._masks = np.repeat(mask[None, ..., None], channels, axis=-1)  # (1,H,W,1 or 3)

    @full_float32()
    def __call__(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        # Hidden by us as well: no network, whatever it makes of its mask, may see the answer.
        images = to_network(crops.astype("float32")) * self.mask[..., None]
        output = self._network.predict_on_batch([images, self._masks])  # (N,h,h,3)
        fillings = {NETWORK: np.clip(from_network(np.asarray(output, "float32")), 0, 255)}
        for name in self._baselines:
            filled = [BASELINES[name](crop, self.mask)[self.patch] for crop in crops]
            fillings[name] = np.stack(filled)
        return fillings


def _measured(
    crops: Mapping[Path, np.ndarray],
    names: Mapping[Path, str],
    fillers: Mapping[int, _Filler],
    vgg: keras.Model | None,
) -> list[Row]:
    """Fill every hole of a batch of crops by every method and measure the fillings."""
    stacked = np.stack(list(crops.values()))
    rows: dict[tuple[int, int], list[Row]] = {}
    for hole, filler in fillers.items():
        fillings = filler(stacked)
        originals = stacked[:, filler.patch[0], filler.patch[1]]
        nothing: list[Content | None] = [None] * len(crops)
        scores = dict.fromkeys(fillings, nothing)
        if vgg is not None:
            count = pairs_per_pass(*originals.shape[1:3])
            found = contents(list(fillings.values()), originals, vgg, batch_size=count)
            for method, score in zip(fillings, found, strict=True):
                alone = zip(score.total, score.layers, strict=True)
                scores[method] = [Content(*pair, score.reason) for pair in alone]
        for index, file in enumerate(crops):
            rows[index, hole] = [
                measure(
                    names[file], method, patches[index], originals[index], scores[method][index]
                )
                for method, patches in fillings.items()
            ]
    order = [(index, hole) for index in range(len(stacked)) for hole in fillers]
    return [row for key in order for row in rows[key]]


def _square(side: int, hole: int) -> np.ndarray:
    """Make the mask (side,side) of a centred hole that leaves something visible."""
    mask = hole_mask((side, side), hole)
    check_mask(mask, (side, side), f"a hole of {hole} px in a crop of {side} px")
    return mask


def _named_files(
    files_or_folder: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output_dir: str | os.PathLike[str],
) -> dict[Path, str]:
    """Give the photographs and what to call them: within a folder, by their place in it."""
    if isinstance(files_or_folder, (str, os.PathLike)):
        folder = Path(files_or_folder)
        # the gallery of an evaluation before this one is no photograph
        files = list_photographs(folder, pages_in(Path(output_dir)))
        return {file: file.relative_to(folder).as_posix() for file in files}
    named = {Path(file): str(file) for file in files_or_folder}
    if not named:
        raise InputError("no photograph was given; give a folder or at least one file")
    return named


def _available(baselines: Iterable[str]) -> list[str]:
    """Give those baselines that can be computed here."""
    baselines = list(dict.fromkeys(baselines))
    unknown = [name for name in baselines if name not in BASELINES]
    if unknown:
        raise InputError(
            f"unknown baselines {', '.join(unknown)}; there are {', '.join(BASELINES)}"
        )
    if "telea" in baselines and not _importable("cv2"):
        logger.warning(
            "telea is left out: OpenCV is not installed (pip install opencv-python-headless)"
        )
        baselines.remove("telea")
    return baselines


def _importable(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True
