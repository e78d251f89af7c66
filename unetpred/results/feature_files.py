"""Files of activations: one array per layer, one row per image."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from unetpred.errors import escaped
from unetpred.io.files import atomic_path
from unetpred.io.hdf5_writing import checked_hdf5, late_failing
from unetpred.io.leftovers import held, remove_leftovers_of

ENDINGS = (".npz", ".h5", ".hdf5")


class FeatureFile:
    """A file of activations that appears, whole, when it is closed.

    What earlier writers of it had begun when they were killed is removed when it is opened.

    An `.h5` is written row by row, so memory does not grow with the number of images. The arrays
    of an `.npz` are kept in memory until the end, because its format has no rows to write.

    Beside the layers there are `image` (N,) names, `index` (N,) positions within an array file
    (-1 for an image file), `reason` (N,) why a row is NaN (empty where it is not), and
    `provenance`, JSON text: an array of the `.npz`, an attribute of the `.h5`.

    Parameters
    ----------
    path : path-like
        Ends in .npz, .h5 or .hdf5.
    count : int
        Number of images.
    """

    def __init__(self, path: str | os.PathLike[str], count: int):
        self._path, self._count = Path(path), count
        self._is_npz = self._path.suffix.lower() == ".npz"
        self._arrays: dict = {}
        self._filled = np.zeros(count, bool)
        self._stack = ExitStack()

    def __enter__(self) -> FeatureFile:
        remove_leftovers_of(self._path)  # which may be large
        self._temporary = self._stack.enter_context(atomic_path(self._path))
        self._stack.enter_context(held(self._temporary))
        if not self._is_npz:
            opened = self._stack.enter_context(checked_hdf5(self._temporary))
            self._file, self._check = opened
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def put(self, positions: Sequence[int], arrays: dict[str, np.ndarray]) -> None:
        """Keep the activations of some images.

        Parameters
        ----------
        positions : sequence of int
            Their rows.
        arrays : dict of str to numpy.ndarray, (n,...)
            By layer.

        Raises
        ------
        WriteError
            If the disk is full, say, once the block ends.
        """
        for name, values in arrays.items():
            if name not in self._arrays:
                shape = (self._count, *values.shape[1:])
                if self._is_npz:
                    self._arrays[name] = np.empty(shape, values.dtype)
                else:
                    self._arrays[name] = self._file.create_dataset(name, shape, values.dtype)
            for position, row in zip(positions, values, strict=True):
                self._arrays[name][position] = row
        if not self._is_npz:
            self._check()  # before more is computed in vain
        self._filled[list(positions)] = True

    def finish(
        self, images: list[str], indices: list[int | None], reasons: list[str], origin: dict
    ) -> None:
        """Write what the rows are; those that were never put become NaN.

        Parameters
        ----------
        images, indices, reasons : list, of N
            Per row the name of the file, the position in it or None, and why there is nothing.
        origin : dict
            Provenance.
        """
        for array in self._arrays.values():
            for position in np.flatnonzero(~self._filled):
                array[position] = np.nan
        positions = np.array([-1 if index is None else index for index in indices])
        # names of files need not be text
        names, reasons = [escaped(name) for name in images], [escaped(why) for why in reasons]
        text = json.dumps(origin, indent=1)
        if self._is_npz:
            with late_failing(self._temporary) as archive:
                np.savez(
                    archive,
                    **self._arrays,
                    image=np.array(names),
                    index=positions,
                    reason=np.array(reasons),
                    provenance=np.array(text),
                )
            return
        self._file["image"] = names
        self._file["index"] = positions
        self._file["reason"] = reasons
        self._file.attrs["provenance"] = text
