"""Whatever structure a file has: it is read, or one line says why not."""

import json
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest

from unetpred.errors import InputError, escaped, some_of
from unetpred.holes.sites import read_sites
from unetpred.images.formats.jpeg import read_frame
from unetpred.images.formats.png import check_png
from unetpred.images.sources import list_sources
from unetpred.io.hdf5 import read_layers

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=150)
settings.load_profile("repeatable")

NUMBER = st.one_of(st.integers(0, 40), st.sampled_from([2**16 - 1, 2**31, 2**32 - 1]))
TAGS = [
    256,
    257,
    258,
    259,
    262,
    266,
    273,
    274,
    277,
    278,
    279,
    284,
    317,
    322,
    323,
    324,
    325,
    338,
    339,
]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def refused_or(read, path):
    """Give what is read, or None if one line refuses it."""
    try:
        return read(path)
    except InputError as error:
        # letters that no font has are none of a reader's business; what breaks a line is
        assert str(error) == escaped(str(error)) and len(str(error)) < 2000
        return None


def pixels(path):
    (entry,) = list_sources([path])
    if entry.error is not None:
        raise InputError(entry.error)
    return [(source.size, source.load()) for source in entry.sources[:1]]


@given(
    entries=st.lists(
        st.tuples(st.sampled_from(TAGS), st.integers(0, 18), NUMBER, NUMBER), max_size=20
    ),
    order=st.sampled_from("<>"),
)
def test_directories_of_tiff(folder, entries, order):
    first = b"II" if order == "<" else b"MM"
    whole = [(256, 4, 1, 96), (257, 4, 1, 90), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8)]
    whole += [(278, 4, 1, 90), (279, 4, 1, 96 * 90)]
    tags = {tag: (tag, kind, count, value) for tag, kind, count, value in [*whole, *entries]}
    body = b"".join(struct.pack(f"{order}HHII", *entry) for _, entry in sorted(tags.items()))
    head = first + struct.pack(f"{order}HI", 42, 8 + 96 * 90) + bytes(96 * 90)
    (folder / "a.tif").write_bytes(head + struct.pack(f"{order}H", len(tags)) + body + bytes(4))
    refused_or(pixels, folder / "a.tif")


@given(text=st.text(st.characters(exclude_categories=["Cs"])), head=st.booleans())
def test_tables_of_sites(folder, text, head):
    (folder / "a.csv").write_text(("x,y,size,index\n" if head else "") + text, "utf-8", newline="")
    refused_or(read_sites, folder / "a.csv")


@given(
    rows=st.lists(
        st.lists(st.floats() | st.integers() | st.sampled_from(["NA", ""]), min_size=4, max_size=4)
    )
)
def test_numbers_of_sites(folder, rows):
    lines = [",".join(map(str, row)) for row in rows]
    (folder / "a.csv").write_text("\n".join(["x,y,size,index", *lines]))
    found = refused_or(read_sites, folder / "a.csv")
    assert found is None or all(s.index is None or isinstance(s.index, int) for s in found)


@given(index=JSON, weight_map=JSON, about=JSON)
def test_indices_of_weights(folder, index, weight_map, about):
    for content in (index, {"weight_map": weight_map, "metadata": {"unetpred": about}}):
        (folder / "a.weights.json").write_text(json.dumps(content))
        refused_or(
            lambda path: read_layers(path, "weights", trusted=True), folder / "a.weights.json"
        )


@given(
    shape=st.lists(st.integers(-1, 2**40), max_size=5),
    kind=st.sampled_from(["|u1", "<f8", "|O", "<c8", "<M8[s]", "|S3"]),
)
def test_heads_of_arrays(folder, shape, kind):
    head = {"descr": kind, "fortran_order": False, "shape": tuple(shape)}
    with (folder / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, head)
        file.write(bytes(90 * 90 * 3))
    refused_or(pixels, folder / "a.npy")


@given(data=st.binary(max_size=300))
def test_markers_and_chunks(folder, data):
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + data)
    with (folder / "a.png").open("rb") as file, pytest.raises(ValueError):
        check_png(file)
    with pytest.raises(ValueError):
        read_frame(b"\xff\xd8" + data.replace(b"\xff\xc0", b""))
        raise ValueError("there was a frame of another kind")


@given(text=st.text(st.characters()))
def test_escaped_text_is_one_line_that_can_be_encoded(text):
    one = escaped(text)
    assert len(one.splitlines()) <= 1 and "\x1b" not in one and "\0" not in one
    one.encode("utf-8")
    assert escaped(one) == one
    if text.isascii() and text.isprintable():
        assert one == text


def test_long_lists_are_cut():
    assert some_of("abc") == "a, b, c" and some_of(map(str, range(6))) == "0, 1, 2, 3, 4, 5"
    assert some_of(map(str, range(20_000))) == "0, 1, 2, 3, 4 and 19995 more"
