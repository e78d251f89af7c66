"""Scores of an evaluation: put together, as tables, as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unetpred.errors import escaped
from unetpred.io.files import atomic_path, write_rows
from unetpred.segmentation.data.classes import Classes
from unetpred.segmentation.measures import OVERALL, PER_CLASS, constant, intervals, measures_of

#: Of two classes, what is tried.
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))


def scores_of(
    total: np.ndarray, known: Classes, confusions: list[np.ndarray], seed: int
) -> dict[str, Any]:
    """Put the scores of a confusion matrix together, with their intervals."""
    measured = measures_of(total)
    scores: dict[str, Any] = {name: measured[name] for name in OVERALL}
    for name in PER_CLASS:
        scores[name] = dict(zip(known.names, map(float, measured[name]), strict=True))
    best, all_one = constant(total)
    absent = [n for n, line in zip(known.names, total, strict=True) if not line.sum()]
    return {
        **scores,
        "absent": absent,
        "all_one_class": {"class": known.names[best], **{n: all_one[n] for n in OVERALL}},
        "intervals": intervals(confusions, seed=seed),
        "intervals_are": "95 %, bootstrap over images, 2000 resamples",
        "classes": list(known.names),
    }


def sweep_of(sweeps: np.ndarray, swept: list[list[float]]) -> dict[str, Any]:
    """Lay out what was measured at each of `THRESHOLDS`: confusion, v_rand by image."""
    if not swept:
        return {"sweep": []}
    rows = []
    for place, threshold in enumerate(THRESHOLDS):
        measured = measures_of(sweeps[place])
        known = [line[place] for line in swept if np.isfinite(line[place])]
        rows.append(
            {
                "threshold": threshold,
                "v_rand": float(np.mean(known)) if known else float("nan"),
                "pixel_accuracy": measured.pixel_accuracy,
                "iou": float(measured.iou[1]),
                "f1": float(measured.f1[1]),
            }
        )
    best = max(rows, key=lambda row: -1 if np.isnan(row["v_rand"]) else row["v_rand"])
    middle = rows[steady([row["v_rand"] for row in rows])]
    return {
        "sweep": rows,
        "best_threshold": best["threshold"],
        "v_rand_at_best_threshold": best["v_rand"],
        "steady_threshold": middle["threshold"],
        "v_rand_at_steady_threshold": middle["v_rand"],
        "best_threshold_is": "chosen on these images: use it on others, do not report it of these",
    }


def steady(values: Sequence[float], tolerance: float = 0.01) -> int:
    """Give the middle of the places about the best one that are nearly as good.

    The best one alone may lie beside a fall, which on other images is elsewhere.

    Parameters
    ----------
    values : sequence of float
        By place; NaN is bad.
    tolerance : float
        By how much less than the best is nearly as good.

    Returns
    -------
    int
        Of two in the middle the lower one.
    """
    known = np.nan_to_num(np.asarray(values, float), nan=-1)
    first = last = int(known.argmax())
    good = known >= known[first] - tolerance
    while first > 0 and good[first - 1]:
        first -= 1
    while last + 1 < len(good) and good[last + 1]:
        last += 1
    return (first + last) // 2


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as csv, whole or not at all."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        write_rows(file, rows[0], (row.values() for row in rows))


def write_confusion(path: Path, total: np.ndarray, known: Classes) -> None:
    """Write a confusion matrix as csv: a row by class of labels, a column by class of masks.

    What masks have that is no class is the last column, if there is any. Classes may be called
    "label" and "none", as columns are.
    """
    names = ["label", *known.names, *(["none"] if total[:, -1].any() else [])]
    rows = (
        (name, *map(int, line[: len(names) - 1]))
        for name, line in zip(known.names, total, strict=True)
    )
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        write_rows(file, names, rows)


def _clean(value: Any) -> Any:
    """Plain values; None for what is no number."""
    if isinstance(value, dict):
        return {str(key): _clean(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(one) for one in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return escaped(value) if isinstance(value, str) else value


def write_scores(path: Path, scores: dict[str, Any]) -> None:
    """Write scores as JSON, whole or not at all; what is no number is null."""
    with atomic_path(path) as temporary:
        text = json.dumps(_clean(scores), indent=1, ensure_ascii=False) + "\n"
        temporary.write_text(text, encoding="utf-8")


def text_of(scores: dict[str, Any], known: Classes) -> str:
    """Give the scores in lines, to be read."""
    lines = []
    one = scores["all_one_class"]
    for name in OVERALL:
        low_high = scores["intervals"].get(name)
        interval = f" [{low_high[0]:.4f}, {low_high[1]:.4f}]" if low_high else ""
        lines.append(f"{name}\t{scores[name]:.4f}{interval}\tall {one['class']}: {one[name]:.4f}")
    if len(known) == 2 and scores["v_rand"] is not None:
        at = "" if scores["threshold"] is None else f"\tat threshold {scores['threshold']:g}"
        low, high = scores["intervals"]["v_rand"]
        lines.append(f"v_rand\t{scores['v_rand']:.4f} [{low:.4f}, {high:.4f}]{at}")
    for name in known.names:
        parts = [f"{measure} {scores[measure][name]:.4f}" for measure in PER_CLASS]
        lines.append(f"{name}\t{', '.join(parts)}")
    if scores["absent"]:
        lines.append(f"in no label: {', '.join(scores['absent'])}")
    return "\n".join(lines)
