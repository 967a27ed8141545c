"""The small pure parts around calls: frames, ports, candidates, settings of the media process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.contracts.errors import ConfigurationError, ProtocolViolation
from vivavoce.media.calls import _group
from vivavoce.media.child import load_backend
from vivavoce.media.child_call import CallLimits
from vivavoce.media.frames import pack_reply, read_reply
from vivavoce.media.options import IceServer, WebRtcOptions
from vivavoce.media.peers import candidate_line
from vivavoce.media.ports import candidates_in
from vivavoce.workers.wire import pack_json, read_json


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=200).map(lambda data: data * 2))
def test_a_piece_of_a_reply_travels(generation: int, offset: int, pcm: bytes) -> None:
    assert read_reply(pack_reply(generation, offset, pcm)) == (generation, offset, pcm)


@pytest.mark.parametrize("payload", [b"", b"1234567", b"123456789"])
def test_half_a_piece_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        read_reply(payload)


@given(st.integers(1_024, 60_000), st.integers(0, 500), st.integers(0, 1_000_000))
def test_ports_are_of_the_range_and_each_is_tried_once(low: int, more: int, start: int) -> None:
    ports = candidates_in(low, low + more, start)
    assert len(set(ports)) == len(ports) == min(more + 1, 64)
    assert all(low <= port <= low + more for port in ports)


def test_the_candidate_without_its_prefix() -> None:
    assert candidate_line({"candidate": "candidate:1 1 udp 2 127.0.0.1 9 typ host"}) == "1 1 udp 2 127.0.0.1 9 typ host"
    assert candidate_line({"candidate": ""}) == candidate_line({}) == candidate_line({"candidate": 3}) == ""


def test_settings_travel_to_the_process_and_hold_the_limits_of_calls() -> None:
    options = WebRtcOptions(ice_servers=(IceServer(("turn:127.0.0.1:3478",), "u", "p"),), max_calls=5, processes=2)
    group = _group(options)
    assert group.max_jobs == 3 and group.processes == 2 and not group.prewarm
    settings = read_json(pack_json(1, 0, dict(group.engines[0].settings))[10:])
    assert settings["ice_servers"] == [{"urls": ["turn:127.0.0.1:3478"], "username": "u", "credential": "p"}]
    limits = CallLimits(**{name: settings[name] for name in CallLimits.__slots__})
    assert limits.max_candidates == options.max_candidates and limits.playout_delay == options.playout_delay


def test_an_unknown_back_end_is_named() -> None:
    with pytest.raises(ConfigurationError, match="aiortc"):
        load_backend("pion", {})
