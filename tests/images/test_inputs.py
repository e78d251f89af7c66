"""Pictures in memory are those of a file of them."""

import numpy as np
import pytest
from PIL import Image

from unetpred.errors import InputError
from unetpred.images.inputs import list_inputs, load_all
from unetpred.images.sources import list_sources


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_a_pil_image_of_any_mode_is_its_file(tmp_path, rgb, mode):
    if mode == "I;16":
        image = Image.fromarray((rgb[..., 0].astype("uint16") * 257)[::-1])
    else:
        image = Image.fromarray(rgb).convert(mode)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image.save(path)
    (file,) = list_sources([path])
    (source,) = load_all(image)
    np.testing.assert_array_equal(source.load(), file.sources[0].load())
    with Image.open(path) as opened:
        (source,) = load_all(opened)
        np.testing.assert_array_equal(source.load(), file.sources[0].load())
        assert (source.path, source.index) == (str(path), None)


@pytest.mark.parametrize("value", [-1, 65536])
def test_a_pil_image_of_more_than_16_bits_is_named(rgb, value):
    deep = rgb[..., 0].astype("int32")
    deep[0, 0] = value
    (wrong, right) = list_inputs([Image.fromarray(deep), Image.fromarray(rgb)])
    with pytest.raises(InputError, match=f"image 0: has values from .*{value}.*0..65535"):
        wrong.sources[0].load()
    assert right.sources[0].load().shape == (*rgb.shape[:2], 3)


def test_an_opened_photograph_is_upright(tmp_path, rgb):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(rgb).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as opened:
        (source,) = load_all(opened)
    assert source.size == (101, 90)
    np.testing.assert_array_equal(source.load(), np.rot90(rgb, -1))


def test_pictures_in_memory_are_counted_through(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    stack = np.stack([rgb, rgb[::-1]])
    inputs = list_inputs([rgb, str(tmp_path / "a.png"), stack, Image.fromarray(rgb)])
    sources = [source for one in inputs for source in one.sources]
    assert [source.index for source in sources] == [0, None, 1, 2, 3]
    np.testing.assert_array_equal(sources[3].load(), rgb[::-1])
    assert sources[0].stamp == sources[2].stamp != sources[3].stamp
    (nested,) = load_all(rgb[..., 0].tolist())
    np.testing.assert_array_equal(nested.load()[..., 1], rgb[..., 0])


def test_what_is_no_picture_says_which(tmp_path, rgb):
    inputs = list_inputs([rgb, rgb[:20], {"a": 1}, tmp_path / "no.png"])
    for one, words in zip(inputs[1:3], ("images: image 1: is 101x20", "image 2"), strict=True):
        with pytest.raises(InputError, match=words):
            _ = one.sources[0].size
    assert "no.png" in inputs[3].error
    for wrong in (3.5, [], [[1, 2], [1]]):
        with pytest.raises(InputError, match="images: "):
            load_all(wrong)


def test_masked_values_are_not_taken_for_visible_ones(rgb):
    masked = np.ma.masked_array(rgb, rgb > 200)
    with pytest.raises(InputError, match=r"masked values.*filled"):
        load_all(masked)
    with pytest.raises(InputError, match="image 1: has masked values"):
        [source.load() for source in load_all([rgb, masked])]
    (source,) = load_all(np.ma.masked_array(rgb))  # nothing is masked
    np.testing.assert_array_equal(source.load(), rgb)
