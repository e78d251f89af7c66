"""The page in a browser: what a user sees and does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import unetpred

pytest.importorskip("gradio")
pytest.importorskip("plotly")
playwright = pytest.importorskip("playwright.sync_api")

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium"),
]
PATIENCE = 120_000  # ms; the machine may be busy
ANSWERED = """before => {
    const text = document.querySelector('#scores').innerText;
    return text !== before && text.includes('Telea');
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """`unetpred app` in a process of its own, which ends well and leaves no file."""
    command = [sys.executable, "-m", "unetpred", "app", "--weights", "lite", "--no_browser"]
    folder = tmp_path_factory.mktemp("temporary")
    served = subprocess.Popen(
        [*command, "--pixels_per_degree", "20"],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    line = served.stdout.readline()
    yield re.search(r"http://127\.0\.0\.1:\d+/", line)[0]
    served.send_signal(2)
    assert served.wait(60) == 0
    assert served.stdout.read() == ""
    assert not [one for one in folder.rglob("*") if one.is_file()]


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as api:
        browser = api.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


class Tab:
    """A tab of the browser in which the page is open."""

    def __init__(self, chromium, address, width=1280, scheme="light"):
        size = {"width": width, "height": 900}
        self.context = chromium.new_context(viewport=size, color_scheme=scheme)
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.elsewhere, self.broken = [], []
        self.page.on("request", lambda request: self._note(request.url, address))
        self.page.on("pageerror", lambda error: self.broken.append(str(error)))
        self.page.goto(address)
        self.page.wait_for_selector("#picture img")

    def _note(self, url, address):
        if not url.startswith((address, "data:", "blob:")):
            self.elsewhere.append(url)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def place(self, across: float, down: float) -> tuple[float, float]:
        """Where that part of the picture is in the window."""
        image = self.page.locator("#picture img")
        image.scroll_into_view_if_needed()
        box = image.bounding_box()
        return box["x"] + across * box["width"], box["y"] + down * box["height"]

    def answered(self, act) -> dict[str, list[float]]:
        """Do something that scores; the scores by filling."""
        before = self.text("#scores")
        act()
        self.page.wait_for_function(ANSWERED, arg=before)
        rows = [line.split("\t") for line in self.text("#scores table").splitlines()[1:]]
        return {name: [float(value) for value in values] for name, *values in rows}

    def click(self, across: float, down: float) -> dict[str, list[float]]:
        return self.answered(lambda: self.page.mouse.click(*self.place(across, down)))

    def open(self, path) -> None:
        self.page.set_input_files("#upload ~ input, #upload input, input[type=file]", path)
        name = str(path).rsplit("/", 1)[-1]
        self.page.wait_for_function(
            "name => document.querySelector('#note').innerText.includes(name)", arg=name
        )
        self.settled("#picture img")

    def settled(self, selector: str) -> None:
        """Wait until something is loaded and stays where it is, as who looks at it does."""
        still, before = 0, None
        while still < 4:
            self.page.wait_for_timeout(250)
            box = self.page.locator(selector).first.bounding_box()
            loaded = self.page.evaluate(
                "at => document.querySelector(at)?.complete !== false", selector
            )
            still = still + 1 if loaded and box == before else 0
            before = box

    def download(self, button: str, files: str, folder) -> list[str]:
        """Press a button that writes files, and download them."""
        self.page.locator(button).click()
        links = self.page.locator(f"{files} a[download]")
        links.first.wait_for()
        got = []
        for link in links.all():
            with self.page.expect_download() as begun:
                link.click()
            got.append(str(folder / begun.value.suggested_filename))
            begun.value.save_as(got[-1])
        return got


@pytest.fixture
def tab(chromium, address):
    made = Tab(chromium, address)
    yield made
    assert made.elsewhere == []
    assert made.broken == []
    made.context.close()


def hole_of(tab) -> unetpred.Hole:
    """The hole that the page says it has scored."""
    shape, size, x, y = re.search(
        r"(square|disc) of (\d+) px at \((\d+), (\d+)\)", tab.text("#note")
    ).groups()
    return unetpred.Hole(int(size), shape, (int(x), int(y)))


def assert_shown(scores: dict, table: pd.DataFrame):
    """What is shown is a table's only row, rounded."""
    (row,) = table.to_dict("records")
    ends = {"U-Net-Pred, lite": "", "Telea": "_telea", "mean colour": "_mean_fill"}
    ends["harmonic (soap film)"] = "_harmonic"
    assert set(scores) == set(ends)
    for name, end in ends.items():
        expected = [row[f"structure{end}"], row[f"content{end}"]]
        np.testing.assert_allclose(scores[name], expected, rtol=0, atol=6e-5)


def test_upload_click_and_download(tab, file, tmp_path):
    tab.open(file)
    scores = tab.click(0.5, 0.5)
    x, y = hole_of(tab).center
    assert abs(x - 75) <= 1 and abs(y - 68) <= 1  # the middle of 150x136 px
    both = ("structure", "content")
    given = {"context": 224, "weights": "lite", "output": both, "covariates": True}
    assert_shown(scores, unetpred.score(file, hole=hole_of(tab), **given))

    scores = tab.answered(lambda: tab.page.locator("#shape input[value=disc]").check())
    assert hole_of(tab) == unetpred.Hole(52, "disc", (x, y))
    assert_shown(scores, unetpred.score(file, hole=hole_of(tab), **given))
    scores = tab.answered(lambda: tab.page.locator("#context input[value=full]").check())
    table = unetpred.score(file, hole=hole_of(tab), **{**given, "context": "full"})
    assert_shown(scores, table)

    csv, parquet = tab.download("#to_table", "#files", tmp_path)
    for read in (pd.read_csv(csv, comment="#"), pd.read_parquet(parquet)):
        assert list(read.hole) == ["square", "disc", "disc"]
        assert list(read.context.astype(str)) == ["224", "224", "full"]
        np.testing.assert_allclose(read.content[2], table.content[0], rtol=0, atol=1e-5)
    assert "# weights: lite" in Path(csv).read_text("utf-8")


def test_clicks_in_quick_succession_all_count(tab, file, tmp_path):
    tab.open(file)
    tab.click(0.5, 0.5)
    for across in (0.35, 0.45, 0.6):
        tab.page.mouse.click(*tab.place(across, 0.5))
        tab.page.wait_for_timeout(100)
    tab.page.wait_for_function("document.querySelector('#note').innerText.includes('(90, 68)')")
    csv, _ = tab.download("#to_table", "#files", tmp_path)
    assert list(pd.read_csv(csv, comment="#").x) == [75, 52, 67, 90]


def test_figure_is_downloaded(tab, file, tmp_path):
    tab.open(file)
    tab.click(0.5, 0.5)
    png, pdf = tab.download("#to_figure", "#files", tmp_path)
    assert Image.open(png).width > 900
    with open(pdf, "rb") as begun:
        assert begun.read(5) == b"%PDF-"


def test_sizes_in_degrees(tab, file):
    """The page was told of 20 px per degree."""
    tab.open(file)
    tab.page.locator("#units input[value=deg]").check()
    size = tab.page.locator("#size input[type=number]")
    tab.page.wait_for_function("document.querySelector('#size').innerText.includes('degrees')")
    playwright.expect(size).to_have_value("2.6")  # 52 px
    size.fill("1.52")
    size.blur()
    scores = tab.click(0.5, 0.5)
    assert hole_of(tab).size == 30
    (x, y) = hole_of(tab).center
    given = {"context": 224, "weights": "lite", "covariates": True, "pixels_per_degree": 20}
    hole = unetpred.Hole(1.52, units="deg", center=(x, y))
    both = ("structure", "content")
    assert_shown(scores, unetpred.score(file, hole=hole, output=both, **given))
    tab.page.mouse.move(*tab.place(0.4, 0.4))
    outline = tab.page.locator(".unetpred-pointer")
    outline.wait_for()
    scale = tab.page.locator("#picture img").bounding_box()["width"] / 150
    assert outline.bounding_box()["width"] == pytest.approx(30 * scale, abs=1.5)

    # the same place, as another screen shows it
    per_degree = tab.page.locator("#ppd input")
    per_degree.fill("40")
    tab.answered(lambda: per_degree.press("Enter"))
    assert hole_of(tab) == unetpred.Hole(61, center=(x, y))  # 1.52 degrees
    tab.page.locator("#units input[value=px]").click()
    tab.page.wait_for_function("document.querySelector('#size').innerText.includes('px')")
    playwright.expect(size).to_have_value("61")


def test_the_outline_follows_the_pointer(tab, file):
    tab.open(file)
    tab.page.mouse.move(*tab.place(0.5, 0.5))
    outline = tab.page.locator(".unetpred-pointer")
    outline.wait_for()
    scale = tab.page.locator("#picture img").bounding_box()["width"] / 150
    box = outline.bounding_box()
    assert box["width"] == pytest.approx(52 * scale, abs=1.5)
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    np.testing.assert_allclose(middle, tab.place(0.5, 0.5), atol=scale + 1)
    assert "leaves" not in outline.get_attribute("class")
    tab.page.mouse.move(*tab.place(0.02, 0.5))
    assert "leaves" in outline.get_attribute("class")
    tab.page.mouse.move(5, 5)
    outline.wait_for(state="detached")


def test_what_cannot_be_scored_is_told_in_one_line(tab, file, tmp_path):
    tab.open(file)
    tab.click(0.5, 0.5)
    tab.page.mouse.click(*tab.place(0.02, 0.5))
    toast = tab.page.locator(".toast-body")
    toast.wait_for()
    assert "does not fit" in toast.inner_text()
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    tab.page.set_input_files("input[type=file]", bad)
    told = tab.page.locator(".toast-body", has_text="bad.png")
    told.wait_for()
    assert "Traceback" not in tab.text("body")
    assert str(tmp_path) not in tab.text("body")
    # what was there is still seen, and can be clicked on
    for selector in ("#picture img", "#panels img"):
        tab.page.locator(selector).first.scroll_into_view_if_needed()
        box = tab.page.locator(selector).first.bounding_box()
        at = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
        top = "([x, y, at]) => document.elementFromPoint(x, y).matches(at)"
        assert tab.page.evaluate(top, [*at, selector])


def test_painted_holes_are_scored(tab, file, tmp_path):
    tab.open(file)
    tab.page.get_by_role("tab", name="Paint a hole").click()
    canvas = tab.page.locator("#editor canvas").first
    canvas.wait_for()
    tab.page.wait_for_timeout(5000)  # until the picture is on it, which nothing tells
    tab.settled("#editor canvas")
    box = canvas.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.page.mouse.move(*middle)
    tab.page.mouse.down()
    for step in range(12):
        tab.page.mouse.move(middle[0] + 4 * step, middle[1] + 2 * step)
    tab.page.mouse.up()
    scores = tab.answered(lambda: tab.page.locator("#paint").click())
    assert "painted hole" in tab.text("#note")
    *_, mask = tab.download("#to_figure", "#files", tmp_path)
    hidden = np.asarray(Image.open(mask)) == 0
    assert hidden.shape == (136, 150)
    assert 50 < hidden.sum() < 5000
    given = {"context": 224, "weights": "lite", "covariates": True}
    table = unetpred.score(file, mask=mask, output=("structure", "content"), **given)
    assert_shown(scores, table)


def test_size_tuning_is_drawn(tab, file):
    tab.open(file)
    tab.click(0.5, 0.5)
    tab.page.locator("#tune").click()
    tab.page.wait_for_function(
        """() => {
            const plot = document.querySelector('#curve .js-plotly-plot');
            return plot && plot.data.length === 4 && plot.data[0].x.length >= 9;
        }"""
    )
    x, y = tab.page.evaluate(
        """() => {
            const line = document.querySelector('#curve .js-plotly-plot').data[0];
            return [Array.from(line.x), Array.from(line.y)];
        }"""
    )
    hole = unetpred.Hole(int(x[3]), center=hole_of(tab).center)
    (expected,) = unetpred.score(file, hole=hole, context=224, weights="lite").structure
    assert y[3] == pytest.approx(expected, abs=1e-5)


def test_maps_grow_and_are_cancelled(tab, file, tmp_path):
    tab.page.locator("#examples button").nth(2).click()
    tab.page.wait_for_function(
        "() => document.querySelector('#note').innerText.startsWith('astronaut')"
    )
    tab.page.get_by_role("tab", name="Map").click()
    tab.page.locator("#map").click()
    tab.page.wait_for_function(
        "() => /^[1-9][0-9]* of [0-9]+ places/.test(document.querySelector('#map_note').innerText)"
    )
    tab.page.locator("#cancel").click()
    tab.page.wait_for_function(
        "() => document.querySelector('#map_note').innerText.startsWith('Cancelled after')"
    )
    done, total = map(int, re.findall(r"\d+", tab.text("#map_note")))
    assert 0 < done < total
    plot = tab.page.locator("#map_plot .nsewdrag").first
    plot.scroll_into_view_if_needed()
    tab.settled("#map_plot .nsewdrag")
    box = plot.bounding_box()
    # the first places that are scored are the topmost whose surroundings are whole
    told = tab.page.locator("#map_plot .hoverlayer text").first
    for step in range(20):  # the plot answers to a pointer that moves, once it is drawn
        x, y = box["x"] + 0.25 * box["width"] + step % 2, box["y"] + 0.22 * box["height"]
        tab.page.mouse.move(x, y)
        tab.page.wait_for_timeout(500)
        if told.is_visible():
            break
    shown = told.text_content()  # before the pointer leaves for the download
    csv, _, _ = tab.download("#to_map", "#map_files", tmp_path)
    table = pd.read_csv(csv, comment="#")
    x, y, value = re.findall(r"[\d.]+", shown)
    (of_table,) = table.structure[(table.x == int(x)) & (table.y == int(y))]
    assert float(value) == pytest.approx(of_table, abs=6e-5)
    assert set(table.image) == {"astronaut.png"}
    assert np.isfinite(table.structure).sum() == done
    tab.page.wait_for_timeout(2000)
    assert f"after {done} of" in tab.text("#map_note")  # nothing goes on


def test_masks_are_shown(tab):
    tab.page.get_by_role("tab", name="Segmentation").click()
    tab.page.locator("#segment").click()
    tab.page.wait_for_function(
        "() => document.querySelector('#mask_note').innerText.startsWith('Done')"
    )
    assert "membrane" in tab.text("#legend")
    tab.page.locator("#overlay img").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window(chromium, address, width, scheme):
    tab = Tab(chromium, address, width, scheme)
    tab.click(0.5, 0.5)
    for name in ("Map", "Segmentation", "Predictability"):
        tab.page.get_by_role("tab", name=name).click()
        wide = tab.page.evaluate("() => document.scrollingElement.scrollWidth")
        assert wide <= width
    background = tab.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    dark = max(map(int, re.findall(r"\d+", background)[:3])) < 60
    assert dark == (scheme == "dark")
    assert tab.elsewhere == [] and tab.broken == []
    tab.context.close()
