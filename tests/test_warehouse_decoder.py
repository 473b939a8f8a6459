"""The decoder process: it may die at any time, and nobody notices."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.errors import LogDamaged
from ingest.log.writer import LogWriter
from ingest.record import Request
from ingest.settings import DecodeSettings
from warehouse.batch import BatchRequest
from warehouse.decoder import DecoderProcess
from warehouse.watermark import StreamMark


def request_for(log: Path) -> BatchRequest:
    return BatchRequest(
        log, {}, [], max_bytes=1 << 20, max_messages=100, max_property_columns=10, settings=DecodeSettings()
    )


def test_a_killed_decoder_is_started_anew_and_an_error_comes_through(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, "collector")
    message = {"event_name": "TrialStarted", "identities": {"$identity_login_id": "teacher-1"}}
    writer.append(Request("POST", "/events", "", {}, "127.0.0.1", json.dumps(message).encode()))
    writer.close()
    decoder = DecoderProcess()
    try:
        assert decoder(request_for(tmp_path)).messages["event_name"].to_pylist() == ["TrialStarted"]
        assert decoder._child.pid is not None
        os.kill(decoder._child.pid, signal.SIGKILL)
        assert decoder(request_for(tmp_path)).messages["event_name"].to_pylist() == ["TrialStarted"]
        loaded_further = replace(request_for(tmp_path), watermark={"collector": StreamMark(9, 0, 0)})
        with pytest.raises(LogDamaged, match="ends with file 1, but was read up to file 9"):
            decoder(loaded_further)
    finally:
        decoder.close()
