"""What runs go on from: damaged, of other images than before, or cut short by a full disk."""

import os
import resource
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tables import table, write

from unetpred.commands.main import main
from unetpred.errors import InputError
from unetpred.runs.part_file import Part

NAMES = ["a", "b", "c", "d"]


def finished(path, names=NAMES, settings=None):
    part = Part(path, settings or {"hole": "x"}, names)
    part.add({"key": name, "scores": {"structure": i / 7}} for i, name in enumerate(names[:3]))
    part.close()
    return part.path


def test_no_flipped_bit_changes_a_row(tmp_path, caplog):
    path = finished(tmp_path / "t.csv")
    whole = path.read_bytes()
    expected = Part(tmp_path / "t.csv", {"hole": "x"}, NAMES).read()
    assert list(expected) == NAMES[:3] and not caplog.records
    for place in range(len(whole)):
        broken = bytearray(whole)
        broken[place] ^= 1 << place % 8
        path.write_bytes(broken)
        found = Part(tmp_path / "t.csv", {"hole": "x"}, NAMES).read()
        assert len(found) < 3 and found.items() <= expected.items()


def test_what_is_damaged_is_kept_under_another_name(tmp_path, caplog):
    path = finished(tmp_path / "t.csv")
    broken = path.read_bytes().replace(b"0.14", b"0.15")
    path.write_bytes(broken)
    part = Part(tmp_path / "t.csv", {"hole": "x"}, NAMES)
    rows = part.read()
    part.go_on(rows.values())
    part.add([{"key": "b", "scores": None}])
    part.close()
    assert "is damaged; what 1 of its 3 rows had is done again" in caplog.text
    assert Path(f"{path}.damaged-1").read_bytes() == broken
    assert list(Part(tmp_path / "t.csv", {"hole": "x"}, NAMES).read()) == ["a", "c", "b"]


def test_other_settings_leave_it_as_it_is(tmp_path):
    path = finished(tmp_path / "t.csv")
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"other settings \(hole: x; now: y\)"):
        Part(tmp_path / "t.csv", {"hole": "y"}, NAMES).read()
    assert path.read_bytes() == before


def stopped(run, scored, *arguments):
    scored.stop_after = 2
    assert run(*arguments)[0] == 130
    scored.images = 0


def test_rows_of_a_damaged_file_are_those_of_an_undisturbed_run(run, stack, scored):
    np.save("s.npy", stack[:8])
    arguments = ("--input", "s.npy", "--batch_size", 2, "--save", "t.csv", "--quiet")
    run(*arguments)
    expected = table("t.csv")[1]
    stopped(run, scored, *arguments)
    part = Path("t.csv.part")
    place = part.read_bytes().rindex(b"structure") + 14  # within a number
    broken = bytearray(part.read_bytes())
    broken[place] ^= 1
    part.write_bytes(broken)
    code, _, err = run(*arguments, "--resume")
    assert code == 0 and scored.images == 6 and err.count("\n") == 1 and "damaged" in err
    assert table("t.csv")[1] == expected
    assert Path("t.csv.part.damaged-1").read_bytes() == broken


def test_images_that_are_new_changed_or_gone(run, stack, scored):
    for i in (1, 2, 3, 4, 6):
        write(f"d/{i}.png", stack[i])
    arguments = ("--input", "d", "--batch_size", 2, "--save", "t.csv")
    stopped(run, scored, *arguments)  # after four of five
    write("d/0.png", stack[0])
    write("d/3.png", stack[8])
    os.utime("d/3.png", ns=(1, 1))
    Path("d/2.png").unlink()
    code, _, err = run(*arguments, "--resume")
    assert "1 image is new, to be done; 1 image has changed, to be done again; 1 image is" in err
    assert code == 0 and scored.images == 5  # in whole batches: (0, 1), (3, 4), (6)
    found = table("t.csv")[1]
    assert run(*arguments)[0] == 0
    whole = table("t.csv")[1]
    assert [row["image"] for row in found] == [f"d/{i}.png" for i in (0, 1, 3, 4, 6)]
    for one, other in zip(found, whole, strict=True):
        assert float(one["structure"]) == pytest.approx(float(other["structure"]), abs=1e-6)

    stopped(run, scored, *arguments, "--save_prediction", "p.npy")
    write("d/2.png", stack[2])
    code, _, err = run(*arguments, "--save_prediction", "p.npy", "--resume")
    assert code == 2 and "(pictures: 5, with names of sha256" in err and err.count("\n") == 1


