"""Photographs trained on are found again, as they are and as copies; others are not."""

import csv
import hashlib
import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from unetpred.commands.main import main
from unetpred.io.registry import shipped_file
from unetpred.photographs import known


def scene(seed):
    """A picture of soft blobs, as photographs are soft."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (9, 12, 3)).astype("uint8"))
    return small.resize((384, 288), Image.Resampling.BICUBIC)


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """A list of three photographs in place of the shipped one."""
    rows = []
    for seed in range(3):
        pixels = np.asarray(scene(seed))
        rows.append(
            {
                "source": "drawn",
                "name": f"{seed}.png",
                "licence": "CC0",
                "pixel_sha256": known.pixel_hash(pixels),
                "perceptual_hash": known.hash_text(known.perceptual_hash(pixels)),
            }
        )
    path = tmp_path / "list.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    monkeypatch.setattr(known, "shipped_file", lambda name: path)
    known.trained_on.cache_clear()
    yield
    known.trained_on.cache_clear()


def copies(image):
    encoded = io.BytesIO()
    image.save(encoded, "jpeg", quality=40)
    yield Image.open(encoded).convert("RGB")
    yield image.resize((192, 144), Image.Resampling.BICUBIC)
    yield ImageEnhance.Brightness(image).enhance(1.2)
    yield image.convert("L").convert("RGB")
    yield image.crop((3, 3, 381, 285))


def test_copies_are_found_and_strangers_are_not(listed):
    (match,) = known.find(np.asarray(scene(1)))
    assert match.kind == "same pixels" and match.photograph["name"] == "1.png"
    assert match.distance == 0
    for copy in copies(scene(1)):
        (match,) = known.find(np.asarray(copy))
        assert match.kind == "near-duplicate" and match.photograph["name"] == "1.png"
    for seed in range(3, 20):
        assert known.find(np.asarray(scene(seed))) == []


def test_the_shipped_list():
    """As many as the cards say, with what the hashes need; none twice."""
    rows, hashes = known.trained_on()
    assert len(rows) == 4131 and hashes.shape == (4131, 255)
    assert len({row["pixel_sha256"] for row in rows}) == 4131
    for stage in ("stage_1", "stage_2_and_3"):
        assert sum(row[stage] == "held out" for row in rows) == 207
    assert shipped_file("photographs.csv").stat().st_size < 2_000_000


def test_pixel_hash_is_of_size_and_pixels():
    pixels = np.arange(36, dtype="uint8").reshape(3, 4, 3)
    expected = hashlib.sha256(b"3 4 " + bytes(range(36))).hexdigest()
    assert known.pixel_hash(pixels) == expected
    assert known.pixel_hash(pixels[:, ::-1]) != expected
    assert known.pixel_hash(pixels.reshape(4, 3, 3)) != expected


def test_command(listed, tmp_path, capsys):
    folder = tmp_path / "stimuli"
    folder.mkdir()
    scene(2).save(folder / "a.png")
    scene(2).resize((192, 144)).save(folder / "b.png")
    scene(9).save(folder / "c.png")
    (folder / "d.png").write_text("no image")
    assert main(["weights", "check", str(folder)]) == 1
    out, err = capsys.readouterr()
    lines = [line.split("\t") for line in out.splitlines()]
    assert [line[:2] for line in lines] == [
        [str(folder / "a.png"), "same pixels"],
        [str(folder / "b.png"), "near-duplicate"],
    ]
    assert all("2.png" in line for line in lines)
    assert "d.png" in err and "2 of 3" in err
    assert main(["weights", "check", str(folder / "c.png")]) == 0
    assert capsys.readouterr().out == ""
    assert main(["weights", "check", str(tmp_path / "nowhere")]) == 2
