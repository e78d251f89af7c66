"""Score images: `python pred.py --input PATH`; see `python pred.py --help`."""

from unetpred.commands.main import main, predict_parser
from unetpred.runtime.interrupt import leave

if __name__ == "__main__":
    leave(main(parser=predict_parser("pred.py")))
