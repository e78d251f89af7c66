"""Evaluating: masks of a network, or of any program, against labels; tables and pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unetpred import plots
from unetpred.errors import InputError
from unetpred.images.formats.tiff_pages import STACK_ENDINGS
from unetpred.io.files import atomic_path, make_folder
from unetpred.plots.confusion import confusion as confusion_figure
from unetpred.segmentation.data.checked import Checked
from unetpred.segmentation.data.classes import IGNORED, Classes, read_classes
from unetpred.segmentation.data.datasets import VOC, Dataset, Stacks, open_dataset, pair_by_stem
from unetpred.segmentation.data.labels import Label, Survey, read_label
from unetpred.segmentation.measures import (
    confusion_matrix,
    interval_of_mean,
    measures_of,
    v_rand,
)
from unetpred.segmentation.pictures import coloured, overlay
from unetpred.segmentation.predictor import THRESHOLD, Segmenter
from unetpred.segmentation.scores import (
    THRESHOLDS,
    scores_of,
    sweep_of,
    text_of,
    write_confusion,
    write_scores,
    write_table,
)

#: Of grey levels taken as probabilities of class 1, what some mask of a set reaches at least.
LEAST_LEVEL = 32


class _Compared(NamedTuple):
    """One image: what is right, what was found."""

    name: str
    truth: np.ndarray  # (H,W) numbers of classes
    mask: np.ndarray | None  # (H,W); None where there are shares
    shares: np.ndarray | None  # (H,W) of class 1, where there are two
    image: np.ndarray | None


def evaluate_files(
    output_dir: str | os.PathLike[str],
    segmenter: Segmenter | None = None,
    images: str | None = None,
    masks: str | None = None,
    labels: str | None = None,
    voc: str | None = None,
    split: str = "val",
    classes: str | None = None,
    void: int | None = None,
    threshold: float | None = None,
    overlays: int = 8,
    seed: int = 0,
    provenance: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Compare masks with labels, at the size of the labels.

    Writes `scores.json`, `confusion.csv` and `.png`, `per_image.csv`, for two classes `sweep.csv`,
    and pictures in `overlays/`.

    Parameters
    ----------
    output_dir : path-like
    segmenter : Segmenter, optional
        Computes masks of `images`.
    images, labels : str
        Folders, or TIFF files of several pages; or, in their stead, `voc` and `split`.
    masks : str, optional
        In place of `segmenter` and `images`: masks of any program. Of two classes, where any of
        them has grey levels other than 0, 1 and 255, all grey ones are taken as probabilities,
        0..255, and floats, 0..1.
    classes : str, optional
        A file of names; those of the weights, or numbers, if not given.
    void : int, optional
        The value of labels whose pixels do not count; that of the weights if not given.
    threshold : float, optional
        Of two classes; that of the segmenter, or 0.5, if not given.
    overlays : int
        Pictures of so many images.
    seed : int
        Of the bootstrap.
    provenance : mapping of str to str, optional
        What `scores.json` notes.
    progress : callable, optional
        Called with how many images are done, and how many there are.

    Returns
    -------
    str
        The scores in lines, to be read.

    Raises
    ------
    InputError
        If something is missing or does not fit together.
    """
    for name, value in (("overlays", overlays), ("seed", seed)):
        if value < 0:
            raise InputError(f"{name} is {value}; 0 or more is needed")
    folder = make_folder(output_dir)
    if masks is not None:
        compared, known, count = _of_masks(masks, labels, voc, split, classes, void)
    elif segmenter is None:
        raise InputError("neither masks nor a segmenter is given; one of them is needed")
    else:
        compared, known, count = _of_network(segmenter, images, labels, voc, split, classes, void)
    if threshold is None:
        threshold = segmenter.threshold if segmenter else THRESHOLD
    if not 0 <= threshold <= 1:
        raise InputError(f"threshold is {threshold}; 0..1 is needed")
    number, rows, confusions = len(known), [], []
    sweeps = np.zeros((len(THRESHOLDS), 2, 3), np.int64)
    swept: list[list[float]] = []
    soft = False
    shown = (
        set(np.linspace(0, count - 1, min(overlays, count)).round().astype(int)) if count else ()
    )
    for index, one in enumerate(compared):
        mask, shares = one.mask, one.shares
        if shares is not None:
            mask = (shares >= threshold).astype(np.uint8)
            found = [(shares >= at).astype(np.uint8) for at in THRESHOLDS]
            sweeps += np.stack([confusion_matrix(one.truth, m, 2) for m in found])
            swept.append([v_rand(one.truth, m) for m in found])
        assert mask is not None
        confusion = confusion_matrix(one.truth, mask, number)
        confusions.append(confusion)
        measured = measures_of(confusion)
        row = {
            "image": one.name,
            "pixels": int(confusion.sum()),
            "pixel_accuracy": measured.pixel_accuracy,
            "mean_iou": measured.mean_iou,
        }
        if number == 2:
            row["v_rand"] = parts = v_rand(one.truth, mask)
            if shares is None:  # the same at all thresholds
                sweeps += confusion
                swept.append([parts] * len(THRESHOLDS))
            soft = soft or shares is not None
        rows.append(row)
        if index in shown:
            _picture(make_folder(folder / "overlays"), one, mask, known)
        if progress:
            progress(index + 1, count)
    total = np.sum(confusions, axis=0)
    if not total.sum():
        raise InputError(f"{labels or voc}: no pixel of the labels counts")
    scores = scores_of(total, known, confusions, seed)
    if number == 2:
        found_of = [float(str(row["v_rand"])) for row in rows]
        values = [value for value in found_of if np.isfinite(value)]
        scores["v_rand"] = float(np.mean(values)) if values else None
        if values:
            scores["intervals"]["v_rand"] = interval_of_mean(values, seed=seed)
        scores["threshold"] = threshold if soft else None
        scores |= sweep_of(sweeps, swept if soft else [])
    scores |= {
        "void": known.void,
        "images": count,
        "per_image": "per_image.csv",
        "provenance": dict(provenance or {}),
    }
    write_table(folder / "per_image.csv", rows)
    write_confusion(folder / "confusion.csv", total, known)
    if soft:
        write_table(folder / "sweep.csv", scores["sweep"])
    plots.save(confusion_figure(total, known.names), folder / "confusion.png")
    write_scores(folder / "scores.json", scores)
    return text_of(scores, known)


