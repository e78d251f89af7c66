"""Reading one picture, or being told why not; writing what Pillow cannot."""

import struct
import zlib

import numpy as np
import pytest

from unetpred.errors import InputError
from unetpred.images.sources import list_sources

H, W = 90, 101


def one(path, **options):
    """Load the only picture of `path`, and check that the header's size is that of the pixels."""
    (entry,) = list_sources([path], **options)
    assert entry.error is None, entry.error
    (source,) = entry.sources
    size, pixels = source.size, source.load()
    assert pixels.dtype == np.float32 and pixels.shape == (*size, 3)
    assert pixels.flags.c_contiguous and pixels.flags.writeable
    return pixels


def refusal(path, **options):
    """Say why `path`, or its only picture, is refused; by `size` too where that can tell."""
    (entry,) = list_sources([path], **options)
    if entry.error is not None:
        assert entry.sources == []
        message = entry.error
    else:
        with pytest.raises(InputError) as error:
            entry.sources[0].load()
        message = str(error.value)
    assert "\n" not in message and message.startswith(str(path))
    return message


def saved(tmp_path, array, name="a.npy"):
    path = tmp_path / name
    np.save(path, array)
    return path


def write_png(path, array, colour_type, extra=b""):
    """Encode by the PNG specification alone: 16 bits, no filter."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    height, width = array.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return path
