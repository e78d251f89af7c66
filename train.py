"""Train U-Net-Pred on photographs; see `python train.py --help`."""

import argparse
import sys

from unetpred.commands.train import add_arguments, run

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="train.py")
    add_arguments(parser)
    sys.exit(run(parser.parse_args()))
