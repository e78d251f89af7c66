"""An evaluation as tables, to read and to compute with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unetpred.errors import escaped
from unetpred.evaluation.measures import (
    COMPARED,
    FEW,
    LAYER_MEASURES,
    MEASURES,
    NETWORK,
    SSIM_WINDOW,
    Evaluation,
    Row,
    Summary,
)
from unetpred.io.files import atomic_path, write_rows

_LEGEND = {
    "structure": "structure: Pearson's r between filling and original in the hole, -1..1; "
    "higher is better",
    "structure_luminance": "structure of luminance: the same of one number per pixel, "
    "0.2126 R + 0.7152 G + 0.0722 B (ITU-R BT.709) of encoded values; higher is better; a filling "
    "of one colour has none",
    "content": "content: distance of their VGG-16 features, 0..2, mean of five layers; lower is "
    "better",
    "l1": "L1: mean absolute difference in the hole, grey levels (0..255); lower is better",
    "psnr": "PSNR: peak signal-to-noise ratio in the hole, dB (peak 255); higher is better; "
    "over the images for which it is finite for every method",
    "ssim": f"SSIM: structural similarity in the hole, {SSIM_WINDOW}x{SSIM_WINDOW} px windows, "
    "at most 1; higher is better",
}
#: How tables are encoded. Names of files need not be text: they are `escaped`.
TEXT: Any = {"encoding": "utf-8", "errors": "backslashreplace"}
_HEADS = {
    "structure": "structure r",
    "structure_luminance": "r of luminance",
    "l1": "L1",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
}


def write_csv(
    path: Path, rows: Sequence[Row] | Sequence[Summary], notes: Mapping[str, str]
) -> None:
    """Write tuples with names as a table, without the columns that are None."""
    fields = [name for name in rows[0]._fields if getattr(rows[0], name) is not None]
    with atomic_path(path) as temporary, temporary.open("w", newline="", **TEXT) as file:
        file.writelines(f"# {key}: {escaped(value)}\n" for key, value in notes.items())
        write_rows(file, fields, ([getattr(row, name) for name in fields] for row in rows))


def markdown(evaluation: Evaluation, notes: Mapping[str, str]) -> str:
    """Lay the summary out as tables, one per size of hole."""
    summary = evaluation.summary
    cells = {(s.hole, s.method, s.against, s.measure): s for s in summary}
    measures = [name for name in MEASURES if any(s.measure == name for s in summary)]
    layers = [name for name in LAYER_MEASURES if any(s.measure == name for s in summary)]
    compared = [name for name in COMPARED if name in measures]
    lines = [
        "# Evaluation",
        "",
        *(f"* {key}: {escaped(value)}" for key, value in notes.items()),
        "",
    ]
    lines += [
        f"Means over images [95 % interval, of {FEW} images or more]; n where there are fewer, or "
        "a measure is undefined for some."
    ]
    lines += ["", *(f"* {_LEGEND[measure]}" for measure in measures)]
    if "content" not in measures:
        lines.append("* content is left out: no VGG-16 was given")
    for hole in dict.fromkeys(s.hole for s in summary):
        methods = dict.fromkeys(s.method for s in summary if s.hole == hole)
        against = dict.fromkeys(s.against for s in summary if s.hole == hole and s.against)
        heads = [_HEADS.get(measure, measure) for measure in measures]
        lines += ["", f"## Hole of {hole} px", "", *_table_head(["method", *heads, "median r"])]
        for method in methods:
            entries = [_cell(cells[hole, method, "", measure]) for measure in measures]
            median = f"{cells[hole, method, '', 'structure'].median:.3f}"
            lines.append(f"| {method} | {' | '.join([*entries, median])} |")
        if against:
            heads = [_HEADS.get(measure, measure) for measure in compared]
            lines += ["", *_table_head([f"{NETWORK} minus", *heads])]
        for method in against:
            entries = [_cell(cells[hole, NETWORK, method, measure], "+") for measure in compared]
            lines.append(f"| {method} | {' | '.join(entries)} |")
        if layers:
            heads = [measure.removeprefix("content_") for measure in layers]
            lines += ["", *_table_head(["content by layer", *heads])]
            for method in methods:
                entries = [_mean(cells[hole, method, "", measure]) for measure in layers]
                lines.append(f"| {method} | {' | '.join(entries)} |")
    return "\n".join(lines) + "\n"


def _table_head(heads: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]


def _cell(summary: Summary, sign: str = "") -> str:
    if not summary.images:
        return "undefined"
    numbers = (summary.mean, summary.low, summary.high)
    mean, low, high = (f"{number:{sign}.{MEASURES[summary.measure]}f}" for number in numbers)
    if summary.images < FEW:
        return f"{mean} (n={summary.images})"
    count = f" (n={summary.images})" if summary.undefined else ""
    return f"{mean} [{low}, {high}]{count}"


def _mean(summary: Summary) -> str:
    if not summary.images:
        return "undefined"
    return f"{summary.mean:.{LAYER_MEASURES[summary.measure]}f}"
