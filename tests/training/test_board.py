"""TensorBoard's files are a nicety: where they cannot be written, nothing ends, nothing hangs."""

import logging
import resource

import numpy as np
import pytest

from unetpred.training.records.board import Board

pytest.importorskip("tensorboardX")


def test_a_full_disk_is_one_line(tmp_path, log, capfd, monkeypatch):
    # what pytest captures is a file too, which log lines may make too large
    monkeypatch.setattr(logging, "raiseExceptions", False)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        board = Board(tmp_path / "t", 0)
        for step in range(200):
            board.scalars({"step": step, "loss": 0.5})
            board.picture("p", np.zeros((30, 30, 3), "uint8"), step)
        board.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [record.getMessage() for record in log.records] == [
        f"{tmp_path / 't'}: cannot be written any more (File too large)"
    ]
    assert "Traceback" not in capfd.readouterr().err


def test_whole_files_can_be_read(tmp_path):
    board = Board(tmp_path, 0)
    board.scalars({"step": 3, "loss": 0.5})
    board.close()
    (events,) = tmp_path.iterdir()
    assert b"loss" in events.read_bytes()
