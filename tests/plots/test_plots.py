"""Pictures: their pixels and curves are those that were given."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from unetpred.errors import InputError
from unetpred.plots import gallery, gallery_pages, save, training_curves, triptych


def spaces(figure) -> tuple[int, int]:
    """Pixels between pictures and of a line of text: 0.05 and 0.15 inches."""
    return int(0.05 * figure.dpi), round(0.15 * figure.dpi)


def rendered(figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype("uint8")


def texts(figure) -> list[str]:
    return [entry.get_text() for entry in figure.texts]


@pytest.mark.parametrize(
    ("height", "width", "factor"), [(224, 224, 2), (84, 84, 5), (97, 131, 3), (300, 460, 1)]
)
def test_triptych_shows_every_pixel(height, width, factor):
    image, filled = photograph(height, width), photograph(height, width, 1)
    mask = np.random.default_rng(2).integers(0, 2, (height, width))
    figure = triptych(image, mask, filled, "a caption", outline=False)
    pixels, (pad, line) = rendered(figure), spaces(figure)
    masked = image.copy()
    masked[mask == 0] = 128
    tall, wide = factor * height, factor * width
    assert pixels.shape == (2 * pad + line + tall + pad // 2 + line, 4 * pad + 3 * wide, 3)
    for column, panel in enumerate((image, masked, filled)):
        left = pad + column * (wide + pad)
        shown = pixels[pad + line : pad + line + tall, left : left + wide]
        np.testing.assert_array_equal(shown, panel.repeat(factor, 0).repeat(factor, 1))


def test_triptych_clips_and_rounds_floats():
    image = np.full((100, 100, 3), 70.4, "float32")
    filled = image.copy()
    filled[:, :50] = -30
    filled[:, 50:] = 300
    figure = triptych(image, np.ones((100, 100)), filled)
    pixels, (pad, line) = rendered(figure), spaces(figure)
    row = pad + line + 200
    assert (pixels[row, pad + 200] == 70).all()
    assert (pixels[row, 3 * pad + 800 + 100] == 0).all()
    assert (pixels[row, 3 * pad + 800 + 300] == 255).all()


def test_large_images_are_reduced_by_block_means():
    image = photograph(1500, 1100)
    figure = triptych(image, np.ones((1500, 1100)), image)
    pixels, (pad, line) = rendered(figure), spaces(figure)
    mean = image.reshape(750, 2, 550, 2, 3).mean((1, 3))
    shown = pixels[pad + line : pad + line + 750, pad : pad + 550]
    assert np.abs(shown - mean).max() <= 0.5


def test_long_captions_lose_their_middle_and_fit():
    image = photograph(100, 100)
    caption = "/first/" + "folder/" * 80 + "name.png  structure 0.987"
    figure = triptych(image, np.ones((100, 100)), image, caption)
    shown = texts(figure)[-1]
    start, end = shown.split("…")
    assert caption.startswith(start)
    assert start.startswith("/first/")
    assert caption.endswith(end)
    assert end.endswith("name.png  structure 0.987")
    pixels, (pad, line) = rendered(figure), spaces(figure)
    assert (pixels[-pad - line :, -pad + 2 :] == 255).all()
    assert (pixels[-pad - line : -pad + 3] < 128).any()


@pytest.mark.parametrize("width", [180, 85])
@pytest.mark.parametrize("size", [(84, 84), (224, 224), (700, 1100)])
def test_pictures_have_the_width_of_a_journal_and_text_that_can_be_read_in_it(width, size):
    image = photograph(*size)
    line = [(image, "r 0.50")] * 6
    for figure in (
        triptych(image, np.ones(size), image, "structure 0.5", width=width),
        gallery([line], ["a"] * 6, width=width),
    ):
        assert figure.get_figwidth() * 25.4 == pytest.approx(width, rel=0.03)
        assert figure.get_figwidth() * 25.4 < width + 0.1
        assert {entry.get_fontsize() for entry in figure.texts} == {7}
        assert texts(figure)[-1] in ("structure 0.5", "r 0.50")
    small = gallery([line[:1]], ["a"], side=100)  # not blown up
    assert small.get_figwidth() < 1 and small.dpi == 144
    with pytest.raises(InputError, match="width 3: 6 pictures"):
        gallery([line], ["a"] * 6, width=3)


def test_captions_are_literal_and_need_no_special_font(recwarn):
    image = photograph(100, 100)
    figure = triptych(image, np.ones((100, 100)), image, "a_$x^2$_日\udcff.png\nsecond line")
    rendered(figure)
    assert texts(figure) == ["original", "masked", "filled in", "a_$x^2$_□□.png", "second line"]
    assert not [str(w.message) for w in recwarn]


def test_triptych_names_what_does_not_fit():
    image = photograph(100, 90)
    with pytest.raises(InputError, match=r"mask: shape \(90, 100\)"):
        triptych(image, np.ones((90, 100)), image)
    with pytest.raises(InputError, match=r"filled: shape \(90, 90\)"):
        triptych(image, np.ones((100, 90)), image[:90])
    with pytest.raises(InputError, match=r"image: shape \(100, 90\)"):
        triptych(image[..., 0], np.ones((100, 90)), image)


def test_gallery_places_pictures_and_scores():
    rows = [
        [(photograph(224, 224, 1), "first"), (photograph(224, 224, 2), "r = 0.5\nL1 9")],
        [(photograph(224, 100, 3), "second"), (photograph(112, 112, 4), "")],
    ]
    figure = gallery(rows, ["original", "ours"])
    pixels, (pad, line) = rendered(figure), spaces(figure)
    top = pad + line
    second = top + 224 + 2 * line + pad
    right = 2 * pad + 224
    np.testing.assert_array_equal(pixels[top : top + 224, pad : pad + 224], rows[0][0][0])
    np.testing.assert_array_equal(pixels[top : top + 224, right : right + 224], rows[0][1][0])
    # Narrower pictures are centred in their column, small ones enlarged.
    np.testing.assert_array_equal(
        pixels[second : second + 224, pad + 62 : pad + 162], rows[1][0][0]
    )
    np.testing.assert_array_equal(
        pixels[second : second + 224, right : right + 224], rows[1][1][0].repeat(2, 0).repeat(2, 1)
    )
    assert texts(figure) == ["original", "ours", "first", "r = 0.5", "L1 9", "second"]


def test_scores_in_narrow_columns_are_broken_between_words():
    image = photograph(224, 224)
    row = [(image, "photograph_with_a_name.png")] + [(image, "r 0.55  L1 20.5\ncontent 0.55")] * 5
    figure = gallery([row], ["a"] * 6, width=85)
    assert texts(figure)[7:11] == ["r 0.55", "L1 20.5", "content", "0.55"]
    name = texts(figure)[6]
    assert "…" in name and name.endswith(".png")
    assert texts(gallery([row], ["a"] * 6))[7:9] == ["r 0.55  L1 20.5", "content 0.55"]


def test_gallery_names_uneven_rows():
    picture = (photograph(100, 100), "")
    with pytest.raises(InputError, match="row 1 has 1 pictures for 2 titles"):
        gallery([[picture, picture], [picture]], ["a", "b"])
    with pytest.raises(InputError, match="nothing to show"):
        gallery([], ["a"])


def test_gallery_is_split_into_pages_that_ask_for_rows_one_by_one():
    asked = []

    def rows():
        for index in range(7):
            asked.append(index)
            yield [(photograph(224, 224, index), f"row {index}"), (photograph(224, 224), "")]

    whole = gallery(list(rows()), ["original", "ours"])
    asked.clear()
    pages = gallery_pages(rows(), ["original", "ours"], height=whole.get_figheight() * 25.4 / 2)
    first = next(pages)
    assert asked == [0, 1, 2, 3]  # the fourth has no room any more
    figures = [first, *pages]
    assert [text for figure in figures for text in texts(figure) if "row" in text] == [
        f"row {index}" for index in range(7)
    ]
    assert [len(figure.axes) // 2 for figure in figures] == [3, 3, 1]
    assert all(texts(figure)[:2] == ["original", "ours"] for figure in figures)
    pad, line = spaces(whole)
    top, step = pad + line, 224 + line + pad
    pixels = rendered(figures[1])
    for place, index in enumerate((3, 4, 5)):
        shown = pixels[top + place * step :, pad : pad + 224][:224]
        np.testing.assert_array_equal(shown, photograph(224, 224, index))
    # a page that is too low for a row has one
    assert len(list(gallery_pages(rows(), ["original", "ours"], height=1))) == 7
    with pytest.raises(InputError, match="nothing to show"):
        list(gallery_pages(iter(()), ["a"]))
    with pytest.raises(InputError, match="row 7 has 1 pictures"):
        list(gallery_pages([*rows(), [(photograph(90, 90), "")]], ["original", "ours"]))


def test_fillings_in_the_history_are_dashed_lines():
    first = {"step": 0, "structure": "0.1", "structure_telea": "0.6", "l1_telea": "", "lr": ""}
    later = {"step": 9, "structure": "0.7", "structure_telea": "", "l1_telea": "", "lr": "1"}
    columns = {name: [first[name], later[name]] for name in first}
    for history in ([first, later], columns):
        (axes,) = training_curves(history).axes
        assert [line.get_label() for line in axes.lines] == ["U-Net-Pred", "telea"]
        assert axes.lines[1].get_ydata()[0] == 0.6 and axes.lines[1].is_dashed()
        assert len(training_curves(history, baselines={}).axes[0].lines) == 1


def test_curves_hold_the_given_numbers():
    rows = [
        {"step": 0, "loss": 40.0, "structure": "0.1", "l1": ""},
        {"step": 10, "loss": 30.0, "structure": None, "l1": None},
        {"step": 20, "loss": 20.0, "structure": "0.5", "l1": "25"},
    ]
    baselines = {"Telea": {"structure": 0.637, "l1": 27.2}, "mean": {"l1": 50.0}}
    figure = training_curves(rows, baselines)
    loss, structure, error = figure.axes
    np.testing.assert_array_equal(loss.lines[0].get_xydata(), [(0, 40), (10, 30), (20, 20)])
    np.testing.assert_array_equal(structure.lines[0].get_xydata(), [(0, 0.1), (20, 0.5)])
    np.testing.assert_array_equal(error.lines[0].get_xydata(), [(20, 25)])
    assert [len(axes.lines) for axes in figure.axes] == [1, 2, 3]
    assert [line.get_ydata()[0] for line in error.lines[1:]] == [27.2, 50.0]
    assert all(line.is_dashed() for line in error.lines[1:])
    (legend,) = figure.legends
    assert [entry.get_text() for entry in legend.get_texts()] == ["U-Net-Pred", "Telea", "mean"]


def test_curves_from_columns_equal_those_from_rows():
    columns = {"step": [1, 2], "loss": [500.0, 3.0], "lr": [0.1, 0.1]}
    rows = [{"step": 1, "loss": 500.0}, {"step": 2, "loss": 3.0}]
    (first,), (second,) = training_curves(columns).axes, training_curves(rows).axes
    np.testing.assert_array_equal(first.lines[0].get_xydata(), second.lines[0].get_xydata())
    assert first.get_yscale() == "log"
    assert {float(step) for step in first.get_xticks()} <= set(range(-1, 6))  # no half steps


def test_curves_fit_a_journal_and_their_ticks_are_plain_numbers():
    history = {"step": [0, 20000], "loss": [90.0, 0.9], "structure": [0, 0.7], "l1": [80, 20]}
    figure = training_curves(history, {"Telea": {"structure": 0.6, "l1": 27.0}})
    assert figure.get_figwidth() * 25.4 == pytest.approx(180)
    assert training_curves(history, width=85).get_figwidth() * 25.4 == pytest.approx(85)
    figure.draw_without_rendering()
    box = figure.bbox
    for axes in figure.axes:
        title = axes.get_title(loc="left")
        (shown,) = [
            entry for entry in axes.get_children() if getattr(entry, "get_text", str)() == title
        ]
        extent = shown.get_window_extent()
        assert extent.x0 >= 0 and extent.x1 <= box.x1 and extent.y1 <= box.y1, title
    ticks = [entry.get_text() for entry in figure.axes[0].get_yticklabels(which="both")]
    assert {"1", "2", "5", "10", "50"} <= set(ticks) and not [tick for tick in ticks if "$" in tick]


def test_a_run_that_begins_has_whole_steps_and_content_is_a_curve():
    row = {"step": "0", "loss": "", "structure": "0.05", "l1": "60", "content": "1.2"}
    figure = training_curves([row], {"biharmonic": {"content": 0.98, "structure": None}})
    structure, error, content = figure.axes
    assert content.get_title(loc="left").startswith("held-out content")
    np.testing.assert_array_equal(content.lines[0].get_xydata(), [(0, 1.2)])
    assert content.lines[1].get_ydata()[0] == 0.98 and content.lines[1].is_dashed()
    assert [len(axes.lines) for axes in (structure, error)] == [1, 1]
    low, high = content.get_xlim()
    assert [step for step in content.get_xticks() if low <= step <= high] == [0]
    rows = [row, {"step": 100, "loss": 400.0}, {"step": 200, "loss": 2.0, "structure": 0.5}]
    figure = training_curves(rows)
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xydata(), [(100, 400), (200, 2)])
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_xydata(), [(0, 0.05), (200, 0.5)])
    assert len(figure.axes) == 4 and figure.axes[0].get_yscale() == "log"


@pytest.mark.parametrize("width", [85, 180])
def test_four_curves_and_their_legend_have_room(width):
    history = {"step": [0, 9], "loss": [9, 1], "structure": [0, 1], "l1": [9, 1], "content": [1, 0]}
    lines = {name: {"structure": 0.5} for name in ("Telea", "harmonic", "biharmonic")}
    figure = training_curves(history, lines, width)
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    boxes.append(figure.legends[0].get_window_extent())
    for index, box in enumerate(boxes):
        assert box.x0 >= -1 and box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])


def test_curves_can_be_drawn_into_given_axes():
    from matplotlib.figure import Figure

    history = {"step": [0, 9], "loss": [9, 1], "structure": [0, 1]}
    own = Figure()
    left, right = own.subplots(1, 2)
    lines = {"Telea": {"structure": 0.5}}
    assert training_curves(history, lines, curves=["structure"], ax=right) is own
    np.testing.assert_array_equal(right.lines[0].get_ydata(), [0, 1])
    assert not left.lines and not own.legends
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["U-Net-Pred", "Telea"]
    with pytest.raises(InputError, match="ax: 1 axes for loss, structure; 2 are needed"):
        training_curves(history, ax=left)
    with pytest.raises(InputError, match="nothing of 'l1' was measured; there is 'loss', 'struct"):
        training_curves(history, curves=["l1"])


@pytest.mark.parametrize("history", [{}, [], {"step": [1]}, {"loss": [1.0]}, [{"step": 1}]])
def test_history_without_curves_is_named(history):
    with pytest.raises(InputError, match="give 'step' and"):
        training_curves(history)


def test_saved_picture_is_the_figure_whatever_the_settings(tmp_path):
    import matplotlib

    image = photograph(100, 100)
    figure = triptych(image, np.ones((100, 100)), image, "caption")
    with matplotlib.rc_context({"savefig.bbox": "tight", "savefig.dpi": 37}):
        save(figure, tmp_path / "picture.png")
    saved = np.asarray(Image.open(tmp_path / "picture.png").convert("RGB"))
    np.testing.assert_array_equal(saved, rendered(figure))
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]
    with pytest.raises(InputError, match=r"picture\.txt"):
        save(figure, tmp_path / "picture.txt")


def test_letters_in_a_pdf_are_letters(tmp_path):
    import re
    import zlib

    import matplotlib

    save(training_curves({"step": [1, 2], "loss": [3, 2]}), tmp_path / "curves.pdf")
    written = (tmp_path / "curves.pdf").read_bytes()
    parts = [written]
    for part in re.findall(rb"stream\r?\n(.*?)endstream", written, re.S):
        try:
            parts.append(zlib.decompress(part))
        except zlib.error:
            continue
    everything = b"".join(parts)
    assert b"/Type0" in everything or b"/CIDFontType2" in everything  # what Type 42 becomes
    assert b"/Type3" not in everything
    assert matplotlib.rcParams["pdf.fonttype"] == 3  # the caller's own settings stay


def test_no_backend_is_chosen_and_nothing_heavy_is_imported():
    code = (
        "import sys, unetpred.plots\n"
        "assert not {'matplotlib', 'keras', 'skimage', 'cv2'} & set(sys.modules)\n"
        "import numpy as np\n"
        "image = np.zeros((90, 90, 3))\n"
        "unetpred.plots.triptych(image, image[..., 0], image, 'x')\n"
        "unetpred.plots.training_curves({'step': [1], 'loss': [2]})\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    image = photograph(90, 90)
    with pytest.raises(InputError, match="pip install matplotlib"):
        triptych(image, np.ones((90, 90)), image)
