"""Datasets of HDF5 files: which there are, where their values are, and whether all were written."""

from __future__ import annotations

import itertools
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from unetpred.io.reading import check_regular

if TYPE_CHECKING:
    import h5py

_MOST_CHUNKS = 4096
_MOST_OBJECTS = 200_000
_DEEPEST = 64  # groups within groups; HDF5 goes down from the top for each
_MOST_PARTS = 8  # virtual datasets of virtual datasets


def dataset_names(file: h5py.File) -> list[str]:
    """Name all datasets of a file; links into other files are not followed.

    Raises
    ------
    ValueError
        If there are more objects, or deeper groups, than anybody makes.
    """
    import h5py

    names: list[str] = []
    seen = {h5py.h5o.get_info(file.id).addr}
    groups: list[tuple[str, h5py.Group, int]] = [("", file, 0)]
    while groups:
        path, group, depth = groups.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > _MOST_OBJECTS or depth == _DEEPEST:
                raise ValueError("it has more groups, or deeper ones, than any array needs")
            if isinstance(item, h5py.Dataset):
                names.append(path + name)
            elif isinstance(item, h5py.Group):
                groups.append((f"{path}{name}/", item, depth + 1))
    return names


def parts_of(dataset: h5py.Dataset, path: str, depth: int = 0) -> list[Path]:
    """Other files that hold values of a dataset, all of which must be there.

    Raises
    ------
    InputError
        If one is not there, or is no regular file.
    ValueError
        If a virtual dataset is made of others without end, itself say: HDF5 would crash.
    """
    import h5py

    folder = Path(path).parent
    parts = {folder / name for name, *_ in dataset.external or ()}
    for source in dataset.virtual_sources() if dataset.is_virtual else ():
        if depth == _MOST_PARTS:
            raise ValueError("its virtual dataset is made of itself, or of too many others")
        part = Path(path) if source.file_name == "." else folder / source.file_name
        check_regular(part)
        if source.file_name != ".":
            parts.add(part)
        with h5py.File(part, "r") as file:
            other = file.get(source.dset_name)
            if isinstance(other, h5py.Dataset):
                parts.update(parts_of(other, os.fspath(other.file.filename), depth + 1))
    for part in parts:
        check_regular(part)
    return sorted(parts)


def written_shape(dataset: h5py.Dataset) -> tuple[int, ...]:
    """What the chunks hold that are stored, put together; the whole shape if none or all are."""
    stored = (dataset.id.get_num_chunks(), *dataset.chunks)
    return min(dataset.shape, stored, key=math.prod) if stored[0] else dataset.shape


def check_written(dataset: h5py.Dataset, index) -> None:
    """Raise ValueError where values were never written: HDF5 gives zeros for them.

    Of the whole dataset if `index` is `...`, else of one place along its first axis.
    """
    if dataset.is_virtual or dataset.external:
        return
    stored = dataset.id
    if not dataset.chunks:
        if stored.get_storage_size() < dataset.nbytes:
            raise ValueError("its values were never written")
        return
    first = [0 if index is ... else index, *[0] * (dataset.ndim - 1)]
    sizes = list(dataset.shape)
    if index is not ...:
        sizes[0] = 1
    ranges = [
        range(start // chunk * chunk, start + size, chunk)
        for start, size, chunk in zip(first, sizes, dataset.chunks, strict=True)
    ]
    count = math.prod(map(len, ranges))
    if count > _MOST_CHUNKS:  # looking at each would take longer than reading them
        sides = zip(dataset.shape, dataset.chunks, strict=True)
        missing = math.prod(-(-n // chunk) for n, chunk in sides) - stored.get_num_chunks()
    else:
        places = itertools.product(*ranges)
        infos = (stored.get_chunk_info_by_coord(place) for place in places)
        missing = sum(info.byte_offset is None for info in infos)
    if missing:
        raise ValueError(f"{missing} of its {count} chunks were never written")
