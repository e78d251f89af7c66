"""`python -m unetpred`."""

from unetpred.commands.main import program

program()
