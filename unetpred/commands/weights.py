"""The command line of weights: `unetpred weights`."""

from __future__ import annotations

import argparse
import sys

from unetpred.commands.options import add_option


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
    from unetpred.commands import export as exporting

    export = actions.add_parser("export", help="write the network for other runtimes")
    exporting.add_arguments(export)
    add_option(export, "quiet")


def run(args: argparse.Namespace) -> int:
    """Run `unetpred weights`."""
    if args.action == "export":
        from unetpred.commands import export

        return export.run(args)
    from unetpred.io import registry

    if args.action == "fetch":
        sys.stdout.write(f"{registry.fetch_upstream()}\n")
    elif args.action == "info":
        from unetpred.weights.files import describe

        for name, value in describe(args.weights).items():
            sys.stdout.write(f"{name}\t{value}\n")
    else:
        for known in (*registry.known_weights().values(), registry.known_vgg()):
            state = "here" if known.here else "not here"
            default = ", default" if known.name == registry.DEFAULT else ""
            sys.stdout.write(f"{known.name}\t{known.origin}\t{state}{default}\t{known.path}\n")
    return 0
