"""Pictures in MATLAB's .mat files: of version 5 (and 4) through SciPy, of version 7.3 through HDF5.

MATLAB writes the last axis of an array slowest, and most people there stack images along it:
``images(:, :, :, n)`` is (H,W,C,N). Nothing in a file says which axis is which, so sizes must, or
the user.
"""

from __future__ import annotations

import math
import os
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from unetpred.errors import InputError, some_of
from unetpred.images.arrays import Array
from unetpred.images.formats.matlab_axes import told_axes
from unetpred.images.formats.matlab_packed import (
    MOST_BYTES,
    MOST_PACKED,
    check_numbers_of,
    check_packed,
)
from unetpred.images.hdf5_datasets import check_written
from unetpred.io.limits import RATIO, STACK_RATIO, check_stack
from unetpred.io.reading import check_regular, reading

MATLAB_ENDINGS = (".mat",)

#: MATLAB's classes of numbers, and what they are here.
CLASSES: dict[str, np.dtype] = {
    "double": np.dtype("float64"),
    "single": np.dtype("float32"),
    "logical": np.dtype("bool"),
    **{
        f"{sign}int{bits}": np.dtype(f"{sign}int{bits}")
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
}


class MatlabArray(Array):
    """Pictures in a variable of a .mat file.

    Attributes
    ----------
    note : str
        One line, for a log: which variable was taken, and which of its axes for what.
    """

    note: str = ""


class _Variable(NamedTuple):
    """What a header says of a variable."""

    shape: tuple[int, ...]  # in MATLAB's order
    kind: str  # its class

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.shape))} {self.kind}" if self.shape else self.kind


def matlab_file(path: str, key: str | None = None, axes: str | None = None) -> MatlabArray:
    """Open a .mat file of pictures.

    Ranges are those of arrays everywhere (`unetpred.images.sources.list_sources`): the class
    tells them. uint16 is 0..65535, logical 0..1, all others are 0..255, double and single too.

    Parameters
    ----------
    path : str
        The file.
    key : str, optional
        Name of the variable; not needed if the file has only one array of numbers.
    axes : str, optional
        What the variable's axes are in MATLAB, one letter each: H (rows), W (columns), C
        (channels), N (images), such as "HWCN" or "NHW". If not given, images are looked for along
        the last axis and the first, where sizes leave one possibility.

    Returns
    -------
    MatlabArray
        Whose pictures are read when asked for: from a file of version 7.3 with images along the
        last axis one by one, otherwise the variable as a whole, which is kept while in use.

    Raises
    ------
    InputError
        If the file cannot be read, has no such variable, the variable is none of pictures or
        claims to be larger than the file can hold, or it cannot be told which axis is which.
    """
    import h5py

    size = check_regular(path)
    with reading(path):
        stamp = os.stat(path).st_mtime_ns
        by_hdf5 = h5py.is_hdf5(path)
        if not by_hdf5:
            check_packed(path, size)
        found = (_variables_of_hdf5 if by_hdf5 else _variables)(path)
        key = _chosen(found, key, path)
        variable = found[key]
        name = f"{path}: {key}"
        if variable.kind not in CLASSES:
            article = "an" if variable.kind[0] in "aeo" else "a"
            advice = _advice(variable.kind, key)
            raise InputError(f"{name} is {article} {variable.kind}; {advice}")
        letters, said = told_axes(variable.shape, axes, name)
        if by_hdf5:
            held = _check_hdf5(path, key, name)
            read: Any = _Slices(path, key, letters, stamp, variable.kind)
        else:
            held = size
            nbytes = math.prod(variable.shape) * CLASSES[variable.kind].itemsize
            if nbytes > MOST_BYTES:
                raise InputError(f"{name} claims {nbytes} bytes; a file of version 5 has no room")
            read = _Whole(path, key, letters, stamp, variable.kind)
        if math.prod(variable.shape) > MOST_PACKED * held:
            raise InputError(
                f"{name} claims to be {variable}, but only {held} bytes are there; "
                "the file is damaged"
            )
        shape = tuple(dict(zip(letters, variable.shape, strict=False)).get(a, 1) for a in "NHWC")
        kept = shape if "N" in letters else shape[1:]
        one_by_one = by_hdf5 and letters.endswith("N")
        itemsize, ratio = CLASSES[variable.kind].itemsize, STACK_RATIO if one_by_one else RATIO
        check_stack(variable.shape, itemsize, size, name, ratio)
        array = MatlabArray(path, kept, CLASSES[variable.kind], lambda: read, size)
        array.note = f"{name} is {variable}: {said}"
        return array


def _chosen(found: dict[str, _Variable], key: str | None, path: str) -> str:
    arrays = [name for name, variable in found.items() if variable.kind in CLASSES]
    have = some_of(f"{name} ({variable})" for name, variable in sorted(found.items()))
    have = f"it has {have}" if have else "it has no variables"
    if key is not None:
        if key not in found:
            raise InputError(f"{path}: has no variable {key!r}; {have}")
        return key
    if len(arrays) == 1:
        return arrays[0]
    if not arrays and len(found) == 1:
        return next(iter(found))  # its own message says what to do
    if not arrays:
        raise InputError(f"{path}: has no array of numbers; {have}")
    raise InputError(f"{path}: choose a variable by its key; {have}")


