"""Thousands of pictures in one HDF5 file, with a table of receptive fields."""

import signal
import subprocess
import sys

import h5py
import numpy as np
import pandas
import pytest

import unetpred
from unetpred import Hole
from unetpred.runs.partial import Parts
from unetpred.runs.scoring.jobs import Failures, Job, batches
from unetpred.runtime.interrupt import Stopped

SIDE, CHUNK = 425, 3


@pytest.fixture
def bricks(tmp_path, monkeypatch, rng):
    """Ten pictures as the Natural Scenes Dataset has them, in chunks of three; and fields."""
    monkeypatch.chdir(tmp_path)
    coarse = rng.integers(40, 216, (10, 17, 17, 3))
    stack = coarse.repeat(25, 1).repeat(25, 2) + rng.integers(-30, 30, (10, SIDE, SIDE, 3))
    with h5py.File("stimuli.hdf5", "w") as file:
        shape = (CHUNK, SIDE, SIDE, 3)
        file.create_dataset("imgBrick", data=stack.astype("uint8"), chunks=shape, compression=1)
        file["other"] = np.zeros(3)
    places = [(index, x, y) for x, y in ((0.0, 0.5), (-2.5, 3.0)) for index in rng.permutation(10)]
    fields = pandas.DataFrame(places, columns=["index", "x_deg", "y_deg"])
    fields["cell"] = [f"c{row}" for row in range(len(fields))]
    fields.to_csv("fields.csv", index=False)
    return stack.astype("uint8"), fields


@pytest.fixture
def reads(monkeypatch):
    """Note which pictures are read of the file, first and last."""
    original, noted = h5py.Dataset.__getitem__, []

    def get(self, index, *args, **kwargs):
        if self.name == "/imgBrick":
            first = index.start if isinstance(index, slice) else index
            noted.append((first, index.stop if isinstance(index, slice) else index + 1))
        return original(self, index, *args, **kwargs)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", get)
    return noted


@pytest.mark.slow
def test_each_chunk_is_read_once_and_in_order(bricks, reads, weights, monkeypatch):
    stack, fields = bricks
    options = {
        "sites": "fields.csv",
        "key": "imgBrick",
        "hole": Hole((0.8, 1.2), units="deg"),
        "pixels_per_degree": 51.0,
        "context": 96,
        "weights": weights,
        "batch_size": 4,
    }
    whole = unetpred.score("stimuli.hdf5", save="whole.parquet", **options)
    assert reads == [(0, 3), (3, 6), (6, 9), (9, 12)]
    assert whole["cell"].tolist() == fields["cell"].repeat(2).tolist()
    assert whole["size"].tolist() == [41, 61] * 20 and not whole["structure"].isna().any()
    for row in (0, 39):  # one by one, from an array in memory
        one = whole.iloc[row]
        alone = unetpred.score(
            stack[one["index"]],
            sites=pandas.DataFrame({"x": [one["x"]], "y": [one["y"]]}),
            hole=Hole(one["size"]),
            context=96,
            weights=weights,
        )
        assert alone["structure"][0] == pytest.approx(one["structure"], abs=1e-5)
        assert (one["x"], one["y"]) == ((212, 187) if fields["x_deg"][row // 2] == 0 else (85, 59))

    add, count = Parts.add, []

    def stopping(self, jobs):
        add(self, jobs)
        count.append(len(jobs))
        if len(count) == 6:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Parts, "add", stopping)
        with pytest.raises(Stopped, match=r"24 of 40 are finished, in half\.parquet\.part"):
            unetpred.score("stimuli.hdf5", save="half.parquet", **options)
    reads.clear()
    unetpred.score("stimuli.hdf5", save="half.parquet", resume=True, **options)
    assert reads == sorted(set(reads))
    halves, wholes = (pandas.read_parquet(f"{name}.parquet") for name in ("half", "whole"))
    pandas.testing.assert_frame_equal(halves, wholes, check_exact=True)


def test_holes_of_several_sizes_take_turns(monkeypatch):
    """Few pictures are in memory at a time, and each is read once."""
    from unetpred.holes.contexts import Context
    from unetpred.holes.scenes import Place, Scenes
    from unetpred.images.inputs import list_inputs
    from unetpred.runs.scoring import jobs as jobs_module

    pictures = np.zeros((40, 90, 100, 3), "uint8")
    sources = list_inputs(pictures)[0].sources
    jobs = [
        Job(source, 2 * i + (size == 12), {}, Place(50, 45, size))
        for i, source in enumerate(sources)
        for size in (10, 12)
    ]
    monkeypatch.setattr(jobs_module, "KEPT_PIXELS", 20 * 9000)
    planned = batches(jobs, Scenes(context=Context(84)), 4, Failures(tell=False))
    assert sorted(job.position for batch in planned for job in batch) == list(range(80))
    assert all(len({job.place.size for job in batch}) == 1 for batch in planned)
    read = jobs_module.Pictures(20 * 9000)
    counted, original = [], type(sources[0]).load
    monkeypatch.setattr(
        type(sources[0]), "load", lambda self: counted.append(self.index) or original(self)
    )
    for batch in planned:
        for job in batch:
            read(job.source)
        assert len(read._kept) <= 20
    assert counted == list(range(40))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path, weights):
    """10 GB of which a few pictures are written."""

    def peak(count):
        path = tmp_path / f"{count}.hdf5"
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((1, SIDE, SIDE, 3))
        properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        written = np.unique(np.linspace(0, count - 1, 24).astype(int))
        with h5py.File(path, "w") as file:
            space = h5py.h5s.create_simple((count, SIDE, SIDE, 3))
            h5py.h5d.create(file.id, b"imgBrick", h5py.h5t.STD_U8LE, space, properties)
            for index in written:
                noise = np.random.default_rng(index).integers(0, 256, (SIDE, SIDE, 3))
                file["imgBrick"][index] = noise
        fields = tmp_path / f"{count}.csv"
        fields.write_text("index,x,y\n" + "".join(f"{index},200,210\n" for index in written))
        program = (
            "import resource, sys, unetpred\n"
            f"t = unetpred.score({str(path)!r}, sites={str(fields)!r}, weights={weights!r})\n"
            "assert len(t) == 24 and not t['structure'].isna().any()\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        path.unlink()
        return int(done.stdout.split()[-1])

    assert peak(18_500) - peak(24) < 64 * 1024  # KiB
