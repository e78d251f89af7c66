"""Whether all pixels of a JPEG are there.

libjpeg fills what it cannot decode with grey or with what stands beside it, and says so in a
warning that Pillow drops. So files are decoded a second time, at an eighth of their size, by a
reader that stops at such a warning. What a progressive file leaves out altogether is no error to
libjpeg; its scans are counted here, by ITU-T T.81 [1]_.

References
----------
.. [1] ITU-T Recommendation T.81, "Digital compression and coding of continuous-tone still images",
   1992.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

_ALONE = (0x01, *range(0xD0, 0xD8))  # markers without a length
_TABLES, _END, _SCAN = 0xC4, 0xD9, 0xDA
_ZEROS = bytes(64)  # more in a row than an encoder writes, but of what is flat
_MOST_SCANS = 64  # encoders write a dozen; libjpeg goes over the whole picture for each
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)


class Frame(NamedTuple):
    """What the markers of a JPEG say."""

    height: int
    width: int
    components: int
    missing: str  # what is, as far as markers tell; empty if nothing


def check_jpeg(data: bytes) -> None:
    """Refuse a JPEG of which pixels are missing, or known to be wrong.

    Parameters
    ----------
    data : bytes
        The file.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    frame = read_frame(data)
    if frame.missing:
        raise ValueError(frame.missing)
    import simplejpeg

    try:
        *_, colours, _ = simplejpeg.decode_jpeg_header(data, strict=False)
        space = colours if colours in ("CMYK", "YCCK") else "GRAY"
        simplejpeg.decode_jpeg(
            data, space.replace("YCCK", "CMYK"), min_height=1, min_width=1, min_factor=8
        )
    except ValueError as error:
        problem = " ".join(str(error).split())
        # others are of its header: an unknown revision of JFIF, say
        if any(word in problem.lower() for word in ("corrupt", "premature", "inconsistent")):
            raise ValueError(
                f"some of its pixels are missing or wrong; libjpeg says: {problem}"
            ) from None


def read_frame(data: bytes) -> Frame:
    """Read the markers of a JPEG.

    Raises
    ------
    ValueError
        If there is no frame.
    """
    place, frame, progressive = 2, None, False
    # of each component, how many low bits of each coefficient are still to come
    last: dict[int, list[int | None]] = {}
    scanned: set[int] = set()
    firsts: dict[int, int] = {}  # of each table for AC, the symbol whose code is all zeros
    zeroed, scans = False, 0
    while (place := data.find(b"\xff", place)) >= 0 and place + 1 < len(data):
        marker = data[place + 1]
        if marker in (0x00, 0xFF, *_ALONE):
            place += 2 - (marker == 0xFF)
            continue
        if marker == _END:
            break
        if place + 4 > len(data):
            break
        (length,) = struct.unpack(">H", data[place + 2 : place + 4])
        body = data[place + 4 : place + 2 + length]
        if marker in _FRAMES and frame is None and len(body) >= 6:
            height, width, count = struct.unpack(">xHHB", body[:6])
            frame, progressive = (height, width, count), marker in _PROGRESSIVE
            for i in range(count):
                if 6 + 3 * i < len(body):
                    last[body[6 + 3 * i]] = [None] * 64
        elif marker == _TABLES:
            firsts.update(_first_symbols(body))
        elif marker == _SCAN and body:
            scans += 1
            if scans > _MOST_SCANS:
                raise ValueError(f"it has more than {_MOST_SCANS} scans, which no encoder writes")
            zeroed |= _is_zeroed(data, place + 2 + length, body, firsts)
            names = [body[1 + 2 * i] for i in range(body[0]) if 1 + 2 * i < len(body)]
            first, final, low = body[-3:] if len(body) >= 3 else (0, 63, 0)
            for name in names:
                scanned.add(name)
                for k in range(first, min(final, 63) + 1):
                    if name in last:
                        last[name][k] = low & 15
        place += 2 + length
    if frame is None:
        raise ValueError("it has no frame, so no pixels")
    missing = ""
    if without := [name for name in last if name not in scanned]:
        missing = f"{len(without)} of its {len(last)} colour components are missing"
    elif progressive and any(bits != 0 for known in last.values() for bits in known):
        missing = "its last scans are missing, which hold the details"
    elif zeroed:
        missing = f"{len(_ZEROS)} bytes or more of its pixels were overwritten with zeros"
    return Frame(*frame, missing)


def _first_symbols(body: bytes) -> dict[int, int]:
    """Give of each table for AC the first symbol, of which the code is all zeros."""
    found, place = {}, 0
    while place + 17 < len(body):
        kind, counts = body[place], body[place + 1 : place + 17]
        if kind >> 4:
            found[kind & 15] = body[place + 17]
        place += 17 + sum(counts)
    return found


def _is_zeroed(data: bytes, start: int, body: bytes, firsts: dict[int, int]) -> bool:
    """Whether a scan has zeros that no encoder wrote.

    Where the code of all zeros is that of "nothing more in this block", a flat area is a row of
    zeros. Where it is that of a coefficient, zeros are block after block of all 63 coefficients.
    """
    if len(body) < 4 or not body[-2]:  # DC alone: differences of flat areas are zeros too
        return False
    tables = [body[2 + 2 * i] & 15 for i in range(body[0]) if 2 + 2 * i < len(body)]
    if not any(firsts.get(table, 0) & 15 for table in tables):
        return False
    end = start
    while (end := data.find(b"\xff", end)) >= 0 and end + 1 < len(data):
        if data[end + 1] and not 0xD0 <= data[end + 1] <= 0xD7:
            break
        end += 2
    return data.find(_ZEROS, start, end if end >= 0 else len(data)) >= 0
