"""How well a network fills holes in photographs, beside simple fillings of the same holes."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unetpred import __version__
from unetpred.errors import InputError
from unetpred.evaluation.fillers import Filler, measured
from unetpred.evaluation.gallery import examples, pages_in, save_pages
from unetpred.evaluation.measures import Evaluation, Row, summarise
from unetpred.evaluation.tables import TEXT, markdown, write_csv
from unetpred.fillings.simple import BASELINES
from unetpred.holes.masks import DEFAULT_HOLE, check_mask, hole_mask
from unetpred.io.files import atomic_path, make_folder
from unetpred.photographs.dataset import central_crops, list_photographs

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
    * `gallery.png`: original, masked and filled in by every method, scores below, for the hole
      of 52 px (the middle one of `holes` if that is not among them). The examples are not
      chosen by hand: they are evenly spaced in rank, from the network's best structure to its
      worst, undefined ones last.

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
    evaluator = Evaluator(
        model,
        files_or_folder,
        output_dir,
        holes,
        side,
        baselines,
        vgg,
        resamples,
        seed,
        gallery,
        batch_size,
    )
    rows: list[Row] = []
    done = 0
    for batch in evaluator.batches:
        rows += evaluator.compute(evaluator.read(batch))
        for _ in batch:
            done += 1
            if progress:
                progress(done, len(evaluator.names))
    return evaluator.finish(rows, provenance)


class Evaluator:
    """An evaluation batch by batch, for whoever runs it: `evaluate`, or a long run.

    Parameters
    ----------
    model, files_or_folder, output_dir, holes, side, baselines, vgg, resamples, seed, gallery
        As for `evaluate`.
    batch_size
        As for `evaluate`.

    Attributes
    ----------
    names : dict of Path to str
        The photographs and what to call them.
    batches : list of list of Path
        What is measured together.
    batch_size : int
        Photographs per pass of the network.
    folder : Path
        Where the results go.

    Raises
    ------
    InputError
        As `evaluate`, but for photographs, which are read later.
    """

    def __init__(
        self,
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
    ) -> None:
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
        self.names = _named_files(files_or_folder, output_dir)
        baselines = _available(baselines)
        if gallery and not _importable("matplotlib"):
            logger.warning("the gallery is left out: matplotlib is not installed")
            gallery = 0
        if vgg is None:
            logger.info("content is left out: no VGG-16 was given")
        # The network is built only for holes that fit, the folder only for what can be evaluated.
        masks = {hole: _square(side, hole) for hole in holes}
        self.folder = make_folder(output_dir)
        self._holes, self._baselines = holes, baselines
        self._fillers = {hole: Filler(model, mask, baselines) for hole, mask in masks.items()}
        files = list(self.names)
        self.batches = [files[i : i + batch_size] for i in range(0, len(files), batch_size)]
        self.batch_size = batch_size
        self._side, self._vgg, self._gallery = side, vgg, gallery
        self._resamples, self._seed = resamples, seed

    def bare(self) -> Evaluator:
        """The same without networks and photographs, to be sent elsewhere and `load` them there."""
        other = copy(self)
        other._fillers, other._vgg, other.names, other.batches = {}, None, {}, []
        return other

    def load(self, model: keras.Model, vgg: keras.Model | None) -> None:
        """Take networks."""
        self._vgg = vgg
        masks = {hole: _square(self._side, hole) for hole in self._holes}
        self._fillers = {hole: Filler(model, m, self._baselines) for hole, m in masks.items()}

    @property
    def measures_content(self) -> bool:
        """Whether VGG-16 is used."""
        return self._vgg is not None

    @property
    def notes(self) -> dict[str, str]:
        """What is measured, and how; in every table."""
        side = self._side
        return {
            "crop": f"the central {side}x{side} px of each; one with a shorter side is enlarged",
            "holes": f"squares in the centre, of {', '.join(map(str, self._fillers))} px",
            "intervals": f"95 %, percentile bootstrap of the mean over images, {self._resamples} "
            f"resamples, seed {self._seed}",
        }

    def read(self, batch: Sequence[Path]) -> dict[Path, np.ndarray]:
        """The middle (side,side,3) of each photograph that can be read; others are warned of."""
        # A copy, because a view of the middle would keep the whole photograph in memory.
        return {file: crop.copy() for file, crop in central_crops(list(batch), self._side)}

    def compute(self, crops: Mapping[Path, np.ndarray]) -> list[Row]:
        """Fill every hole by every method and measure the fillings."""
        return measured(crops, self.names, self._fillers, self._vgg) if crops else []

    def finish(self, rows: list[Row], provenance: Mapping[str, object] | None = None) -> Evaluation:
        """Write the tables and the gallery.

        Parameters
        ----------
        rows : list of Row
            Of all batches, in their order.
        provenance
            As for `evaluate`.

        Raises
        ------
        InputError
            If there are none.
        """
        files = list(self.names)
        there = {row.image for row in rows}
        read = [file for file in files if self.names[file] in there]
        if not read:
            raise InputError(f"{files[0]}: none of {len(files)} photograph(s) can be read")
        result = Evaluation(
            rows, summarise(rows, self._resamples, self._seed), len(files) - len(read)
        )
        notes = {
            "unetpred": __version__,
            **(provenance or {}),
            "photographs": f"{len(read)}, and {result.skipped} that could not be read",
            **self.notes,
        }
        lines = {key: " ".join(str(value).split()) for key, value in notes.items()}
        write_csv(self.folder / "evaluation.csv", rows, lines)
        write_csv(self.folder / "summary.csv", result.summary, lines)
        with atomic_path(self.folder / "summary.md") as temporary:
            temporary.write_text(markdown(result, lines), **TEXT)
        if self._gallery:
            sizes = list(self._fillers)
            hole = DEFAULT_HOLE if DEFAULT_HOLE in sizes else sorted(sizes)[len(sizes) // 2]
            shown = [row for row in rows if row.hole == hole]
            save_pages(examples(shown, read, self._fillers[hole], self._gallery), self.folder)
        return result


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
