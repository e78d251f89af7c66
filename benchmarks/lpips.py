"""Content beside LPIPS: `python benchmarks/lpips.py [--weights NAME|FILE]`.

For the examples, filled in by the network and by simple fillings, it prints content, LPIPS [1]_ in
its uncalibrated form, and how the two correlate. Both use the same features, those of VGG-16 after
the last ReLU of each block. LPIPS subtracts the mean of ImageNet's pixels before, has its epsilon
outside of the root, and takes the sum over the layers where content takes the mean. LPIPS as it is
distributed weights the channels besides, by weights fitted to judgements of people.

Nothing of this package computes the features here: they are shifted products of NumPy.

References
----------
.. [1] R. Zhang, P. Isola, A. A. Efros, E. Shechtman and O. Wang, "The unreasonable effectiveness of
   deep features as a perceptual metric", CVPR 2018, eq. 1; eps as in the authors' code.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
VGG_FILE = ROOT / "weights" / "vgg16.weights.json"
BLOCKS = (2, 2, 3, 3, 3)  # convolutions of each block of VGG-16
MEAN_RGB = (123.68, 116.779, 103.939)


def read_arrays(index: Path = VGG_FILE) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernel (3,3,C_in,C_out) and bias (C_out,) of the 13 convolutions, as the parts have them."""
    arrays: dict[str, np.ndarray] = {}
    for part in {
        p for parts in json.loads(index.read_text())["weight_map"].values() for p in parts
    }:
        with h5py.File(index.with_name(part)) as file:
            for name, layer in file["layers"].items():
                arrays |= {f"{name}/{key}": value[()] for key, value in layer["vars"].items()}
    names = ["conv2d", *(f"conv2d_{i}" for i in range(1, sum(BLOCKS)))]
    return [(arrays[f"{name}/0"], arrays[f"{name}/1"]) for name in names]


def features(image: np.ndarray, arrays: list[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    """Features (h,w,C), after ReLU, of the last convolution of each block of VGG-16.

    Parameters
    ----------
    image : numpy.ndarray, (H,W,3)
        What the first convolution gets.
    arrays : list of (kernel, bias)
        From `read_arrays`.
    """
    x, left = image.astype("float64"), iter(arrays)
    found = []
    for block, count in enumerate(BLOCKS):
        if block:
            h, w = x.shape[0] // 2, x.shape[1] // 2
            x = x[: 2 * h, : 2 * w].reshape(h, 2, w, 2, -1).max(axis=(1, 3))
        for _ in range(count):
            kernel, bias = next(left)
            padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
            windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))
            x = np.maximum(np.einsum("hwcij,ijcf->hwf", windows, kernel, optimize=True) + bias, 0)
        found.append(x)
    return found


def content(filling: np.ndarray, original: np.ndarray, arrays: list) -> np.ndarray:
    """The distances (5,) whose mean is the content score, of patches (h,w,3), RGB 0..255."""
    eps = np.finfo("float32").eps
    both = [features(patch, arrays) for patch in (filling, original)]
    unit = [[f / np.sqrt((f**2).sum(-1, keepdims=True) + eps) for f in one] for one in both]
    return np.array([((a - b) ** 2).sum(-1).mean() for a, b in zip(*unit, strict=True)])


def lpips(filling: np.ndarray, original: np.ndarray, arrays: list) -> float:
    """LPIPS of patches (h,w,3), RGB 0..255, without the weights of its channels."""
    both = [features((patch - MEAN_RGB)[..., ::-1], arrays) for patch in (filling, original)]
    unit = [[f / (np.sqrt((f**2).sum(-1, keepdims=True)) + 1e-10) for f in one] for one in both]
    return float(sum(((a - b) ** 2).sum(-1).mean() for a, b in zip(*unit, strict=True)))


def main() -> int:
    """Print the table and the correlations."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", help="weights; the shipped default if not given")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from unetpred.backends.keras_import import import_keras

    import_keras()
    from PIL import Image
    from scipy.stats import pearsonr, spearmanr

    from unetpred.fillings.simple import BASELINES
    from unetpred.holes.masks import hole_box, hole_mask
    from unetpred.scoring.predictor import Predictor

    sample = np.asarray(Image.open(ROOT / "examples/sample_img.png").convert("RGB"))
    images = np.concatenate([sample[None], np.load(ROOT / "examples/samples.npy")])
    mask, (top, left, bottom, right) = hole_mask(images.shape[1:3]), hole_box(images.shape[1:3])
    result = Predictor(args.weights)(images, output=("content",))
    fillings = {"unetpred": result.filled}
    for name, fill in BASELINES.items():
        fillings[name] = np.stack([fill(image, mask) for image in images])
    arrays, box = read_arrays(), np.s_[top:bottom, left:right]
    scores = {
        name: [
            (content(f[box], i[box], arrays).mean(), lpips(f[box], i[box], arrays))
            for f, i in zip(filled.astype("float64"), images.astype("float64"), strict=True)
        ]
        for name, filled in fillings.items()
    }
    ours = np.array(scores["unetpred"])[:, 0]
    difference = np.abs(result.content / ours - 1).max()
    lines = ["| filling | mean content | mean LPIPS | Pearson r | Spearman rho |", "|---" * 5 + "|"]
    together = [pair for pairs in scores.values() for pair in pairs]
    for name, pairs in {**scores, "all": together}.items():
        x, y = np.array(pairs).T
        r, rho = pearsonr(x, y).statistic, spearmanr(x, y).statistic
        lines.append(f"| {name} | {x.mean():.3f} | {y.mean():.3f} | {r:.3f} | {rho:.3f} |")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.write(f"\ncontent of the package: within {difference:.1e} of NumPy's, relative\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
