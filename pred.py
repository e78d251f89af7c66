"""Score images: `python pred.py --input PATH`; see `python pred.py --help`."""

import sys

from unetpred.commands.main import main, predict_parser

if __name__ == "__main__":
    sys.exit(main(parser=predict_parser("pred.py")))
