"""Which photographs the shipped weights were trained on, and whether given ones are among them."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unetpred.errors import InputError
from unetpred.io.registry import shipped_file

LIST = "photographs.csv"
SIDE = 16  # frequencies of rows and columns in a perceptual hash
#: Bits of 255 in which near-duplicates may differ. Copies encoded anew, scaled by 2, brightened or
#: cut by 1 % differed in at most 36, half a million pairs of other photographs in 88 or more.
NEAR = 48


class Match(NamedTuple):
    """A photograph trained on that a picture is, or nearly is.

    Attributes
    ----------
    photograph : dict of str to str
        Its row of the list: source, name, licence, and what each stage did with it.
    kind : {"same pixels", "near-duplicate"}
    distance : int
        Bits in which their perceptual hashes differ, 0..255.
    """

    photograph: dict[str, str]
    kind: str
    distance: int


def pixel_hash(pixels: np.ndarray) -> str:
    """Give the sha256 of size and pixels of a picture, whatever file they came in.

    Parameters
    ----------
    pixels : numpy.ndarray, (H,W,3) uint8
    """
    digest = hashlib.sha256(b"%d %d " % pixels.shape[:2])
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


def perceptual_hash(pixels: np.ndarray) -> np.ndarray:
    """Tell for the 255 slowest waves of a picture whether they are stronger than most of them.

    The picture in grey is averaged to 64x64 px; of its cosine transform the 16x16 lowest
    frequencies but the mean are compared with their median [1]_. Scaling, encoding, and changes of
    light and colour leave most bits as they are. Mirrored and turned copies, and parts of a
    picture, are other pictures to it.

    Parameters
    ----------
    pixels : numpy.ndarray, (H,W,3) uint8

    Returns
    -------
    numpy.ndarray, (255,) bool

    References
    ----------
    .. [1] C. Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010,
       section 3.2.
    """
    from PIL import Image
    from scipy.fft import dctn

    grey = Image.fromarray(pixels).convert("L").resize((4 * SIDE, 4 * SIDE), Image.Resampling.BOX)
    waves = dctn(np.asarray(grey, "float64"), norm="ortho")[:SIDE, :SIDE].ravel()[1:]
    return waves > np.median(waves)


def hash_text(bits: np.ndarray) -> str:
    """Write a perceptual hash (255,) bool as 64 hexadecimal digits."""
    return np.packbits(bits).tobytes().hex()


@lru_cache(maxsize=1)
def trained_on() -> tuple[list[dict[str, str]], np.ndarray]:
    """Read the list of the photographs that the shipped weights were trained on.

    Returns
    -------
    rows : list of dict of str to str
    hashes : numpy.ndarray, (N,255) bool
        Their perceptual hashes.

    Raises
    ------
    InputError
        If the list is not there: the installation is incomplete.
    """
    path = shipped_file(LIST)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    except OSError:
        raise InputError(f"{path}: is not there; install unetpred again") from None
    packed = [np.frombuffer(bytes.fromhex(row["perceptual_hash"]), "uint8") for row in rows]
    return rows, np.unpackbits(np.stack(packed), axis=1)[:, :-1].astype(bool)


def find(pixels: np.ndarray) -> list[Match]:
    """Find the photographs trained on that a picture is, or nearly is, the nearest first.

    Parameters
    ----------
    pixels : numpy.ndarray, (H,W,3) uint8
        Upright, RGB.
    """
    rows, hashes = trained_on()
    same = pixel_hash(pixels)
    distances = (hashes != perceptual_hash(pixels)).sum(axis=1)  # (N,)
    found = []
    for i in np.argsort(distances, kind="stable"):
        if rows[i]["pixel_sha256"] == same:
            found.append(Match(rows[i], "same pixels", int(distances[i])))
        elif distances[i] <= NEAR:
            found.append(Match(rows[i], "near-duplicate", int(distances[i])))
    return sorted(found, key=lambda match: (match.kind != "same pixels", match.distance))


def check(files: Iterable[Path]) -> dict[Path, list[Match] | str]:
    """Find which of some files are among the photographs trained on, or nearly are.

    Parameters
    ----------
    files : iterable of Path
        Images.

    Returns
    -------
    dict of Path to list of Match or str
        None found is an empty list; why a file could not be read is a str.
    """
    from unetpred.photographs.dataset import read_photograph

    found: dict[Path, list[Match] | str] = {}
    for file in files:
        try:
            found[file] = find(read_photograph(file))
        except InputError as error:
            found[file] = str(error)
    return found
