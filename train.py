"""Train U-Net-Pred on photographs; see `python train.py --help`."""

import argparse

from unetpred.commands.train import add_arguments, run
from unetpred.runtime.interrupt import leave

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="train.py")
    add_arguments(parser)
    leave(run(parser.parse_args()))