def _advice(kind: str, key: str) -> str:
    if kind == "struct":
        return f"save its field by itself in MATLAB: images = {key}.field; save('x.mat', 'images')"
    if kind == "cell":
        return f"join its images in MATLAB, if of one size: images = cat(4, {key}{{:}})"
    if kind == "sparse":
        return f"save it as full({key})"
    return "an array of numbers is needed"


# ---- version 5 and 4 -----------------------------------------------------------------------------


def _variables(path: str) -> dict[str, _Variable]:
    """Read the headers alone."""
    from scipy.io import whosmat

    found = {}
    for name, shape, kind in whosmat(path):
        if not name.startswith("__"):
            found[name] = _Variable(tuple(int(size) for size in shape), kind)
    return found


@lru_cache(maxsize=1)  # it is compressed as a whole: one is kept while it is in use
def _loaded(path: str, key: str, stamp: int) -> np.ndarray:
    from scipy.io import loadmat

    check_numbers_of(path, key)
    # As it is stored: what MATLAB calls double may be bytes there. No object is made of anything.
    values = loadmat(path, variable_names=[key], mat_dtype=False)[key]
    if values.dtype.kind not in "buif":
        raise InputError(f"{path}: {key} is complex; real numbers are needed")
    return values


class _Whole:
    """Reads single pictures (H,W,C) of a variable that is loaded as a whole."""

    def __init__(self, path: str, key: str, letters: str, stamp: int, kind: str) -> None:
        self.path, self.key, self.letters = path, key, letters
        self.stamp, self.kind = stamp, kind

    def __getitem__(self, index: Any) -> np.ndarray:
        return _picture(self._values(), self.letters, index, self.kind)

    def _values(self) -> np.ndarray:
        return _loaded(self.path, self.key, self.stamp)


def _picture(values: Any, letters: str, index: Any, kind: str) -> np.ndarray:
    """Take one picture (H,W,C) out of what has MATLAB's axes."""
    shape = values.shape + (1,) * (len(letters) - len(values.shape))
    at = tuple(index if letter == "N" else slice(None) for letter in letters)[: len(values.shape)]
    picture = np.asarray(values[at])
    rest = letters.replace("N", "")
    picture = picture.reshape([shape[letters.index(letter)] for letter in rest])
    if "C" not in rest:
        picture, rest = picture[..., None], rest + "C"
    if kind == "logical":
        return picture.transpose([rest.index(a) for a in "HWC"]) != 0
    return picture.transpose([rest.index(a) for a in "HWC"]).astype(CLASSES[kind], copy=False)


# ---- version 7.3 ---------------------------------------------------------------------------------


def _variables_of_hdf5(path: str) -> dict[str, _Variable]:
    import h5py

    found = {}
    with h5py.File(path, "r") as file:
        for name in file:
            # a link may point into any file of the machine, and #refs# has what cells hold
            if name.startswith("#") or not isinstance(file.get(name, getlink=True), h5py.HardLink):
                continue
            item = file[name]
            kind = _class_of(item)
            shape = item.shape[::-1] if isinstance(item, h5py.Dataset) and item.shape else ()
            found[name] = _Variable(shape, kind)
    return found


def _class_of(item: Any) -> str:
    """MATLAB's class of a dataset or group; "struct" for groups of other programs."""
    import h5py

    told = item.attrs.get("MATLAB_class", b"")
    told = told.decode("latin1") if isinstance(told, bytes) else str(told)
    if "MATLAB_sparse" in item.attrs:
        return "sparse"
    if not isinstance(item, h5py.Dataset):
        return told if told and told not in CLASSES else "struct"
    if "MATLAB_empty" in item.attrs:
        return "empty array"
    kind = item.dtype.kind
    if kind == "V" and item.dtype.names == ("real", "imag"):
        return "complex array"
    if kind not in "buif" or item.dtype.itemsize > 8:
        return told if told and told not in CLASSES else "array of another kind"
    names = {dtype: name for name, dtype in CLASSES.items()}
    own = names.get(item.dtype.newbyteorder("="), "array of another kind")
    return told or own


def _check_hdf5(path: str, key: str, name: str) -> int:
    """Refuse values outside of the file; give the number of bytes that it has of the variable."""
    import h5py

    with h5py.File(path, "r") as file:
        values = file[key]
        if values.external or values.is_virtual:
            raise InputError(f"{name} is in other files; save it into one")
        if values.chunks:  # a whole one is unpacked for each value of it
            present, chunk = os.stat(path).st_size, f"{path}: a chunk of {key}"
            check_stack(values.chunks, values.dtype.itemsize, present, chunk, RATIO)
        return values.id.get_storage_size()


class _Slices(_Whole):
    """Reads single pictures of a dataset, one by one where images are its slowest axis."""

    def __getitem__(self, index: Any) -> np.ndarray:
        import h5py

        if not self.letters.endswith("N"):
            return super().__getitem__(index)
        with h5py.File(self.path, "r") as file:
            values = file[self.key]
            # a last axis of one image is not there
            stacked = len(values.shape) == len(self.letters)
            check_written(values, index if stacked else ...)
            picture = values[index] if stacked else values[()]
        return _picture(np.asarray(picture).T, self.letters[:-1], ..., self.kind)

    def _values(self) -> np.ndarray:
        return _loaded_hdf5(self.path, self.key, self.stamp)


@lru_cache(maxsize=1)
def _loaded_hdf5(path: str, key: str, stamp: int) -> np.ndarray:
    import h5py

    with h5py.File(path, "r") as file:
        check_written(file[key], ...)
        return file[key][()].T
