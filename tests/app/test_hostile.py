"""Who means no good gets one line, and nothing that is not theirs."""

import html
import re
import socket
import struct
import zlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import unetpred

OUTSIDE = [
    "/gradio_api/file={path}",
    "/gradio_api/file=../../../../../../..{path}",
    "/gradio_api/file=..%2f..%2f..%2f..%2f..%2f..{path}",
    "/gradio_api/file=/proc/self/root{path}",
    "/gradio_api/file=file://{path}",
    "/file={path}",
    "/static/../../../../../../../..{path}",
    "/assets/..%2f..%2f..%2f..%2f..%2f..%2f..{path}",
]


def error_of(message: dict) -> str:
    """What the page tells of what went wrong; it is one line and no trace."""
    assert message["success"] is False
    text = html.unescape(message["output"]["error"] or "")
    assert "\n" not in text and "Traceback" not in text and 'File "' not in text
    return text


@pytest.mark.parametrize("path", OUTSIDE)
def test_files_of_the_server_stay_there(site, path, tmp_path_factory):
    secret = tmp_path_factory.mktemp("private") / "secret.txt"
    secret.write_text("a word that nobody may read")
    answer = site.http.get(path.format(path=secret))
    assert answer.status_code >= 400
    assert "nobody" not in answer.text


def test_only_what_was_uploaded_is_opened(site, file):
    for path in (file, "/etc/passwd", "http://127.0.0.1:9/a.png", "file:///etc/passwd"):
        given = {"path": path, "meta": {"_type": "gradio.FileData"}}
        text = error_of(site.tab().call("uploaded", given))
        assert "root:" not in text


def test_weights_are_those_that_are_offered(site, weights):
    tab = site.tab()
    assert tab.click(300, 300)["success"]
    for name in ("/etc/passwd", "../lite", "upstream.h5"):
        error_of(tab.click(300, 300, weights=name))
        error_of(tab.call("segmented", None, name))
    assert set(site.page.engine._predictors) <= {weights, "lite", "full"}


@pytest.mark.parametrize("index", [-1, 10_000])
def test_examples_are_those_that_are_offered(site, index):
    error_of(site.tab().call("chosen", index))


