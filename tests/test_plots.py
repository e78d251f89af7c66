"""Pictures: their pixels and curves are those that were given."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from unetpred.errors import InputError
from unetpred.plots import gallery, save, training_curves, triptych

PAD, LINE = 10, 20


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
    pixels = rendered(triptych(image, mask, filled, "a caption"))
    masked = image.copy()
    masked[mask == 0] = 128
    tall, wide = factor * height, factor * width
    assert pixels.shape == (2 * PAD + LINE + tall + PAD // 2 + LINE, 4 * PAD + 3 * wide, 3)
    for column, panel in enumerate((image, masked, filled)):
        left = PAD + column * (wide + PAD)
        shown = pixels[PAD + LINE : PAD + LINE + tall, left : left + wide]
        np.testing.assert_array_equal(shown, panel.repeat(factor, 0).repeat(factor, 1))


def test_triptych_clips_and_rounds_floats():
    image = np.full((100, 100, 3), 70.4, "float32")
    filled = image.copy()
    filled[:, :50] = -30
    filled[:, 50:] = 300
    pixels = rendered(triptych(image, np.ones((100, 100)), filled))
    row = PAD + LINE + 200
    assert (pixels[row, PAD + 200] == 70).all()
    assert (pixels[row, 3 * PAD + 800 + 100] == 0).all()
    assert (pixels[row, 3 * PAD + 800 + 300] == 255).all()


def test_large_images_are_reduced_by_block_means():
    image = photograph(1500, 1100)
    pixels = rendered(triptych(image, np.ones((1500, 1100)), image))
    mean = image.reshape(750, 2, 550, 2, 3).mean((1, 3))
    shown = pixels[PAD + LINE : PAD + LINE + 750, PAD : PAD + 550]
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
    pixels = rendered(figure)
    assert (pixels[-PAD - LINE :, -PAD + 2 :] == 255).all()
    assert (pixels[-PAD - LINE : -PAD + 3] < 128).any()


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
        [(photograph(224, 224, 1), "first"), (photograph(224, 224, 2), "r = 0.5")],
        [(photograph(224, 100, 3), "second"), (photograph(112, 112, 4), "")],
    ]
    figure = gallery(rows, ["original", "ours"])
    pixels = rendered(figure)
    top = PAD + LINE
    second = top + 224 + LINE + PAD
    right = 2 * PAD + 224
    np.testing.assert_array_equal(pixels[top : top + 224, PAD : PAD + 224], rows[0][0][0])
    np.testing.assert_array_equal(pixels[top : top + 224, right : right + 224], rows[0][1][0])
    # Narrower pictures are centred in their column, small ones enlarged.
    np.testing.assert_array_equal(
        pixels[second : second + 224, PAD + 62 : PAD + 162], rows[1][0][0]
    )
    np.testing.assert_array_equal(
        pixels[second : second + 224, right : right + 224], rows[1][1][0].repeat(2, 0).repeat(2, 1)
    )
    assert texts(figure) == ["original", "ours", "first", "r = 0.5", "second"]


def test_gallery_names_uneven_rows():
    picture = (photograph(100, 100), "")
    with pytest.raises(InputError, match="row 1 has 1 pictures for 2 titles"):
        gallery([[picture, picture], [picture]], ["a", "b"])
    with pytest.raises(InputError, match="nothing to show"):
        gallery([], ["a"])


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
    assert [entry.get_text() for entry in error.get_legend().get_texts()] == [
        "U-Net-Pred",
        "Telea",
        "mean",
    ]


def test_curves_from_columns_equal_those_from_rows():
    columns = {"step": [1, 2], "loss": [500.0, 3.0], "lr": [0.1, 0.1]}
    rows = [{"step": 1, "loss": 500.0}, {"step": 2, "loss": 3.0}]
    (first,), (second,) = training_curves(columns).axes, training_curves(rows).axes
    np.testing.assert_array_equal(first.lines[0].get_xydata(), second.lines[0].get_xydata())
    assert first.get_yscale() == "log"


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