def _of_network(
    segmenter: Segmenter,
    images: Any,
    labels: Any,
    voc: Any,
    split: str,
    classes: Any,
    void: int | None,
) -> tuple[Iterator[_Compared], Classes, int]:
    known = segmenter.classes
    void = known.void if void is None else void
    if classes:
        names, _ = read_classes(classes)
        if len(names) < len(known):
            raise InputError(f"{classes}: names {len(names)} classes, the weights {len(known)}")
    dataset: Dataset = (
        VOC(voc, split, classes, 255 if void is None else void)
        if voc
        else open_dataset(images, labels, classes, void)
    )
    known = replace(known, void=dataset.void)
    checked = Checked(dataset, known, cache=0)

    def compared() -> Iterator[_Compared]:
        for index in range(len(checked)):
            pair = checked[index]
            found = segmenter.probabilities(pair.image)
            hard = None if known.binary else segmenter.decide(found)
            soft = found if known.binary else None
            yield _Compared(checked.name(index), pair.label, hard, soft, pair.image)

    return compared(), known, len(checked)


def _of_masks(
    masks: Any, labels: Any, voc: Any, split: str, classes: Any, void: int | None
) -> tuple[Iterator[_Compared], Classes, int]:
    truth, found, names = _readers(masks, labels, voc, split)
    if voc and void is None:
        void = 255
    survey = Survey(classes, void)
    for index, name in enumerate(names):
        survey.add(truth(index), name)
    known, palettes = survey.classes(), Survey()
    if len(known) > 2 and classes is None:
        # a class may be in masks alone
        for index in range(len(names)):
            label = found(index)[0]
            survey.add(label, found(index)[1])
        known = survey.classes()
    soft = known.binary and _are_levels(survey, known, found, len(names))

    def compared() -> Iterator[_Compared]:
        for index, name in enumerate(names):
            right = known.indices(survey.values(truth(index), name), name)
            label, mask_name = found(index)
            if label.values.shape[:2] != right.shape:
                raise InputError(
                    f"{mask_name}: is {label.values.shape[1]}x{label.values.shape[0]} px (width x "
                    f"height), its label {name} is {right.shape[1]}x{right.shape[0]}"
                )
            values = survey.values(label, mask_name)
            palettes.compare_palettes(label, mask_name)
            grey = label.palette is None and label.values.dtype != bool
            shares = _shares(values, known, mask_name, soft) if grey else None
            mask = known.indices(values, mask_name) if shares is None else None
            yield _Compared(name, right, mask, shares, None)

    return compared(), known, len(names)


