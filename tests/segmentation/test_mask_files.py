"""`unetpred segment predict`: masks, overlays, probabilities, stacks, resume."""

import errno
import json
import os

import numpy as np
import pytest
from cells import cells, write_cells
from PIL import Image

from unetpred.images.formats.tiff_pages import Pages
from unetpred.segmentation import Segmenter


@pytest.fixture
def images(tmp_path):
    return write_cells(tmp_path / "data", 3) / "image"


def test_masks(images, files, segment, tmp_path):
    out = tmp_path / "out"
    code, lines, err = segment(
        "predict", "--input", images, "--weights", files[2], "--output_dir", out,
        "--overlay", "--probabilities", "npy", "--quiet",
    )  # fmt: skip
    assert code == 0 and not err
    assert lines == [str(out / f"{i}_mask.png") for i in range(3)]
    segmenter = Segmenter(files[2])
    for index in range(3):
        image = np.asarray(Image.open(images / f"{index}.png"))
        with Image.open(lines[index]) as mask:
            assert mask.mode == "P" and mask.size == image.shape[::-1]
            np.testing.assert_array_equal(np.asarray(mask), segmenter(image))
            shown = np.asarray(mask.convert("L"))
        np.testing.assert_array_equal(shown, 255 * segmenter(image))
        shares = np.load(out / f"{index}_prob.npy")
        assert shares.dtype == np.float32
        np.testing.assert_array_equal(shares, segmenter.probabilities(image))
        assert Image.open(out / f"{index}_overlay.png").size == image.shape[::-1]
    about = json.loads((out / "segment.json").read_text())
    assert about["masks"] == {"0": "between", "1": "cell"} and about["threshold"] == 0.5
    assert len(about["weights_sha256"]) == 64
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_three_classes_and_npz(images, files, segment, tmp_path):
    out = tmp_path / "out"
    code, lines, _ = segment(
        "predict", "--input", images / "1.png", "--weights", files[3], "--output_dir", out,
        "--probabilities", "npz", "--quiet",
    )  # fmt: skip
    assert code == 0 and len(lines) == 1
    with Image.open(lines[0]) as mask:
        values = np.asarray(mask)
        colours = np.asarray(mask.convert("RGB"))
    table = np.array([(0, 0, 0), (128, 0, 0), (0, 128, 0)])
    np.testing.assert_array_equal(colours, table[values])
    with np.load(out / "1_prob.npz") as found:
        shares = found["probabilities"]
    assert shares.shape == (72, 80, 3)
    np.testing.assert_array_equal(shares.argmax(-1), values)


def test_a_stack_gives_a_stack(files, segment, tmp_path):
    pages = [Image.fromarray(cells(i)[0]) for i in range(3)]
    pages[0].save(tmp_path / "s.tif", save_all=True, append_images=pages[1:])
    out = tmp_path / "out"
    code, lines, err = segment(
        "predict", "--input", tmp_path / "s.tif", "--weights", files[2], "--output_dir", out,
        "--overlay", "--probabilities", "npy", "--quiet",
    )  # fmt: skip
    assert (code, err) == (0, "") and lines == [str(out / "s_mask.tif")]
    segmenter, masks = Segmenter(files[2]), Pages(lines[0])
    overlays = Pages(out / "s_overlay.tif")
    assert len(masks) == len(overlays) == 3
    shares = np.load(out / "s_prob.npy")
    assert shares.shape == (3, 72, 80)
    for index, page in enumerate(pages):
        values, palette = masks.read(index)
        np.testing.assert_array_equal(values, segmenter(np.asarray(page)))
        np.testing.assert_array_equal(palette[:2], [(0, 0, 0), (255, 255, 255)])
        np.testing.assert_array_equal(shares[index] >= 0.5, values == 1)
        colour = np.where(values[..., None] == 1, (0, 114, 178), (213, 94, 0))
        grey = np.asarray(page)[..., None]
        np.testing.assert_array_equal(overlays.read(index)[0], np.rint(grey / 2 + colour / 2))


