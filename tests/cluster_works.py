"""Work for tests of clusters, where workers can import it."""

import os
import signal
import time

from unetpred.runs.long_run import Work
from unetpred.runs.scoring.score_batch import ScoreWork


class Squares(Work):
    """Squares numbers; stops for a while at one, dies of another, a third is too large."""

    apart, networks = True, False

    def __init__(self, slow=None, seconds=0.0, deadly=None, large=None, error=MemoryError):
        self._slow, self._seconds, self._deadly = slow, seconds, deadly
        self._large, self._error = large, error

    def read(self, batch):
        return list(batch)

    def compute(self, read):
        if self._slow in read:
            time.sleep(self._seconds)
        if self._deadly in read:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._large in read:
            raise self._error
        return [value if isinstance(value, str) else value * value for value in read]

    def pack(self, batch, sends, refused):
        return [refused.get(row, value) for row, value in enumerate(batch)]


class OnceDeadly(ScoreWork):
    """Scores; the first to come to picture 3 dies."""

    def read(self, batch):
        for job in batch:
            if job.source.path.endswith("3.png"):
                try:
                    os.close(os.open("died", os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    continue
                os.kill(os.getpid(), signal.SIGKILL)
        return super().read(batch)


class Kept:
    """A sink that stops after a while, or does something else then."""

    def __init__(self, after=None, then=lambda: signal.raise_signal(signal.SIGTERM)):
        self.rows, self._after, self._then = {}, after, then

    def put(self, batch, rows):
        self.rows |= dict(zip(batch, rows, strict=True))
        if len(self.rows) == self._after:
            self._then()

    def stopped(self, finished, total):
        return f"{finished} of {total} are kept"