def test_masks_of_images_that_are_new(run, stack, scored):
    mask = np.full(stack.shape[1:3], 255, "uint8")
    mask[30:60, 40:70] = 0
    for i in (0, 1, 2, 3, 4):
        write(f"d/{i}.png", stack[i])
        write(f"m/{i}.png", mask)
    arguments = ("--input", "d", "--mask", "m", "--batch_size", 2, "--save", "t.csv")
    stopped(run, scored, *arguments)
    write("d/5.png", stack[5])
    write("m/5.png", mask)
    mask[0, 0] = 0
    write("m/0.png", mask)
    code, _, err = run(*arguments, "--resume")
    assert code == 0 and "1 image is new, to be done; 1 image has changed" in err
    assert scored.images == 4


def test_what_a_pipe_gave_is_what_the_table_says(run, stack):
    write("a.png", stack[0])
    content = "x,y\n50,50\n60,40\n"
    Path("s.csv").write_text(content)
    given = ("--input", "a.png", "--mask_size", 20, "--save", "t.csv")
    assert run(*given, "--sites", "s.csv")[0] == 0
    notes, rows = table("t.csv")
    reading, writing = os.pipe()
    os.write(writing, content.encode())
    os.close(writing)
    code, _, err = run(*given, "--sites", f"/dev/fd/{reading}")
    os.close(reading)
    assert code == 0, err
    piped, again = table("t.csv")
    assert again == rows and piped["hole"].split("sha256")[1] == notes["hole"].split("sha256")[1]
    os.mkfifo("f.csv")
    code, _, err = run(*given, "--sites", "f.csv")
    assert code == 2 and "f.csv: is a pipe" in err


@contextmanager
def files_of_at_most(size):
    """A full disk: no file may grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.slow
def test_a_full_disk_while_scoring(run, stack, scored):
    np.save("s.npy", stack[:8])
    arguments = ("--input", "s.npy", "--batch_size", 2, "--save", "t.csv", "--quiet")
    run(*arguments)
    expected = table("t.csv")[1]
    whole = Path("t.csv").read_bytes()
    stopped(run, scored, *arguments)
    with files_of_at_most(Path("t.csv.part").stat().st_size + 100):
        code, out, err = run(*arguments)
    assert (code, out) == (1, [])
    assert "t.csv.part: could not be written (File too large)" in err
    assert "what is finished is kept in t.csv.part" in err and err.endswith("--resume\n")
    assert Path("t.csv").read_bytes() == whole
    scored.images = 0
    assert run(*arguments, "--resume")[0] == 0 and scored.images == 4
    assert table("t.csv")[1] == expected

    Path("t.csv").unlink()
    with files_of_at_most(200_000):
        code, out, err = run(*arguments, "--save_prediction", "p.npy")
    assert (code, out) == (1, []) and "p.npy.part: could not be written" in err
    assert err.count("\n") == 1 and not list(Path().glob("*.npy.part"))


def test_a_full_disk_while_activations_are_saved(weights, stack, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("s.npy", stack[:4])
    arguments = ["features", "--weights", weights, "--input", "s.npy", "--quiet", "--layers",
                 "vblock4_*", "--batch_size", "2"]  # fmt: skip
    for name in ("f.h5", "f.npz"):
        Path(name).write_bytes(b"earlier")
        with files_of_at_most(30_000):
            assert main([*arguments, "--save", name]) == 1
        err = capsys.readouterr().err
        assert f"{name}: could not be written (File too large)" in err and err.count("\n") == 1
        assert Path(name).read_bytes() == b"earlier"
    assert {path.name for path in tmp_path.iterdir()} == {"s.npy", "f.h5", "f.npz"}


def test_a_full_disk_while_a_map_is_made(weights, stack, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write("a.png", stack[0])
    arguments = ["map", "--weights", weights, "--input", "a.png", "--stride", "20", "--context",
                 "96", "--mask_size", "21", "--save", "m.npz", "--quiet"]  # fmt: skip
    with files_of_at_most(500):
        assert main(arguments) == 1
    err = capsys.readouterr().err
    # of m.npz, or on a slow machine of m.npz.part
    assert "could not be written (File too large)" in err and err.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"a.png"}


@pytest.mark.slow
def test_a_full_disk_while_evaluating(weights, photographs, tmp_path, capsys):
    arguments = ["evaluate", "--weights", weights, "--data_dir", str(photographs), "--holes", "30",
                 "--output", "structure", "--batch_size", "2", "--quiet", "--output_dir",
                 str(tmp_path)]  # fmt: skip
    with files_of_at_most(4000):
        assert main(arguments) == 1
    err = capsys.readouterr().err
    assert "evaluation.csv.part: could not be written (File too large)" in err
    assert "what is finished is kept in" in err and err.endswith("--resume\n")
    assert main([*arguments, "--resume"]) == 0
