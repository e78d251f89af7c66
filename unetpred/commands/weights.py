"""The command line of weights: `unetpred weights`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from unetpred.commands.options import add_option
from unetpred.errors import escaped

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `unetpred weights`."""
    actions = parser.add_subparsers(title="actions", required=True, dest="action", metavar="ACTION")
    add_option(actions.add_parser("list", help="the weights that have a name"), "quiet")
    info = actions.add_parser("info", help="what a set of weights is")
    info.add_argument(
        "weights", metavar="NAME|FILE", nargs="?", help="the default if not given; or vgg16"
    )
    add_option(info, "quiet")
    fetch = actions.add_parser("fetch", help="download the original's weights and verify them")
    fetch.add_argument("name", choices=("upstream",))
    add_option(fetch, "quiet")
    check = actions.add_parser("check", help="which pictures were among those trained on")
    check.add_argument("paths", metavar="PATH", nargs="+", help="images, and folders of images")
    add_option(check, "quiet")
    from unetpred.commands import export as exporting

    export = actions.add_parser("export", help="write the network for other runtimes")
    exporting.add_arguments(export)
    add_option(export, "quiet")


def run(args: argparse.Namespace) -> int:
    """Run `unetpred weights`."""
    if args.action == "export":
        from unetpred.commands import export

        return export.run(args)
    if args.action == "check":
        return _check(args.paths)
    from unetpred.io import registry
    from unetpred.segmentation.weights import known_segmenters

    if args.action == "fetch":
        sys.stdout.write(f"{escaped(str(registry.fetch_upstream()))}\n")
    elif args.action == "info":
        from unetpred.weights.files import describe

        for name, value in describe(args.weights).items():
            sys.stdout.write(f"{name}\t{value}\n")
    else:
        sys.stdout.write("name\tof\tthere\tfile\n")
        fill_in = registry.known_weights().values()
        for known in (*fill_in, *known_segmenters(), registry.known_vgg()):
            state = "here" if known.here else "not here"
            default = ", default" if known.name == registry.DEFAULT else ""
            sys.stdout.write(
                f"{known.name}\t{known.origin}\t{state}{default}\t{escaped(str(known.path))}\n"
            )
    return 0


def _check(paths: list[str]) -> int:
    """Say which pictures are, or nearly are, photographs that the shipped weights know."""
    from unetpred.photographs.dataset import list_photographs
    from unetpred.photographs.known import check

    files: list[Path] = []
    for path in map(Path, paths):
        files += list_photographs(path) if path.is_dir() else [path]
    found = check(files)
    unread = {file: reason for file, reason in found.items() if isinstance(reason, str)}
    for reason in unread.values():
        logger.error("unetpred: %s", reason)
    for file, matches in found.items():
        for match in () if isinstance(matches, str) else matches:
            row = match.photograph
            stages = [f"{name}: {row[name]}" for name in row if name.startswith("stage")]
            cells = (f"{match.distance} of 255 bits", row["source"], row["name"], row["licence"])
            sys.stdout.write("\t".join(map(str, (file, match.kind, *cells, *stages))) + "\n")
    known = sum(bool(matches) for file, matches in found.items() if file not in unread)
    logger.info(
        "%d of %d pictures are or nearly are among those trained on",
        known,
        len(found) - len(unread),
    )
    if len(unread) == len(found):
        return 2
    return 1 if unread else 0
