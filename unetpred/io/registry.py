"""The registry of known weights: where they are, and how to get those that do not ship."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from unetpred.errors import InputError
from unetpred.io.files import atomic_path

DEFAULT = "full"
SHIPPED = {"full": "full.weights.json", "lite": "lite.weights.h5"}
#: The name of VGG-16, which content is defined by. It is no network that fills in.
VGG = "vgg16"

UPSTREAM_URL = (
    "https://raw.githubusercontent.com/uranc/U-Net-Pred/"
    "954a6be89ae6b670958bc5a588b01de5a712bff8/weights.last.h5"
)
#: What `sha256` gives for the files that ship, by name.
SHA256 = {
    "full": "d5231f5d78a929dfb43dc8365c6efb3e4e8ca6d3dc158edc7f2bec341fe05ef7",
    "lite": "1a23641f46999394fed07051f4c67d9b7eb3111a0880c6f41c41bac2f4d9099a",
    "membranes": "c780881271a520c842b7c85d2b4bf85ef6622a5d0807a8b17a15902f135317d6",
    "camvid": "35760fcd0eee4d2b3a34128153ff905f477a4b3ff65cb61551dfe1f4d02c9a2a",
    VGG: "59904275172944c09f31f64c3c15d3b601b2cb2e09e1ade514befe11b43da0c0",
}
UPSTREAM_BLOB = "a3f39b411cad2a56d5989385bcd96641e8e16c93"


@dataclass(frozen=True)
class Known:
    """A known set of weights.

    Attributes
    ----------
    name : str
        What `load_model` and ``--weights`` take.
    path : Path
        Where it is, or would be.
    origin : str
        "shipped" for ours, "upstream" for the original's.
    """

    name: str
    path: Path
    origin: str

    @property
    def here(self) -> bool:
        """Whether the file is there."""
        return self.path.is_file()


def known_weights() -> dict[str, Known]:
    """The registry: all weights that have a name and fill in."""
    known = {name: Known(name, _shipped() / file, "shipped") for name, file in SHIPPED.items()}
    known["upstream"] = Known("upstream", _cache() / "upstream.weights.last.h5", "upstream")
    return known


def known_vgg() -> Known:
    """Where VGG-16 is, or would be: a clone has it, a wheel leaves it to Keras to download."""
    return Known(VGG, _shipped() / f"{VGG}.weights.json", "VGG-16, for content")


def shipped_file(name: str) -> Path:
    """Give the place of a file that ships beside the weights, whether it is there or not."""
    return _shipped() / name


def _shipped() -> Path:
    package = Path(__file__).parents[1]
    folders = (package / "shipped", package.parent / "weights")
    return next((folder for folder in folders if folder.is_dir()), folders[0])


def _cache() -> Path:
    if folder := os.environ.get("UNETPRED_HOME"):
        return Path(folder)
    try:
        return Path.home() / ".cache" / "unetpred"
    except RuntimeError:  # a user without a home folder; what ships needs none
        return Path("~/.cache/unetpred")


def text_of(name_or_file: str | os.PathLike[str]) -> str:
    """Give a name or a file as text, or raise InputError if it is neither."""
    if not isinstance(name_or_file, str | os.PathLike):
        raise InputError(
            f"weights: a name or a file is needed, got a {type(name_or_file).__name__}"
        )
    return os.fspath(name_or_file)


def find_weights(name_or_file: str | os.PathLike[str] | None = None) -> tuple[str, Path]:
    """Name and file of weights given by name or by file.

    Parameters
    ----------
    name_or_file : str or path-like, optional
        A name of the registry, or a file; the shipped default if not given.

    Returns
    -------
    (name, path)
        For a file the name is that of the file.

    Raises
    ------
    InputError
        If it is neither.
    """
    given = text_of(name_or_file) if name_or_file is not None else DEFAULT
    known = known_weights()
    if given in known:
        if not known[given].here:
            hint = (
                "fetch it with `unetpred weights fetch upstream`"
                if known[given].origin == "upstream"
                else "the installation is incomplete; install unetpred again"
            )
            raise InputError(f"{given}: its file {known[given].path} is not there; {hint}")
        return given, known[given].path
    path = Path(given)
    if not path.is_file():
        raise InputError(f"{given}: neither a file nor one of the weights {', '.join(known)}")
    return path.name, path


def sha256(path: str | os.PathLike[str]) -> str:
    """The sha256 of a file, in hexadecimal; for sharded weights that of all parts in order."""
    from unetpred.io.hdf5 import shards

    path = Path(path)
    digest = hashlib.sha256()
    for part in filter(Path.is_file, (path, *shards(path))):
        with part.open("rb") as file:
            while block := file.read(1 << 20):  # a stack of masks may be larger than memory
                digest.update(block)
    return digest.hexdigest()


def size_of(path: Path) -> int:
    """Bytes of a file, with all parts where it is an index of them."""
    from unetpred.io.hdf5 import shards

    return sum(part.stat().st_size for part in (path, *shards(path)) if part.is_file())


def is_known(path: str | os.PathLike[str], name: str | None = None) -> bool:
    """Whether the bytes of a weights file are those of one that this package knows.

    Parameters
    ----------
    path : path-like
        The file.
    name : str, optional
        Of the registry, where the file was given by it.

    Raises
    ------
    InputError
        If it was given by a name and is not what that stands for.
    """
    path = Path(path)
    if name == "upstream":
        found, known = git_blob(path.read_bytes()), UPSTREAM_BLOB
        what, mend = "git blob id", "remove it and run `unetpred weights fetch upstream`"
    elif name in SHA256:
        found, known = sha256(path), SHA256[name]
        what, mend = "sha256", "install unetpred again"
    else:
        return sha256(path) in SHA256.values()
    if found != known:
        raise InputError(
            f"{path}: is damaged or was changed: its {what} is {found}, that of {name} is {known}; "
            f"{mend}"
        )
    return True


def fetch_upstream(url: str = UPSTREAM_URL) -> Path:
    """Download the original's weights and verify them.

    Returns
    -------
    Path
        Where they are; from then on ``--weights upstream`` finds them.

    Raises
    ------
    InputError
        If there is no internet, or the file is not the published one.
    """
    import http.client
    import urllib.request

    target = known_weights()["upstream"].path
    if str(target).startswith("~"):
        raise InputError("upstream: there is no home folder to keep it in; set UNETPRED_HOME")
    if target.is_file() and git_blob(target.read_bytes()) == UPSTREAM_BLOB:
        return target
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise InputError(
            f"{url}: could not be fetched ({reason}); this needs the internet. Or get the file "
            "elsewhere and give it as --weights FILE"
        ) from None
    if git_blob(content) != UPSTREAM_BLOB:
        raise InputError(
            f"{url}: what came has git blob id {git_blob(content)}, the published file "
            f"{UPSTREAM_BLOB}; nothing was kept"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)
    return target


def git_blob(content: bytes) -> str:
    """The id git gives to a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
