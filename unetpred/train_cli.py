"""Placeholder until the trainer command line lands."""


def add_arguments(parser):
    pass


def run(args):
    raise NotImplementedError
