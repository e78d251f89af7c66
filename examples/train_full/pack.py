"""Pack a folder of photographs into tar files of a given size, to carry them to another machine.

    python examples/train_full/pack.py PHOTOGRAPHS OUTPUT.tar --megabytes 58 --side 256

Each photograph is shrunk until its shorter side has so many pixels and written as WebP, all at the
one quality at which they fit. Names and folders within are kept but for the ending, so that a seed
holds out the same photographs there as here. Several sizes make several files.
"""

from __future__ import annotations

import argparse
import io
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from unetpred.errors import InputError
from unetpred.photographs.dataset import at_most, list_photographs, read_photograph

SAMPLE = 200  # photographs that the quality is found on


def encoded(file: Path, side: int, quality: int) -> bytes:
    """Encode a photograph as WebP, its shorter side at most `side` px."""
    buffer = io.BytesIO()
    pixels = at_most(read_photograph(file), side)
    Image.fromarray(pixels).save(buffer, "webp", quality=quality, method=4)
    return buffer.getvalue()


def best_quality(files: list[Path], side: int, size: int) -> int:
    """Find the highest quality, 1..100, at which all of the files have at most `size` bytes."""
    some = files[:: -(-len(files) // SAMPLE)]
    low, high = 1, 100
    while low < high:
        middle = (low + high + 1) // 2
        found = sum(len(encoded(file, side, middle)) + 1024 for file in some)  # a header in the tar
        low, high = (middle, high) if found * len(files) <= size * len(some) else (low, middle - 1)
    return low


def pack(files: list[Path], root: Path, output: Path, side: int, quality: int) -> None:
    """Write photographs into a tar file, under their names below `root`."""
    with tarfile.open(output, "w") as archive, ThreadPoolExecutor(2) as pool:
        contents = pool.map(lambda file: encoded(file, side, quality), files)
        for file, content in zip(files, contents, strict=True):
            member = tarfile.TarInfo(file.relative_to(root).with_suffix(".webp").as_posix())
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def main() -> int:
    """Pack what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photographs", type=Path, help="a folder, with the folders within it")
    parser.add_argument("output", type=Path, help="a .tar; several are -1.tar, -2.tar, ...")
    parser.add_argument("--megabytes", type=float, nargs="+", default=[58], help="of each file")
    parser.add_argument("--side", type=int, default=256, help="shorter side at most, px")
    args = parser.parse_args()
    try:
        files = list_photographs(args.photographs)
        total = sum(args.megabytes)
        quality = best_quality(files, args.side, int(0.98 * total * 1e6))
        start, parts = 0, len(args.megabytes)
        for number, megabytes in enumerate(args.megabytes, 1):
            end = len(files) if number == parts else start + round(len(files) * megabytes / total)
            name = (
                args.output if parts == 1 else args.output.with_stem(f"{args.output.stem}-{number}")
            )
            pack(files[start:end], args.photographs, name, args.side, quality)
            print(
                f"{name}\t{end - start} photographs\tquality {quality}\t{name.stat().st_size} bytes"
            )
            start = end
    except (InputError, OSError) as error:
        print(f"pack.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
