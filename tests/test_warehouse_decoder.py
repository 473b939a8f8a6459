"""The decoder process: it may die at any time, and nobody notices."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

import ingest.decode
import warehouse.batch
from ingest.errors import LogDamaged
from ingest.log.writer import LogWriter
from ingest.message import Decoded
from ingest.record import Record, Request
from ingest.settings import DecodeSettings
from tests.stories import NOON, StoryLog, device, event, native, new_warehouse, rows, sensors, tracked
from warehouse.batch import BatchRequest, DecodedBatch, decode_batch
from warehouse.decoder import DecoderProcess
from warehouse.errors import DecoderDied
from warehouse.load import Loader
from warehouse.replay import RejectChoice, ReplayReport, replay_rejects
from warehouse.surviving import SurvivingDecoder
from warehouse.watermark import StreamMark

POISON = "the death of a decoder"


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
        os.kill(decoder._child.pid, signal.SIGKILL)
        assert decoder(request_for(tmp_path)).messages["event_name"].to_pylist() == ["TrialStarted"]
        loaded_further = replace(request_for(tmp_path), watermark={"collector": StreamMark(9, 0, 0)})
        with pytest.raises(LogDamaged, match="ends with file 1, but was read up to file 9"):
            decoder(loaded_further)
    finally:
        decoder.close()


def die_of_poison() -> None:
    """Runs in the child: from now on it dies of a marked request, as a process does that runs out of memory."""
    decode = ingest.decode.decode

    def decode_or_die(record: Record, settings: DecodeSettings) -> Decoded:
        if record.request is not None and POISON.encode() in record.request.body:
            os._exit(9)
        return decode(record, settings)

    vars(warehouse.batch)["decode"] = decode_or_die


def test_a_record_that_kills_its_decoder_is_kept_as_a_reject_and_loading_goes_on(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    names = ["reach", POISON, "pay"]
    log.tell(*(native(event(name, device("d1"), NOON)) for name in names))
    loaded, decoder = new_warehouse(), DecoderProcess(die_of_poison)
    try:
        reports = Loader(loaded, log.folder, DecodeSettings(max_original_bytes=20), decode=decoder).load_all()
    finally:
        decoder.close()
    assert sum(report.records for report in reports) == 3
    assert rows(loaded, "select event_name from events order by log_order") == [
        (name,) for name in names if name != POISON
    ]
    [(reason, protocol, original, length)] = rows(
        loaded, "select reason, protocol, original, original_length from rejects"
    )
    assert (reason, protocol, len(original)) == ("decoder_failed", "native", 20)
    assert length == len(native(event(POISON, device("d1"), NOON)).body)
    report = replay_rejects(loaded, Loader(loaded, log.folder, DecodeSettings()), RejectChoice())
    assert report == ReplayReport(tried=1, events=1)


def ignore_the_end() -> None:
    """Runs in the child."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def test_where_nothing_can_be_decoded_no_record_is_to_blame(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(native(event("reach", device("d1"), NOON)))

    def die(_request: BatchRequest) -> DecodedBatch:
        raise DecoderDied("no memory at all")

    decode = SurvivingDecoder(die)
    for _ in range(2):
        with pytest.raises(DecoderDied):
            decode(request_for(log.folder))


def test_a_record_that_was_hit_by_chance_again_and_again_is_not_to_blame(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(native(event("reach", device("d1"), NOON)))
    deaths = iter([True] * 4 + [False] + [True] * 2 + [False])  # two calls: four deaths and a life, two and a life

    def die_or_decode(request: BatchRequest) -> DecodedBatch:
        if next(deaths):
            raise DecoderDied("ended by somebody else")
        return decode_batch(request)

    decode = SurvivingDecoder(die_or_decode)
    for _ in range(2):
        batch = decode(request_for(log.folder))
        assert (batch.messages["event_name"].to_pylist(), batch.rejects.num_rows) == (["reach"], 0)


def test_a_batch_is_bounded_by_what_its_bodies_come_to_decompressed(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    filler = "x" * 10_000
    log.tell(*(sensors(tracked("reach", n=number, properties={"note": filler})) for number in range(5)))
    request = replace(request_for(log.folder), max_plain_bytes=15_000)
    assert decode_batch(request).record_count == 2


def test_a_decoder_that_hangs_is_ended_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warehouse.decoder._PATIENCE_S", 0.1)
    decoder = DecoderProcess(ignore_the_end)
    decoder(request_for(tmp_path))
    os.kill(decoder._child.pid, signal.SIGSTOP)
    decoder.close()
    assert decoder._child.returncode == -signal.SIGKILL
