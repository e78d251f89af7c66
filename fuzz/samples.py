"""Whole files of every kind that is read, small, the same for the same seed."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from unetpred.scoring.map_grid import PredictabilityMap

SIDE = 96
PART_SETTINGS = {"unetpred": "0.2.0", "hole": "square of 52 px, centred", "output": "structure"}
PART_KEYS = [f"{17 * number:016x}" for number in range(12)]
MAP_ORIGIN = {"unetpred": "0.2.0", "hole": "square of 21 px", "image": "a.png", "date": "today"}


def make_samples(folder: Path, seed: int = 0) -> dict[str, list[Path]]:
    """Write the samples of every reader into a folder; the paths by reader."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, : SIDE + 4]
    waves = np.stack([127 + 90 * np.sin(y / 9 + x / (7 + c)) for c in range(3)], -1)
    photograph = np.clip(waves + rng.normal(0, 8, waves.shape), 0, 255).astype("uint8")
    return {
        "image": _images(folder, photograph),
        "array": _arrays(folder, photograph),
        "matlab": _matlab(folder, photograph),
        "mask": _masks(folder),
        "label": _labels(folder, photograph),
        "sites": _sites(folder, rng),
        "weights": _weights(folder, rng),
        "state": _states(folder, rng),
        "history": _histories(folder, rng),
        "part": _parts(folder),
        "map_part": _map_parts(folder),
    }


def _images(folder: Path, photograph: np.ndarray) -> list[Path]:
    import cv2
    import tifffile
    from PIL import Image

    image, paths = Image.fromarray(photograph), []
    kinds = {
        "a.png": {},
        "b.jpg": {"quality": 85},
        "c.jpg": {"quality": 85, "progressive": True},
        "d.tif": {"compression": "raw"},
        "e.tif": {"compression": "tiff_lzw"},
        "f.tif": {"compression": "tiff_adobe_deflate"},
        "g.tif": {"compression": "jpeg"},
        "h.bmp": {},
        "i.webp": {"quality": 80},
        "j.webp": {"lossless": True},
    }
    for name, options in kinds.items():
        image.save(folder / name, **options)
        paths.append(folder / name)
    image.convert("P").save(folder / "k.png")
    image.convert("CMYK").save(folder / "l.jpg")
    cv2.imwrite(str(folder / "m.png"), photograph.astype("uint16") * 257)
    tifffile.imwrite(folder / "n.tif", photograph.astype("float32") / 255, photometric="rgb")
    tifffile.imwrite(folder / "o.tif", photograph, tile=(32, 32), photometric="rgb", bigtiff=True)
    return [*paths, *(folder / name for name in ("k.png", "l.jpg", "m.png", "n.tif", "o.tif"))]


def _arrays(folder: Path, photograph: np.ndarray) -> list[Path]:
    import h5py

    stack = np.stack([photograph, photograph[::-1], photograph[:, ::-1]])
    np.save(folder / "a.npy", stack)
    np.savez(folder / "b.npz", stack)
    np.savez_compressed(folder / "c.npz", stack)
    with h5py.File(folder / "d.h5", "w") as file:
        file["images"] = stack
    with h5py.File(folder / "e.h5", "w") as file:
        chunks = (1, 48, SIDE + 4, 3)
        file.create_dataset("group/images", data=stack, chunks=chunks, compression="gzip")
    return [folder / name for name in ("a.npy", "b.npz", "c.npz", "d.h5", "e.h5")]


def _matlab(folder: Path, photograph: np.ndarray) -> list[Path]:
    import h5py
    from scipy.io import savemat

    stack = np.stack([photograph, photograph[::-1], photograph[:, ::-1]], -1)
    savemat(folder / "a.mat", {"images": stack})
    savemat(folder / "b.mat", {"images": stack.astype("float64")}, do_compression=True)
    for name, options in (("c", {}), ("d", {"chunks": (1, 3, 50, 96), "compression": "gzip"})):
        with h5py.File(folder / f"{name}.mat", "w", userblock_size=512) as file:
            made = file.create_dataset("images", data=stack.T, **options)
            made.attrs["MATLAB_class"] = np.bytes_("uint8")
        with open(folder / f"{name}.mat", "r+b") as raw:
            raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return [folder / f"{name}.mat" for name in "abcd"]


def _labels(folder: Path, photograph: np.ndarray) -> list[Path]:
    from PIL import Image

    classes = photograph[..., 0] // 86
    pages = [Image.fromarray(classes), Image.fromarray(2 - classes), Image.fromarray(classes.T)]
    for page in pages:
        page.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    names = [f"label_{name}" for name in ("a.png", "b.bmp", "c.gif", "d.tif", "e.tif", "f.tif")]
    for name in names[:4]:
        pages[0].save(folder / name)
    for name, compression in zip(names[4:], ("packbits", "tiff_adobe_deflate"), strict=True):
        more = {"save_all": True, "append_images": pages[1:], "compression": compression}
        pages[0].save(folder / name, **more)
    return [folder / name for name in names]


def _masks(folder: Path) -> list[Path]:
    from PIL import Image

    mask = np.ones((SIDE, SIDE), "uint8")
    mask[30:60, 30:60] = 0
    Image.fromarray(mask * 255).save(folder / "mask_a.png")
    Image.fromarray(mask * 255).convert("1").save(folder / "mask_b.tif", compression="group4")
    np.save(folder / "mask_c.npy", mask)
    np.save(folder / "mask_d.npy", np.stack([mask, mask]).astype("float32"))
    return [folder / f"mask_{name}" for name in ("a.png", "b.tif", "c.npy", "d.npy")]


