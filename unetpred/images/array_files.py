"""Files of arrays: .npy, .npz and HDF5, read picture by picture and never whole."""

from __future__ import annotations

import math
import os
import threading
import zipfile
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from unetpred.errors import InputError, some_of
from unetpred.images.arrays import Array, check_numbers
from unetpred.images.hdf5_datasets import check_written, dataset_names, parts_of, written_shape
from unetpred.io.limits import FREE_COUNT, RATIO, check_stack
from unetpred.io.reading import check_regular, reading

ARRAY_ENDINGS = (".npy", ".npz", ".h5", ".hdf5")
_STEP = 1 << 20  # bytes that are read at once
_KEPT = 1 << 26  # bytes of pictures that are unpacked together
_WHOLE = 1 << 28  # bytes of an array that cannot be read picture by picture


def read_npy(path: str) -> np.ndarray:
    """Map a .npy file into memory, never unpickling.

    Raises
    ------
    InputError
        If it is missing, damaged, or holds anything but plain numbers.
    """
    check_regular(path)
    with reading(path):
        with open(path, "rb") as file:
            check_numbers(_npy_header(file)[1], path)
        return np.lib.format.open_memmap(path, mode="r")


def array_file(path: str, ending: str, key: str | None) -> Array:
    """Open a file of pictures in an array.

    Parameters
    ----------
    path : str
        The file.
    ending : str
        One of `ARRAY_ENDINGS`, in small letters.
    key : str or None
        Which array of a .npz or .h5; not needed if there is only one.

    Raises
    ------
    InputError
        If it cannot be read, has no such array, or the array is none of pictures.
    """
    present = check_regular(path)
    with reading(path):
        if ending == ".npy":
            array = read_npy(path)
            return Array(path, array.shape, array.dtype, partial(read_npy, path), present)
        if ending == ".npz":
            with zipfile.ZipFile(path) as archive:
                names = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
                key = _chosen(names, key, path)
                info = archive.getinfo(f"{key}.npy")
                if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    # of which any number of bytes comes out at once
                    raise InputError(
                        f"{path}: is compressed as numpy.savez_compressed does not; save it anew"
                    )
                with archive.open(info) as stored:
                    shape, dtype, by_columns = _npy_header(stored)
                    held = info.file_size - stored.tell()
                start = info.file_size - held
            _check_held(shape, dtype, held, path)
            check_stack(shape, dtype.itemsize, present, path)
            _check_no_more(shape, dtype, held, path)
            member = _NpzMember(path, key, start, tuple(shape), dtype, by_columns)
            return Array(path, shape, dtype, partial(_itself, member), present)
        return _hdf5_file(path, key, present)


def _hdf5_file(path: str, key: str | None, present: int) -> Array:
    import h5py

    with h5py.File(path, "r") as file:
        key = _chosen(dataset_names(file), key and key.strip("/"), path)
        dataset = file[key]
        shape, dtype = dataset.shape, dataset.dtype
        if shape is None:
            raise InputError(f"{path}: {key} is empty")
        present += sum(os.stat(part).st_size for part in parts_of(dataset, path))
        array = Array(path, shape, dtype, partial(_itself, _Hdf5(path, key)), present)
        held = shape
        if dataset.chunks and (array.count or 1) <= FREE_COUNT:
            held = written_shape(dataset)  # what was never written takes no memory, and is named
        check_stack(held, dtype.itemsize, present, path)
        if dataset.chunks:  # a whole one is decoded for each value of it
            name = f"{path}: a chunk of {key}"
            check_stack(dataset.chunks, dtype.itemsize, present, name, RATIO)
    return array


def _chosen(names: list[str], key: str | None, path: str) -> str:
    have = f"it has {some_of(sorted(names))}" if names else "it has no arrays"
    if key is None:
        if len(set(names)) != 1:
            raise InputError(f"{path}: choose an array by its key; {have}")
        key = names[0]
    if key not in names:
        raise InputError(f"{path}: has no array {key!r}; {have}")
    if names.count(key) > 1:  # readers of zip files do not agree on which one counts
        raise InputError(f"{path}: has {names.count(key)} arrays {key!r}; save it anew")
    return key


def _npy_header(file) -> tuple[tuple[int, ...], np.dtype, bool]:
    """Shape, type, and whether the first index runs fastest."""
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    version = np.lib.format.read_magic(file)
    if version not in read:
        raise ValueError(f"npy version {version}, which plain numbers never need")
    shape, by_columns, dtype = read[version](file)
    if any(n < 0 for n in shape):
        raise ValueError(f"shape {shape}")
    return shape, dtype, by_columns and len(shape) > 1


