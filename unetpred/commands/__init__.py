"""The command line: arguments in, one call of the package, exit code out.

One file a subcommand; `argparse.Namespace` stays here.
"""
