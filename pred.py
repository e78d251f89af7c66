"""Score images: `python pred.py --input PATH`; see `python pred.py --help`."""

import sys

from unetpred.cli import main

if __name__ == "__main__":
    sys.exit(main(["predict", *sys.argv[1:]]))