def _are_levels(
    survey: Survey, known: Classes, found: Callable[[int], tuple[Label, str]], count: int
) -> bool:
    """Whether any mask has grey levels that are no class: all are taken as probabilities then.

    One of them alone does not tell: an image where nothing was found may have levels 0 and 1.
    """
    most, at, levels = 0, "", False
    for index in range(count):
        label, name = found(index)
        if label.palette is not None or label.values.dtype == bool:
            continue
        values = survey.values(label, name)
        if values.dtype != np.uint8:
            continue
        levels = levels or not set(np.unique(values)) <= {0, 1, 255, known.void}
        if int(values.max()) > most:
            most, at = int(values.max()), name
    if levels and most < LEAST_LEVEL:
        raise InputError(
            f"{at}: has the value {most}, and the labels have two classes; give --classes FILE "
            "with the name of every class if there are more (as probabilities of class 1, levels "
            f"of 0..255, no mask has more than {most / 255:.2f})"
        )
    return levels


def _shares(values: np.ndarray, known: Classes, name: str, soft: bool) -> np.ndarray | None:
    """Give the probabilities that a mask holds, (H,W) 0..1; None where it holds classes."""
    if values.dtype.kind == "f":
        if not known.binary:
            raise InputError(f"{name}: holds floats; for {len(known)} classes integers are needed")
        if not ((values >= 0) & (values <= 1)).all():
            raise InputError(
                f"{name}: has values from {values.min():g} to {values.max():g}; floats are taken "
                "as probabilities, 0..1"
            )
        return values.astype(np.float32)
    return values / np.float32(255) if soft and values.dtype == np.uint8 else None


def _readers(
    masks: Any, labels: Any, voc: Any, split: str
) -> tuple[Callable[[int], Label], Callable[[int], tuple[Label, str]], list[str]]:
    """Give (truth(i), (mask, its name)(i), names of labels)."""
    if voc:
        labels = [label for _, label in VOC(voc, split).pairs]
        places = dict(pair_by_stem(Path(voc) / "SegmentationClass", masks, labels))
        pairs = [(label, places[label]) for label in labels]
    elif str(labels).lower().endswith(STACK_ENDINGS) and not os.path.isdir(labels):
        both = Stacks(masks, labels)

        def of_page(index: int) -> tuple[Label, str]:
            from unetpred.segmentation.data.labels import label_of

            return label_of(*both._images.read(index)), both.name(index)

        return both.label, of_page, [both.label_name(index) for index in range(len(both))]
    else:
        pairs = pair_by_stem(labels, masks)
    return (
        lambda index: read_label(pairs[index][0]),
        lambda index: (read_label(pairs[index][1], floats=True), str(pairs[index][1])),
        [str(label) for label, _ in pairs],
    )


def _picture(folder: Path, one: _Compared, mask: np.ndarray, known: Classes) -> None:
    from PIL import Image

    parts = [coloured(one.truth, known), coloured(mask, known)]
    if one.image is not None:
        drawn = [overlay(one.image, label, known) for label in (one.truth, mask)]
        parts = [one.image, *drawn]
    wrong = np.where((one.truth != mask) & (one.truth != IGNORED), 255, 0).astype(np.uint8)
    parts.append(np.repeat(wrong[..., None], 3, axis=-1))
    page = re.fullmatch(r"(.*) page (\d+)", one.name, re.S)
    stem = f"{Path(page[1]).stem}_{int(page[2]):04d}" if page else Path(one.name).stem
    with atomic_path(folder / f"{stem}.png") as temporary:
        Image.fromarray(np.concatenate(parts, axis=1)).save(temporary)
