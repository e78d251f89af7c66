"""Masks the other way round: which look so, and what they give when the user says so."""

import numpy as np
import pytest
from PIL import Image
from tables import table

import unetpred
from unetpred import InputError
from unetpred.holes.masks import hole_mask
from unetpred.holes.own_masks import Masks
from unetpred.holes.polarity import looks_inverted
from unetpred.scoring.predictor import Predictor

SIZE = 100, 120
HOLE = hole_mask(SIZE, 28)


EVERYWHERE = np.ones(SIZE)
EVERYWHERE[[0, 50, -1, 50], [50, 0, 50, -1]] = 0


@pytest.mark.parametrize(
    "mask, inverted",
    [
        (HOLE, False),
        (1 - HOLE, True),
        (hole_mask(SIZE, 90), True),  # 68 % are missing
        (np.indices(SIZE)[1] >= 59, False),  # 49 %, at three borders
        (np.indices(SIZE)[1] >= 61, True),  # 51 %
        (EVERYWHERE, True),  # four pixels, one at each border
    ],
)
def test_what_looks_inverted(mask, inverted):
    assert looks_inverted(mask) == inverted
    assert looks_inverted(np.stack([np.ones(SIZE), mask, np.ones(SIZE)], -1)) == inverted


def test_one_line_says_what_it_looks_like(log):
    Masks(1 - HOLE)
    assert [record.getMessage() for record in log.records] == [
        "mask: 93 % is missing; 0 = missing here, is the mask inverted? `mask_polarity` missing "
        "takes it the other way"
    ]
    log.clear()
    Masks(HOLE), Masks(1 - HOLE, "missing")
    assert not log.records
    Masks(HOLE, "missing")
    assert "anything but 0 = missing here, is the mask inverted? `mask_polarity` vis" in log.text
    with pytest.raises(InputError, match="`mask_polarity` 'white': visible or missing is right"):
        Masks(HOLE, "white")


def test_of_many_masks_the_first_is_named(tmp_path, log):
    for i in range(4):
        Image.fromarray((255 * (1 - HOLE)).astype("uint8")).save(tmp_path / f"{i}.png")
    masks = Masks(tmp_path)
    for i in range(4):
        masks.of(f"{i}.jpg", i, SIZE)
    assert len(log.records) == 1
    assert log.records[0].getMessage().startswith(str(tmp_path / "0.png"))
    assert log.records[0].getMessage().endswith("; others like it are not named")
    turned = Masks(tmp_path, "missing")
    np.testing.assert_array_equal(turned.of("2.jpg", 2, SIZE), HOLE)
    assert str(turned) == f"{masks}, what is not 0 is missing"


@pytest.mark.parametrize(
    "value, words", [(1, "is visible; a mask is 0"), (0, "is hidden; a mask is 1")]
)
def test_nothing_hidden_or_visible_says_what_would_be_right(value, words):
    with pytest.raises(InputError, match=words):
        Masks(np.full(SIZE, value), "missing")


def test_the_command_line_takes_it_the_other_way(run, weights, pictures):
    white = (255 * (1 - HOLE)).astype("uint8")
    Image.fromarray(white).save("m.png")
    np.save("p.npy", pictures)
    given = ["--input", "p.npy", "--mask", "m.png", "--save", "t.csv"]
    code, _, err = run(*given)
    assert code == 0 and "93 % is missing" in err and "--mask_polarity missing takes" in err
    code, _, err = run(*given, "--mask_polarity", "missing")
    notes, rows = table("t.csv")
    assert code == 0 and "is missing" not in err and "what is not 0 is missing" in notes["hole"]
    expected = unetpred.score(pictures, mask=HOLE, weights=weights)["structure"]
    np.testing.assert_allclose([float(row["structure"]) for row in rows], expected, atol=1e-5)
    found = unetpred.score(pictures, mask=white, mask_polarity="missing", weights=weights)
    np.testing.assert_allclose(found["structure"], expected, atol=1e-5)
    assert "mask_polarity='missing'" in found.attrs["provenance"]["command"]


def test_a_predictor_takes_it_the_other_way(tmp_path, weights, pictures, log):
    white = (255 * (1 - HOLE)).astype("uint8")
    path = tmp_path / "m.png"
    Image.fromarray(white).save(path)
    predictor = Predictor(weights)
    expected = predictor(pictures, HOLE).structure
    for mask in (path, white, [white] * 3, [path] * 3, np.stack([white] * 3, -1)):
        found = predictor(pictures, mask, mask_polarity="missing").structure
        np.testing.assert_allclose(found, expected, atol=1e-4)
    assert not log.records
    predictor(pictures[:1], white)
    assert "mask: 93 % is missing" in log.text


def test_features_take_it_the_other_way(weights, pictures, log):
    given = {"layers": "vblock1_conv_1", "weights": weights, "channel_mean": True}
    expected = unetpred.features(pictures, mask=HOLE, **given)["vblock1_conv_1"]
    found = unetpred.features(pictures, mask=1 - HOLE, mask_polarity="missing", **given)
    np.testing.assert_array_equal(found["vblock1_conv_1"], expected)
    assert not log.records
    unetpred.features(pictures[:1], mask=1 - HOLE, **given)
    assert "mask: 93 % is missing" in log.text
