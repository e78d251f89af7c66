"""Writing HDF5 so that a full disk is an error and not the end of the process."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py


class _Sink(io.RawIOBase):
    """A file that HDF5 writes to; the first failure is kept, and all goes on as if there was none.

    HDF5 cannot close a file that it failed to write, and ends the process when it is to exit.
    """

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def check(self) -> None:
        """Raise what writing has failed of."""
        if self.error is not None:
            raise self.error

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer) if self.error is None else 0
        view = memoryview(buffer)
        view[count:] = bytes(len(view) - count)  # what was written but is not there
        return len(view)

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        done = 0
        try:
            while self.error is None and done < len(view):
                done += self._file.write(view[done:])
        except OSError as error:
            self.error = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        try:
            if self.error is None:
                return self._file.truncate(size)
        except OSError as error:
            self.error = error
        return size or 0

    def flush(self) -> None:
        pass  # nothing is buffered here


@contextmanager
def late_failing(path: str | os.PathLike[str]) -> Iterator[io.RawIOBase]:
    """Give a file to write to that fails when the block ends, and not before.

    An archive that fails on the way fails again, on stderr, when it is collected.

    Raises
    ------
    OSError
        If it could not be written, because the disk is full, say.
    """
    with Path(path).open("w+b", buffering=0) as raw:
        sink = _Sink(raw)
        yield sink
        sink.check()


@contextmanager
def new_hdf5(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """Give a new HDF5 file to fill; it is on the disk when the block ends.

    Raises
    ------
    OSError
        If it could not be written, because the disk is full, say.
    """
    with checked_hdf5(path) as (file, _):
        yield file


@contextmanager
def checked_hdf5(
    path: str | os.PathLike[str],
) -> Iterator[tuple[h5py.File, Callable[[], None]]]:
    """Like `new_hdf5`, with a function that raises what writing has failed of until then."""
    import h5py

    with Path(path).open("w+b", buffering=0) as raw:
        sink = _Sink(raw)
        with h5py.File(sink, "w") as file:
            yield file, sink.check
        sink.check()
        os.fsync(raw.fileno())