def _sites(folder: Path, rng: np.random.Generator) -> list[Path]:
    rows = [f"{x:.2f},{y:.2f},{s},a {i}.png,{i}" for i, (x, y, s) in enumerate(rng.random((20, 3)))]
    (folder / "a.csv").write_text("\n".join(["x,y,size,image,index", *rows]) + "\n")
    (folder / "b.csv").write_text('# made by hand\nX,Y,roi\n1,2,"V1, left"\nnan,,V2\n')
    return [folder / "a.csv", folder / "b.csv"]


def _weights(folder: Path, rng: np.random.Generator) -> list[Path]:
    import h5py

    from unetpred.io.hdf5_writing import new_hdf5
    from unetpred.weights.writing import DIGEST, arrays_digest

    shapes = [(3, 3, 3, 4), (3, 3, 4, 4), (3, 3, 4, 8)]
    kernels = [rng.normal(size=shape).astype("float32") for shape in shapes]
    digest = arrays_digest([*kernels, *(k[0, 0, 0] for k in kernels)])
    for name, note in (("a", {DIGEST: digest}), ("b", {"variant": "paper", "width": 0.0625})):
        with new_hdf5(folder / f"{name}.weights.h5") as file:
            file.attrs["unetpred"] = json.dumps(note)
            for i, kernel in enumerate(kernels):
                group = file.create_group(f"layers/p_conv2d_{i}/vars")
                group.attrs["name"] = f"vblock1_conv_{i + 1}"
                group["0"], group["1"] = kernel, kernel[0, 0, 0]
    with h5py.File(folder / "c_legacy.h5", "w") as file:
        names = [f"vblock1_conv_{i + 1}" for i in range(len(kernels))]
        file.attrs["layer_names"] = np.array(names, "S")
        for name, kernel in zip(names, kernels, strict=True):
            group = file.create_group(name)
            group.attrs["weight_names"] = np.array([f"{name}/kernel:0", f"{name}/bias:0"], "S")
            group[f"{name}/kernel:0"], group[f"{name}/bias:0"] = kernel, kernel[0, 0, 0]
    for name, method in (("d", zipfile.ZIP_STORED), ("e", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(folder / f"{name}.keras", "w", method) as archive:
            archive.write(folder / "b.weights.h5", "model.weights.h5")
    index = {
        "metadata": {"total_size": 9, "unetpred": {"variant": "paper", "width": 0.0625}},
        "weight_map": {"/layers/p_conv2d/vars": ["b.weights.h5"]},
    }
    (folder / "f.weights.json").write_text(json.dumps(index))
    names = ("a.weights.h5", "b.weights.h5", "c_legacy.h5", "d.keras", "e.keras", "f.weights.json")
    return [folder / name for name in names]


def _states(folder: Path, rng: np.random.Generator) -> list[Path]:
    from unetpred.io.checksum import append_checksum
    from unetpred.io.hdf5_writing import new_hdf5

    run = {"step": 20, "best": 0.5, "config": {"lr": 0.001}, "photographs": None, "seconds": 3.0}
    for name in ("a", "b"):
        with new_hdf5(folder / f"{name}.state.h5") as file:
            for i in range(4):
                file[f"network/{i}"] = rng.random((3, 3, 4, 4)).astype("float32")
            file.attrs["run"] = json.dumps(run)
    append_checksum(folder / "a.state.h5")
    return [folder / "a.state.h5", folder / "b.state.h5"]


def _histories(folder: Path, rng: np.random.Generator) -> list[Path]:
    head = "step,loss,lr,structure,l1,content,images_per_second,waiting"
    rows = [f"{5 * i},{a},0.001,{b},,,10.0,0.1" for i, (a, b) in enumerate(rng.random((20, 2)), 1)]
    (folder / "history.csv").write_text("\n".join([head, *rows]) + "\n")
    return [folder / "history.csv"]


def part_rows() -> list[dict]:
    """The rows of the sample of an unfinished table."""
    return [
        {"key": key, "stamp": f"1-{i}", "scores": {"structure": i / 7, "reason": ""}, "error": None}
        for i, key in enumerate(PART_KEYS[:9])
    ]


def _parts(folder: Path) -> list[Path]:
    from unetpred.runs.part_file import Part

    part = Part(folder / "a.csv", PART_SETTINGS, PART_KEYS)
    for row in part_rows():
        part.add([row])
    part.close()
    return [part.path]


def part_map() -> PredictabilityMap:
    """The sample of an unfinished map."""
    from unetpred.scoring.map_grid import blank_map

    found = blank_map((SIDE, SIDE), 8, 21)
    inside = np.argwhere(found.reason != "the hole leaves the image")[:20]
    for number, (row, column) in enumerate(inside):
        found.structure[row, column], found.reason[row, column] = number / 7, ""
    return found


def _map_parts(folder: Path) -> list[Path]:
    from unetpred.runs.maps.map_file import write_map

    write_map(folder / "a.npz.part", part_map(), MAP_ORIGIN)
    return [folder / "a.npz.part"]
