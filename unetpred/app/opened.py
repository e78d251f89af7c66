"""Pictures of the page: uploads and examples, read by the package's readers."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from unetpred.errors import InputError
from unetpred.images.decoding import IMAGE_ENDINGS
from unetpred.images.sources import Source, list_sources

#: Endings of what can be uploaded.
ENDINGS = IMAGE_ENDINGS

SHOWN = 1024  # px, the longest side of a picture in the page
WIDE = 640  # px, to which smaller ones are enlarged, a whole number of times
KEPT = 1 << 28  # bytes of pictures that are kept decoded
KEPT_SHOWN = 1 << 25  # bytes of them as they are shown

#: Photographs that come with scikit-image, by the name of their file.
_EXAMPLES = (
    "chelsea.png",
    "astronaut.png",
    "coffee.png",
    "rocket.jpg",
    "camera.png",
    "brick.png",
    "grass.png",
    "gravel.png",
)


@dataclass(frozen=True)
class Picture:
    """One picture of one tab of a browser.

    Attributes
    ----------
    name : str
        What rows and messages call it.
    source : Source
        Reads it; what was read last of all pictures is kept.
    size : (H, W)
        px.
    path : str
        Its file.
    """

    name: str
    source: Source
    size: tuple[int, int]
    path: str

    @property
    def step(self) -> float:
        """Pixels of the picture per pixel of what is shown."""
        longest = max(self.size)
        return longest / SHOWN if longest > SHOWN else 1 / max(1, WIDE // longest)

    @property
    def shown_size(self) -> tuple[int, int]:
        """(height, width) of what is shown, px."""
        height, width = (max(1, round(side / self.step)) for side in self.size)
        return height, width

    def shown(self) -> np.ndarray:
        """What is shown of it, (h,w,3) uint8, reduced where it is large, enlarged where small."""
        return _shown.get(_key(self.path), lambda: self._reduced(self.source.load()))

    def _reduced(self, pixels: np.ndarray) -> np.ndarray:
        from PIL import Image

        levels = np.clip(np.rint(pixels), 0, 255).astype("uint8")
        height, width = self.shown_size
        if self.step <= 1:
            return levels.repeat(round(1 / self.step), axis=0).repeat(round(1 / self.step), axis=1)
        return np.asarray(Image.fromarray(levels).resize((width, height), Image.Resampling.BOX))

    def place(self, column: float, row: float) -> tuple[int, int]:
        """The pixel (x,y) of the picture under a pixel of what is shown."""
        height, width = self.size
        high, wide = self.shown_size
        x, y = int((column + 0.5) * width / wide), int((row + 0.5) * height / high)
        return min(max(x, 0), width - 1), min(max(y, 0), height - 1)


def open_picture(path: str | os.PathLike[str], name: str | None = None) -> Picture:
    """Read a picture.

    Parameters
    ----------
    path : path-like
        An image file.
    name : str, optional
        What to call it; the file's own name if not given.

    Raises
    ------
    InputError
        In one line why it cannot be read; it calls the file by `name`, not by where it lies.
    """
    path = os.fspath(path)
    name = name or os.path.basename(path)
    if not path.lower().endswith(ENDINGS):
        raise InputError(f"{name}: unknown kind of file; images end in {', '.join(ENDINGS)}")
    try:
        (one,) = list_sources([path])
        if one.error:
            raise InputError(one.error)
        (original,) = one.sources
        source = Source(name, None, _Kept(original))
        return Picture(name, source, source.load().shape[:2], path)
    except InputError as error:
        raise InputError(str(error).replace(path, name)) from None


def examples() -> list[str]:
    """Files of photographs that are on this machine: the repository's, and scikit-image's."""
    own = Path(__file__).parents[2] / "examples" / "sample_img.png"
    found = [str(own)] if own.is_file() else []
    spec = find_spec("skimage")
    if spec and spec.submodule_search_locations:
        data = Path(spec.submodule_search_locations[0]) / "data"
        found += [str(data / name) for name in _EXAMPLES if (data / name).is_file()]
    return found


class _Kept:
    """Reads a picture, unless it is among those that were read last."""

    def __init__(self, source: Source):
        self._source = source

    @property
    def size(self) -> tuple[int, int]:
        return self.load(None).shape[:2]

    def load(self, index: int | None) -> np.ndarray:
        return _pixels.get(_key(self._source.path), self._source.load)


class _Latest:
    """Arrays that were asked for last, by all tabs, up to some bytes and one more."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[tuple, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple, make: Callable[[], np.ndarray]) -> np.ndarray:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            made = make()
            made.setflags(write=False)  # they are everybody's
            self._kept[key] = made
            while (
                len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > self._most
            ):
                self._kept.popitem(last=False)
            return made


def _key(path: str) -> tuple:
    info = os.stat(path)
    return path, info.st_mtime_ns, info.st_size


_pixels, _shown = _Latest(KEPT), _Latest(KEPT_SHOWN)
