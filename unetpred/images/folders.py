"""Finding the image files of a folder."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from unetpred.errors import InputError, escaped
from unetpred.images.decoding import IMAGE_ENDINGS

logger = logging.getLogger(__name__)


def image_files(folder: str | os.PathLike[str], recursive: bool = True) -> list[str]:
    """Find the image files of a folder.

    Names that start with "." are left out. Links to folders are followed, each folder once
    whichever way leads to it. A folder within it that cannot be read is named in a warning.

    Parameters
    ----------
    folder : path-like
    recursive : bool
        Whether to descend into folders within it.

    Returns
    -------
    list of str
        Joined with `folder`, sorted by their parts.

    Raises
    ------
    InputError
        If the folder itself cannot be read.
    """
    top = os.fspath(folder)
    found: list[str] = []
    seen: set[tuple[int, int]] = set()

    def unreadable(error: OSError) -> None:
        name = error.filename or top
        if os.fspath(name) == top:
            raise InputError(f"{top}: cannot be read ({error.strerror})")
        logger.warning("%s: cannot be read (%s); left out", escaped(str(name)), error.strerror)

    for here, folders, files in os.walk(top, onerror=unreadable, followlinks=True):
        try:
            info = os.stat(here)
        except OSError as error:
            unreadable(error)
            continue
        if (info.st_dev, info.st_ino) in seen:
            folders.clear()
            continue
        seen.add((info.st_dev, info.st_ino))
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
        # links last, so that what is there itself goes by its own name
        folders.sort(key=lambda name: (os.path.islink(os.path.join(here, name)), name))
        found += [
            os.path.join(here, name)
            for name in files
            if name.lower().endswith(IMAGE_ENDINGS) and not name.startswith(".")
        ]
    return sorted(found, key=lambda path: Path(path).parts)
