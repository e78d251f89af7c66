"""`python -m unetpred`."""

import sys

from unetpred.cli import main

sys.exit(main())
