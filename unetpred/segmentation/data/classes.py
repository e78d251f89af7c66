"""The classes of a segmentation: their names, the values of labels that mean them, colours."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unetpred.errors import InputError

#: Index of the pixels that do not count, inside the package; files have `Classes.void`.
IGNORED = 255
MOST = 255  # classes
#: What is said of labels of two classes that have both 1 and 255.
DOUBT = "either is the second class; give --void 255 if that shall not count"


@dataclass(frozen=True)
class Classes:
    """What the classes are called and how label files write them.

    Attributes
    ----------
    names : tuple of str
        One per class; at least two.
    values : tuple of int
        What label files have for each, 0..255.
    colours : tuple of (int, int, int)
        What masks are shown in, RGB.
    void : int, optional
        What label files have for pixels that do not count.
    """

    names: tuple[str, ...]
    values: tuple[int, ...]
    colours: tuple[tuple[int, int, int], ...]
    void: int | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def binary(self) -> bool:
        """Whether there are two: a network has one channel for them, that of class 1."""
        return len(self) == 2

    @property
    def doubtful(self) -> bool:
        """Whether 1 and 255 each mean the second class, so that one of them may be void."""
        return self.written == (0, 1) and self.void not in (1, 255)

    def palette(self) -> np.ndarray:
        """The colours of masks by value, (256,3) uint8; what is no class is black."""
        palette = np.zeros((256, 3), np.uint8)
        palette[list(self.written)] = self.colours
        return palette

    @property
    def written(self) -> tuple[int, ...]:
        """What masks have for each class: 0 and 1 where labels have 0 and 255."""
        return (0, 1) if self.values == (0, 255) else self.values

    def indices(self, label: np.ndarray, name: str) -> np.ndarray:
        """Turn what a label file has, or a mask, into numbers of classes.

        Of two classes 0 and 1, the second may be written as 1 or as 255, but not as both at once:
        255 is void then.

        Parameters
        ----------
        label : numpy.ndarray, (H,W), integers
        name : str
            What messages call it.

        Returns
        -------
        numpy.ndarray
            (H,W) uint8: 0 .. len(self) - 1, and `IGNORED`.

        Raises
        ------
        InputError
            If a value is none of the classes, nor void; or if there are 1 and 255 for the second.
        """
        table = np.full(256, -1, np.int16)
        table[list(self.values)] = range(len(self))
        if self.written == (0, 1):
            table[[1, 255]] = 1
        if self.void is not None:
            table[self.void] = IGNORED
        if label.size and (label.min() < 0 or label.max() > 255):
            bad = label[(label < 0) | (label > 255)].flat[0]
            raise InputError(f"{name}: has the value {bad}; 0..255 is needed in a label")
        if self.doubtful and (label == 1).any() and (label == 255).any():
            raise InputError(f"{name}: has the values 1 and 255; {DOUBT}")
        found = table[label]
        if (found < 0).any():
            bad, count = np.unique(label[found < 0], return_counts=True)
            known = ", ".join(f"{v} ({n})" for v, n in zip(self.values, self.names, strict=True))
            raise InputError(
                f"{name}: has the value {bad[0]} ({count[0]} px), which is no class; there are "
                f"{known}{'' if self.void is None else f' and void {self.void}'}"
            )
        return found.astype(np.uint8)

    def labels(self, indices: np.ndarray) -> np.ndarray:
        """Undo `indices`: numbers of classes to what masks have, uint8."""
        table = np.zeros(256, np.uint8)
        table[: len(self)] = self.written
        table[IGNORED] = 0 if self.void is None else self.void
        return table[indices]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as they are kept beside weights."""
        return {
            "classes": list(self.names),
            "values": list(self.values),
            "colours": [list(colour) for colour in self.colours],
            "void": self.void,
        }

    @classmethod
    def from_dict(cls, about: dict[str, Any]) -> Classes:
        """Undo `as_dict`; raises KeyError, TypeError or ValueError where it is none."""
        names = tuple(map(str, about["classes"]))
        values = tuple(map(int, about["values"]))
        colours = tuple((int(r), int(g), int(b)) for r, g, b in about["colours"])
        if not len(names) == len(values) == len(colours) > 1:
            raise ValueError("not as many names as values and colours")
        return cls(names, values, colours, about.get("void"))


def default_colours(values: Sequence[int]) -> tuple[tuple[int, int, int], ...]:
    """Colours by value: black and white for two classes, those of PASCAL VOC for more.

    VOC spreads the bits of a value over red, green and blue, so that neighbours differ.
    """
    if len(values) == 2:
        return (0, 0, 0), (255, 255, 255)
    colours = []
    for value in values:
        rgb = [0, 0, 0]
        for place in range(8):
            for channel in range(3):
                rgb[channel] |= (value >> (3 * place + channel) & 1) << (7 - place)
        colours.append((rgb[0], rgb[1], rgb[2]))
    return tuple(colours)


def read_classes(
    path: str | os.PathLike[str],
) -> tuple[list[str], list[tuple[int, int, int]] | None]:
    """Read a file of classes: one a line, the first one index 0.

    A line is a name, or a name and a colour: ``road 128 64 128`` or ``road,128,64,128``. Lines
    that are empty or begin with ``#`` are left out, and so is a head ``name,r,g,b``.

    Returns
    -------
    names : list of str
    colours : list of (r, g, b), or None
        None unless every line has one.

    Raises
    ------
    InputError
        If the file is not there, has fewer than two classes, or names one twice.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise InputError(
            f"{path}: cannot be read ({reason}); a file of classes is needed"
        ) from None
    names: list[str] = []
    colours: list[tuple[int, int, int] | None] = []
    for line in map(str.strip, lines):
        if not line or line.startswith("#"):
            continue
        if re.fullmatch(r"(name|class)\s*,.*", line, re.I) and not re.search(r"\d", line):
            continue
        match = re.fullmatch(r"(.+?)[\s,;]+(\d+)[\s,;]+(\d+)[\s,;]+(\d+)", line)
        colour = (int(match[2]), int(match[3]), int(match[4])) if match else None
        if colour and max(colour) > 255:
            raise InputError(f"{path}: the line {line!r} has a colour above 255")
        names.append(match[1].strip() if match else line)
        colours.append(colour)
    if len(names) < 2:
        raise InputError(f"{path}: has {len(names)} class(es); one a line, at least two are needed")
    if len(names) > MOST:
        raise InputError(f"{path}: has {len(names)} lines; at most {MOST} classes can be used")
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path}: names {name!r} more than once; each class has its own name")
    known = [colour for colour in colours if colour is not None]
    if len(known) < len(names):
        return names, None
    for colour in known:
        if known.count(colour) > 1:
            raise InputError(
                f"{path}: has the colour {colour} twice; each class has its own colour"
            )
    return names, known