def bomb(path) -> str:
    """A small PNG that says it is 30000 px a side."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1 << 20))
    parts = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    return "30000x30000 px"


def cut_short(path) -> str:
    noise = np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:9000])
    return "damaged"


def text(path) -> str:
    path.write_text("<svg onload=alert(1)>")
    return "not an image"


def small(path) -> str:
    Image.new("RGB", (20, 300)).save(path)
    return "at least 84x84"


def empty(path) -> str:
    path.write_bytes(b"")
    return "empty file"


@pytest.mark.parametrize("make", [bomb, cut_short, text, small, empty])
def test_uploads_that_are_no_pictures_get_one_line(site, make, tmp_path):
    path = tmp_path / "bad.png"
    expected = make(path)
    said = error_of(site.tab().open(path))
    assert expected in said
    assert said.startswith("bad.png: ")
    assert "/" not in said.replace("84x84", "")  # nor where it lies on the server


def test_other_kinds_of_file_are_refused(site, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("x,y\n")
    error_of(site.tab().open(path))


def test_names_of_files_are_no_html(site, file, tmp_path):
    path = tmp_path / "<img src=x onerror=alert(1)>.png"
    Image.open(file).save(path)
    tab = site.tab()
    shown = str(tab.open(path)["output"]["data"])
    shown += str(tab.click(300, 300)["output"]["data"])
    assert not re.search(r"<img[^;]*onerror", shown)


def test_holes_that_do_not_fit_get_one_line(site, file):
    tab = site.tab()
    tab.open(file)
    assert "does not fit" in error_of(tab.click(3, 3))
    for size in (-5, 0, 1e9, "52; rm", None, float("inf")):
        try:
            message = tab.click(300, 300, size=size)
        except ValueError:  # JSON has no infinity
            continue
        error_of(message)
    assert tab.click(300, 300)["success"]


def test_what_is_missing_is_asked_for(site):
    tab = site.tab()
    assert "click on a place" in error_of(tab.call("tuned", None, None))
    assert "nothing was scored" in error_of(tab.call("save_table", None))
    assert "nothing was mapped" in error_of(tab.call("save_map", None))
    assert "no mask" in error_of(tab.call("save_mask", None))
    assert "nothing is painted" in error_of(tab.call("painted", None, None, None, *tab.settings()))


def test_maps_of_too_many_places_are_refused(site, file):
    tab = site.tab()
    tab.open(file)
    for stride in (0, -1, 1):
        error_of(tab.call("mapped", None, stride, *tab.settings()))


@pytest.mark.slow
def test_tabs_do_not_mix(site, file, tmp_path, weights):
    other = tmp_path / "other.png"
    Image.open(file).rotate(180).save(other)
    one, two = site.tab(), site.tab()
    one.open(file)
    two.open(other)
    for tab in (one, two, one):
        assert tab.click(300, 300)["success"]
    names = []
    for tab, path, count in ((one, file, 2), (two, other, 1)):
        files = tab.call("save_table", None)["output"]["data"][0]["value"]
        table = pd.read_csv(files[0]["path"], comment="#")
        assert len(table) == count
        names.append(set(table.image))
        x, y = int(table.x[0]), int(table.y[0])
        hole = unetpred.Hole(40, center=(x, y))
        (expected,) = unetpred.score(path, hole=hole, context=224, weights=weights).structure
        np.testing.assert_allclose(table.structure, expected, rtol=0, atol=1e-6)
    assert names == [{"waves.png"}, {"other.png"}]


@pytest.fixture
def contacted(monkeypatch):
    """Which addresses beyond this machine somebody looks up or connects to."""
    found = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def is_here(host) -> bool:
        return str(host) in ("127.0.0.1", "localhost", "::1", "None", "")

    def guarded_connect(self, address):
        if isinstance(address, tuple) and not is_here(address[0]):
            found.append(address)
            raise OSError("nothing beyond this machine may be reached")
        return connect(self, address)

    def guarded_look_up(host, *given, **named):
        if not is_here(host):
            found.append(host)
            raise socket.gaierror("nothing beyond this machine may be looked up")
        return look_up(host, *given, **named)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)
    return found


def test_nobody_is_told(site, file, contacted):
    tab = site.tab()
    tab.open(file)
    assert tab.click(300, 300)["success"]
    assert tab.call("save_table", None)["success"]
    assert tab.call("save_figure", None, None)["success"]
    assert tab.call("mapped", None, 48, *tab.settings())["success"]
    assert tab.call("save_map", None)["success"]
    assert contacted == []


def test_addresses_are_not_fetched(site, contacted):
    for path in ("http://example.com/a.png", "https://192.0.2.1/a.png"):
        given = {"path": path, "url": path, "meta": {"_type": "gradio.FileData"}}
        tab = site.tab()
        assert "not fetched" in error_of(tab.call("uploaded", given))
        editor = {"background": given, "layers": [given], "composite": None}
        assert "not fetched" in error_of(tab.call("painted", editor, None, None, *tab.settings()))
    assert contacted == []


def paths_in(data) -> list[str]:
    """The files in what an event gives."""
    if isinstance(data, dict):
        inner = [path for value in data.values() for path in paths_in(value)]
        return inner + ([data["path"]] if isinstance(data.get("path"), str) else [])
    return [path for one in data for path in paths_in(one)] if isinstance(data, list) else []


def test_no_file_is_forgotten(site, file):
    """All that is served is among what is removed after some hours."""
    tab = site.tab()
    tab.open(file)
    served = paths_in(tab.click(300, 300)["output"]["data"])
    served += paths_in(tab.call("save_table", None)["output"]["data"])
    assert len(served) == 1 + 6 + 2
    assert set(served) <= set().union(*site.page.temp_file_sets)


def test_the_queue_is_bounded(site):
    assert site.page._queue.max_size == 16
    assert site.page.max_file_size == 200 << 20
    assert site.page.state_session_capacity == 64


def test_nothing_but_this_machine_is_listened_to(site):
    assert site.page.server_name == "127.0.0.1"
    assert not site.page.share
    assert not site.page.analytics_enabled


def test_events_are_no_interface_for_programs(site):
    assert site.http.get("/gradio_api/info").json()["named_endpoints"] == {}
    answer = site.http.post("/gradio_api/api/clicked", json={"data": []})
    assert answer.status_code >= 400