def test_arrays_and_small_images(files, segment, tmp_path, rng):
    np.save(tmp_path / "a.npy", rng.integers(0, 256, (2, 90, 90, 3), dtype=np.uint8))
    tiny = rng.integers(0, 256, (9, 7), dtype=np.uint8)
    Image.fromarray(tiny).save(tmp_path / "tiny.png")
    np.savez(tmp_path / "tinier.npz", tiny)
    code, lines, err = segment(
        "predict", "--input", tmp_path / "a.npy", tmp_path / "tiny.png", tmp_path / "tinier.npz",
        "--weights", files[2], "--output_dir", tmp_path / "out", "--quiet",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert [line.rsplit("/", 1)[1] for line in lines] == [
        "a_0000_mask.png",
        "a_0001_mask.png",
        "tiny_mask.png",
        "tinier_0000_mask.png",
    ]
    masks = [np.asarray(Image.open(line)) for line in lines[2:]]
    assert masks[0].shape == (9, 7)
    np.testing.assert_array_equal(*masks)


def test_failures_are_named_and_the_rest_is_written(images, files, segment, tmp_path):
    (images / "1.png").write_bytes(b"none")
    out = tmp_path / "out"
    common = ("--weights", files[2], "--output_dir", out, "--quiet")
    code, lines, err = segment("predict", "--input", images, tmp_path / "missing.png", *common)
    assert code == 1 and len(lines) == 2
    assert "1.png: is not an image" in err and "missing.png: no such file" in err
    code, lines, err = segment("predict", "--input", tmp_path / "missing.png", *common)
    assert code == 2 and not lines
    code, _, err = segment("predict", "--input", images, "--weights", "nothing", *common[2:])
    assert code == 2 and "nothing: is not a file of weights" in err and "Traceback" not in err
    code, _, err = segment("predict", "--input", images / "0.png", images / "0.png", *common)
    assert code == 2 and "its mask would be that of" in err


def test_resume(images, files, segment, tmp_path):
    out = tmp_path / "out"
    arguments = ("predict", "--input", images, "--output_dir", out, "--quiet", "--resume")
    assert segment(*arguments, "--weights", files[2])[0] == 0
    expected = {path.name: path.read_bytes() for path in out.glob("*.png")}
    (out / "1_mask.png").unlink()
    marked = (out / "0_mask.png").stat().st_mtime_ns
    code, lines, _ = segment(*arguments, "--weights", files[2])
    assert code == 0 and len(lines) == 3
    assert {path.name: path.read_bytes() for path in out.glob("*.png")} == expected
    assert (out / "0_mask.png").stat().st_mtime_ns == marked
    code, _, err = segment(*arguments, "--weights", files[3])
    assert code == 2 and "made with other settings" in err and "weights_sha256" in err
    code, _, err = segment(*arguments, "--weights", files[2], "--threshold", "0.7")
    assert code == 2 and "threshold 0.7 (was 0.5)" in err
    # what is missing beside a mask is made, with it
    assert segment(*arguments, "--weights", files[2], "--overlay")[0] == 0
    assert len(list(out.glob("*_overlay.png"))) == 3


def test_stopping(images, files, tmp_path, monkeypatch):
    import os
    import signal

    from unetpred.segmentation import mask_files

    write = mask_files.write_job

    def stopping(segmenter, job, names):
        write(segmenter, job, names)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(mask_files, "write_job", stopping)
    segmenter = Segmenter(files[2])
    written = mask_files.write_masks(segmenter, [images], tmp_path / "out")
    assert written.stopped == signal.SIGTERM and len(written.files) == 1
    monkeypatch.setattr(mask_files, "write_job", write)
    written = mask_files.write_masks(segmenter, [images], tmp_path / "out", resume=True)
    assert not written.stopped and len(written.files) == 3


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no such call")
@pytest.mark.parametrize("made", ["npy", "npz"])
def test_no_room_for_probabilities(images, files, segment, tmp_path, monkeypatch, made):
    out = tmp_path / "out"
    common = ("--weights", files[2], "--output_dir", out, "--quiet", "--probabilities", made)
    assert segment("predict", "--input", images / "0.png", *common)[0] == 0
    (out / "0_prob.npy").unlink(missing_ok=True)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    monkeypatch.setattr(np, "savez_compressed", full)
    code, lines, err = segment("predict", "--input", images / "1.png", *common)
    assert code == 1 and not lines and err.count("\n") == 1
    assert f"1_prob.{made}: could not be written (No space left on device)" in err
    # a mask that is there already comes first
    files_before = sorted(out.glob("*_mask.png"))
    assert [file.name for file in files_before] == ["0_mask.png"]
    (out / "0_prob.npy").touch()
    arguments = ("predict", "--input", images, "--resume", *common)
    code, _, err = segment(*arguments)
    assert code == 1 and "the masks before it are kept, --resume goes on" in err
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_an_input_is_not_replaced(images, files, segment, tmp_path):
    Image.new("L", (80, 72)).save(images / "0_mask.png")
    drawn = (images / "0_mask.png").read_bytes()
    arguments = ("predict", "--input", images, "--weights", files[2], "--output_dir", images)
    code, _, err = segment(*arguments, "--quiet")
    assert code == 2 and "0_mask.png: is an input, and would be replaced" in err
    assert "give another --output_dir" in err and len(list(images.iterdir())) == 4
    # nor by what goes on where nothing was begun, since there is no overlay beside it
    code, _, err = segment(*arguments, "--quiet", "--resume", "--overlay")
    assert code == 2 and "0_mask.png: is an input, and would be replaced" in err
    assert (images / "0_mask.png").read_bytes() == drawn and len(list(images.iterdir())) == 4
    code, lines, err = segment(*arguments, "--quiet", "--resume")
    assert (code, err, len(lines)) == (0, "", 3)
    assert (images / "0_mask.png").read_bytes() == drawn
    assert not list(images.glob("*_mask_mask.png"))


def test_probabilities_do_not_replace_an_input(files, segment, tmp_path, rng):
    Image.new("L", (80, 72)).save(tmp_path / "a.png")
    given = rng.integers(0, 256, (90, 90, 3), dtype=np.uint8)
    np.save(tmp_path / "a_prob.npy", given)
    code, lines, err = segment(
        "predict", "--input", tmp_path / "a.png", tmp_path / "a_prob.npy", "--weights", files[2],
        "--output_dir", tmp_path, "--probabilities", "npy", "--quiet",
    )  # fmt: skip
    assert code == 2 and not lines and "a_prob.npy: is an input, and would be replaced" in err
    np.testing.assert_array_equal(np.load(tmp_path / "a_prob.npy"), given)


@pytest.mark.parametrize("text", ["3", '"threshold"', "{"])
def test_settings_that_are_none(images, files, segment, tmp_path, text):
    (tmp_path / "segment.json").write_text(text)
    code, _, err = segment(
        "predict", "--input", images, "--weights", files[2], "--output_dir", tmp_path, "--quiet",
        "--resume",
    )  # fmt: skip
    assert code == 2 and "segment.json: is damaged" in err and err.count("\n") == 1


def test_what_a_killed_run_has_begun_is_removed(images, files, segment, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    gone = 2**22 + 1  # no process has such a number
    left = [f".{gone}-abcdefgh{name}" for name in ("a_prob.npy", "a\nb_mask.png", "s_mask.tif")]
    kept = [f".{gone}-a.png", ".2024-01.npy"]  # names of others
    for name in left + kept:
        (out / name).touch()
    common = ("--weights", files[2], "--output_dir", out, "--quiet")
    assert segment("predict", "--input", images / "0.png", *common)[0] == 0
    assert sorted(p.name for p in out.iterdir() if p.name.startswith(".")) == sorted(kept)
