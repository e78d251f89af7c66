"""Writing TIFF files by the specification alone: any depth, layout and compression."""

import itertools
import struct
import zlib

import numpy as np

BYTE, SHORT, LONG = 1, 3, 4
CODES = {"none": 1, "lzw": 5, "deflate": 8, "packbits": 32773}


def lzw(data):
    """LZW of single bytes alone: the table is cleared before its codes need a tenth bit."""
    codes = []
    for start in range(0, len(data), 200):
        codes += [256, *data[start : start + 200]]
    return packed(np.array([*codes, 257]), 9)


def packbits(data):
    """Runs of 2 or more equal bytes, or single ones."""
    parts = []
    for byte, run in itertools.groupby(data):
        length = len(list(run))
        while length:
            part = min(length, 128)
            parts.append(bytes([257 - part, byte]) if part > 1 else bytes([0, byte]))
            length -= part
    return b"".join(parts)


def packed(values, bits):
    """Whole numbers, most significant bit first, without gaps; the last byte filled up."""
    text = "".join(f"{int(value):0{bits}b}" for value in values)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big") if text else b""


def row_bytes(row, bits, order, predictor):
    """One row (w,S) of a strip or tile."""
    if predictor == 2:  # differences of neighbours, as whole numbers
        whole = row.view(f"u{row.dtype.itemsize}")
        row = np.concatenate([whole[:1], whole[1:] - whole[:-1]])
    if predictor == 3:
        high = row.astype(row.dtype.newbyteorder(">"))
        planes = np.frombuffer(high.tobytes(), "u1").reshape(-1, row.dtype.itemsize).T.ravel()
        steps = planes.reshape(-1, row.shape[1])
        return np.concatenate([steps[:1], steps[1:] - steps[:-1]]).tobytes()
    if bits in (8, 16, 32, 64):
        return row.astype(row.dtype.newbyteorder(order)).tobytes()
    return packed(row.ravel(), bits)


def write_tiff(
    path,
    samples,
    bits=None,
    order="<",
    photometric=None,
    compression="none",
    predictor=1,
    tile=None,
    rows=None,
    planar=False,
    orientation=1,
    extra=(),
    big=False,
    reversed_bits=False,
    lengths=True,
    kept=1.0,
):
    """Write samples (H,W,S) as they are to be stored; of the last part, a share of its bytes."""
    height, width, count = samples.shape
    bits = bits or 8 * samples.dtype.itemsize
    if photometric is None:
        photometric = 2 if count - len(extra) == 3 else 1
    across, down = tile or (width, rows or height)
    parts = []
    for plane in np.moveaxis(samples, -1, 0)[..., None] if planar else [samples]:
        for y, x in itertools.product(range(0, height, down), range(0, width, across)):
            part = plane[y : y + down, x : x + across]
            if tile:
                gaps = ((0, down - part.shape[0]), (0, across - part.shape[1]), (0, 0))
                part = np.pad(part, gaps, mode="edge")
            data = b"".join(row_bytes(row, bits, order, predictor) for row in part)
            coder = {"none": bytes, "deflate": zlib.compress, "lzw": lzw, "packbits": packbits}
            data = coder[compression](data)
            if reversed_bits:
                data = bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)
            parts.append(data + b"\0" * (len(data) % 2))
    parts[-1] = parts[-1][: int(kept * len(parts[-1]))]
    formats = {"f": 3, "i": 2}.get(samples.dtype.kind, 1)
    tags = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [bits] * count),
        259: (SHORT, [CODES[compression]]),
        262: (SHORT, [photometric]),
        266: (SHORT, [2 if reversed_bits else 1]),
        274: (SHORT, [orientation]),
        277: (SHORT, [count]),
        284: (SHORT, [2 if planar else 1]),
        317: (SHORT, [predictor]),
        339: (SHORT, [formats] * count),
    }
    if extra:
        tags[338] = SHORT, list(extra)
    starts = np.cumsum([16, *map(len, parts)])[:-1].tolist()
    if tile:
        tags |= {322: (LONG, [across]), 323: (LONG, [down]), 324: (LONG, starts)}
        tags[325] = LONG, [len(part) for part in parts]
    else:
        tags |= {273: (LONG, starts), 278: (LONG, [down])}
        if lengths:
            tags[279] = LONG, [len(part) for part in parts]
    body = b"".join(parts)
    path.write_bytes(_header(order, big, 16 + len(body)) + body)
    with path.open("ab") as file:
        file.write(_directory(order, big, 16 + len(body), tags))
    return path


def _header(order, big, offset):
    mark = b"II" if order == "<" else b"MM"
    if big:
        return mark + struct.pack(f"{order}HHHQ", 43, 8, 0, offset)
    return mark + struct.pack(f"{order}HI", 42, offset) + bytes(8)


def _directory(order, big, offset, tags):
    """Entries in the order of their tags, then what is too long for them."""
    inline, entry, count = (8, "HHQ", "Q") if big else (4, "HHI", "H")
    word = "Q" if big else "I"
    size = struct.calcsize(f"={count}{word}") + len(tags) * (struct.calcsize(f"={entry}") + inline)
    entries, later = b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        data = struct.pack(f"{order}{len(values)}{'H' if kind == SHORT else 'I'}", *values)
        if len(data) > inline:
            place = struct.pack(f"{order}{word}", offset + size + len(later))
            later, data = later + data, place
        entries += struct.pack(f"{order}{entry}", tag, kind, len(values)) + data.ljust(
            inline, b"\0"
        )
    return (
        struct.pack(f"{order}{count}", len(tags)) + entries + bytes(struct.calcsize(word)) + later
    )


def with_rows(data, before, after, page=None):
    """Let the pages of a TIFF file, or one of them, say that they have another number of rows."""
    forms = ((SHORT, "<HHIHxx"), (LONG, "<HHII"))
    (old,) = (e for k, f in forms if (e := struct.pack(f, 257, k, 1, before)) in data)
    new = struct.pack("<HHII", 257, LONG, 1, after)
    parts = data.split(old)
    entries = [new if page in (None, number) else old for number in range(len(parts) - 1)]
    return b"".join(itertools.chain(*zip(parts, [*entries, b""], strict=True)))
