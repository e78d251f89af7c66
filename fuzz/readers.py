"""The doors through which files come in, each asked for all that it gives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from unittest import mock

import numpy as np

from fuzz.samples import SIDE


def read_sources(path: Path) -> object:
    """Size and pixels of the first and the last picture of a file."""
    from unetpred.errors import InputError
    from unetpred.images.sources import list_sources

    (entry,) = list_sources([path])
    if entry.error is not None:
        raise InputError(entry.error)
    found = []
    for source in dict.fromkeys((0, len(entry.sources) - 1)):
        source = entry.sources[source]
        size, pixels = source.size, source.load()
        assert pixels.shape[-1] == 3 and min(size) > 0 and np.isfinite(pixels).all()
        found.append(pixels)
    return found


def read_label(path: Path) -> object:
    """A label of segmentation, or the first and the last page of a stack of them."""
    from unetpred.images.formats.tiff_pages import Pages, is_stack
    from unetpred.segmentation.data.labels import read_label

    if not is_stack(path):
        return [read_label(path).values]
    pages = Pages(path)
    return [pages.read(index)[0] for index in (0, len(pages) - 1)]


def read_mask(path: Path) -> object:
    """A mask, or all of a stack."""
    from unetpred.holes.masks import load_mask

    mask = load_mask(path)
    return [mask] if isinstance(mask, np.ndarray) else [mask[0], mask[len(mask) - 1]]


def read_sites(path: Path) -> object:
    """A table of sites."""
    from unetpred.holes.sites import read_sites

    return [repr(site) for site in read_sites(path)]


def read_weights(path: Path) -> object:
    """Weights, up to where the network is built; what reads them is a process of its own here."""
    from unetpred.io.hdf5 import read_here, shards
    from unetpred.io.reading import check_regular, reading
    from unetpred.weights import files

    with reading(str(path)):
        for part in filter(Path.exists, (path, *shards(path))):
            check_regular(part)
        file = read_here(path, "a file of U-Net-Pred weights")
        files.check_arrays(path, file)
        config = files._architecture(path, files._named_by_order(file.layers), file.note)
    json.dumps(config.as_dict())
    return [array for layer in file.layers.values() for array in layer.values()]


def weights_by_the_door(path: Path) -> object:
    """Weights as the command line reads them."""
    from unetpred.weights.files import describe

    return describe(path)


def read_state(path: Path) -> object:
    """A state of training; what would be tried in a process of its own is this one here."""
    from unetpred.training.records import checkpoints

    with mock.patch.object(checkpoints, "opens", lambda path: True):
        return state_by_the_door(path)


def state_by_the_door(path: Path) -> object:
    """A state of training, and whether going on from it is refused."""
    from unetpred.training.records.checkpoints import STATE, last_state, read_run

    folder = path.parent / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(path, folder / STATE)
    count = len(list(folder.iterdir()))
    try:
        state = last_state(folder)
        return [json.dumps(read_run(state))]
    finally:
        assert len(list(folder.iterdir())) == count, "a file has gone"


def read_history(path: Path) -> object:
    """The curves of a run, as they are taken up again."""
    from unetpred.training.records import log

    folder = path.parent / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(path, folder / "history.csv")
    with mock.patch.object(log, "Board"):  # TensorBoard's files are only written
        log.RunLog(folder, 50).close()
    return [json.dumps(log.read_history(folder / "history.csv"))]


def _as_part(path: Path, name: str) -> tuple[Path, bytes]:
    """Put what an interrupted run has left where it is looked for."""
    folder = path.parent / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(path, folder / name)
    return folder / name, path.read_bytes()


def _check_kept(part: Path, content: bytes) -> None:
    """Refuse, as far as the counts go, what was set aside; it must be kept as it was."""
    from unetpred.errors import InputError

    aside = part.with_name(f"{part.name}.damaged-1")
    if aside.exists():
        assert aside.read_bytes() == content, "what was damaged is not kept"
        raise InputError("set aside")
    assert part.exists(), "a file has gone"


def read_part(path: Path) -> object:
    """Rows of an unfinished table; one that is read must be as it was written."""
    from fuzz.samples import PART_KEYS, PART_SETTINGS, part_rows
    from unetpred.runs.part_file import Part

    file, content = _as_part(path, "t.csv.part")
    part = Part(file.with_suffix(""), PART_SETTINGS, PART_KEYS)
    rows = part.read()
    expected = {row["key"]: row for row in part_rows()}
    assert all(expected.get(key) == row for key, row in rows.items()), "a row is another"
    part.go_on(rows.values())
    part.close()
    _check_kept(file, content)
    return [json.dumps(row) for row in rows.values()]


def read_map_part(path: Path) -> object:
    """An unfinished map; one that is read must be as it was written."""
    from fuzz.samples import MAP_ORIGIN, part_map
    from unetpred.runs.maps.map_file import go_on_with
    from unetpred.scoring.map_grid import blank_map

    file, content = _as_part(path, "m.npz.part")
    found, expected = blank_map((SIDE, SIDE), 8, 21), part_map()
    go_on_with(file, found, MAP_ORIGIN)
    _check_kept(file, content)
    assert np.array_equal(found.structure, expected.structure, equal_nan=True), "another score"
    assert (found.reason == expected.reason).all(), "another reason"
    return [np.nan_to_num(found.structure)]


READERS = {
    "image": read_sources,
    "array": read_sources,
    "matlab": read_sources,
    "mask": read_mask,
    "label": read_label,
    "sites": read_sites,
    "weights": read_weights,
    "state": read_state,
    "history": read_history,
    "part": read_part,
    "map_part": read_map_part,
}
#: Readers of which the package itself runs a part in a process of its own, that may fail.
APART = {"weights": "weights_by_the_door", "state": "state_by_the_door"}
