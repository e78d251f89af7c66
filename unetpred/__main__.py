"""`python -m unetpred`."""

import sys

from unetpred.commands.main import main

sys.exit(main())