def _check_held(shape: Sequence[int], dtype: np.dtype, held: int, name: str) -> None:
    needed = math.prod(shape) * dtype.itemsize
    if held < needed:
        raise InputError(
            f"{name}: holds {held} of the {needed} bytes that its shape {tuple(shape)} needs; "
            "it is damaged or was not written to its end"
        )


def _check_no_more(shape: Sequence[int], dtype: np.dtype, held: int, name: str) -> None:
    """Refuse what is followed by more than it says: all of it is read for its check sum."""
    if held > math.prod(shape) * dtype.itemsize + _STEP:
        raise InputError(
            f"{name}: holds {held} bytes, more than its shape {tuple(shape)} needs; it is damaged"
        )


class _NpzMember:
    """An array of a .npz, of which each picture is unpacked when it is asked for.

    In order that is one pass; going back begins anew.
    """

    def __init__(self, path, key, start, shape, dtype, by_columns) -> None:
        self.path, self.name = path, f"{key}.npy"
        self._start, self._shape, self._dtype = start, shape, dtype
        self._by_columns = by_columns
        if by_columns and math.prod(shape) * dtype.itemsize > _WHOLE:
            raise InputError(
                f"{path}: {key} is stored column by column, which cannot be read picture by "
                "picture; save it in C order (numpy.ascontiguousarray)"
            )

    def __getitem__(self, index) -> np.ndarray:
        stamp = os.stat(self.path).st_mtime_ns
        _check_sum(self.path, self.name, stamp)
        if index is ... or self._by_columns:
            values = self._values(stamp, 0, self._shape)
            return values[index]
        shape = self._shape[1:]
        return self._values(stamp, index * math.prod(shape), shape)

    def _values(self, stamp: int, first: int, shape: tuple[int, ...]) -> np.ndarray:
        """Values from a place on, in the order they are stored."""
        size = math.prod(shape) * self._dtype.itemsize
        place = self._start + first * self._dtype.itemsize
        data = _stream.read(self.path, self.name, stamp, place, size)
        return np.frombuffer(data, self._dtype).reshape(
            shape, order="F" if self._by_columns else "C"
        )


class _Stream:
    """The member of an archive that is being read; one at a time, for all arrays."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: tuple | None = None
        self._archive: Any = None
        self._member: Any = None

    def read(self, path: str, name: str, stamp: int, place: int, size: int) -> bytes:
        """Bytes of a member from a place on."""
        with self._lock:
            if self._of != (path, name, stamp):
                self._close()
                self._archive = zipfile.ZipFile(path)
                self._member = self._archive.open(name)
                self._of = path, name, stamp
            try:
                self._member.seek(place)
                data = self._member.read(size)
            except BaseException:
                self._close()
                raise
        if len(data) < size:
            raise ValueError("it ends early")
        return data

    def _close(self) -> None:
        for opened in (self._member, self._archive):
            if opened is not None:
                opened.close()
        self._of = self._archive = self._member = None


_stream = _Stream()


@lru_cache(maxsize=1024)
def _check_sum(path: str, name: str, stamp: int) -> None:
    """Read a member once to its end, where its check sum is compared."""
    with zipfile.ZipFile(path) as archive, archive.open(name) as member:
        while member.read(_STEP):
            pass


class _Hdf5:
    """Reads single pictures of a dataset, with the file open no longer than that takes.

    Of pictures that are stored in chunks of several, those of the last chunk are kept: unpacking
    it takes as long for one of them as for all.
    """

    def __init__(self, path: str, key: str) -> None:
        self.path, self.key = path, key
        self._chunk: tuple[int, int, np.ndarray] | None = None  # mtime, first picture, pictures

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_chunk": None}

    def __getitem__(self, index) -> np.ndarray:
        import h5py

        stamp = os.stat(self.path).st_mtime_ns
        if self._chunk and index is not ...:
            seen, first, pictures = self._chunk
            if seen == stamp and 0 <= index - first < len(pictures):
                return pictures[index - first]
        self._chunk = None
        with h5py.File(self.path, "r") as file:
            dataset = file[self.key]
            check_written(dataset, index)
            count = dataset.chunks[0] if dataset.chunks and index is not ... else 1
            if count == 1 or count * math.prod(dataset.shape[1:]) * dataset.dtype.itemsize > _KEPT:
                return dataset[index]
            first = index // count * count
            pictures = dataset[first : first + count]
            self._chunk = stamp, first, pictures
            return pictures[index - first]


def _itself(reader: Any) -> Any:
    return reader
