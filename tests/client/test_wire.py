"""The specification's own samples are read right, and whatever else an API may say does not break the reading.

How: samples are files, verbatim from the specification; oddities are written out; Hypothesis brings the rest.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dialer.core.wire import (
    STATUS_STEPS,
    Call,
    CallPage,
    CallStatus,
    JsonObject,
    NewCall,
    Unreadable,
    is_final,
    read_call,
    read_error,
    read_object,
    read_page,
    read_recording,
    read_transcript,
    read_web_token,
)

SAMPLES = Path(__file__).parent / "spec_samples"
HUGE = 10**400
"""A number that is JSON and too large for a float."""


def sample(name: str) -> JsonObject:
    return read_object((SAMPLES / f"{name}.json").read_bytes())


def call(**said: object) -> Call:
    return read_call({"data": {"id": "call_1", **said}})


# --- the samples --------------------------------------------------------------------------------------------------


def test_the_list_of_the_specification_is_read_whole() -> None:
    page = read_page(sample("list"))
    assert (page.total, page.page, page.per_page, page.unreadable, len(page.calls)) == (150, 1, 20, 0, 1)
    only = page.calls[0]
    assert (only.id, only.direction, only.agent_id) == ("call_abc123", "inbound", "agent_def456")
    assert only.phone_number == "+15551234567"
    assert only.contact == {"id": "contact_xyz789", "first_name": "John", "last_name": "Smith"}
    assert (only.status, only.duration_s, only.sentiment, only.cost) == (CallStatus.COMPLETED, 245, "positive", 0.45)
    assert only.created_at == datetime(2024, 1, 15, 14, 30, tzinfo=UTC)
    assert only.ended


def test_the_details_of_the_specification_are_read_whole() -> None:
    found = read_call(sample("get"))
    assert found.campaign_id is None
    assert found.contact is not None
    assert found.contact["email"] == "john@example.com"
    assert found.recording_url == "https://recordings.getsmartalex.com/call_abc123.mp3"
    assert [turn["speaker"] for turn in found.transcript] == ["agent", "caller"]
    assert found.summary is not None
    assert found.summary.startswith("Caller requested to schedule")
    assert found.ended_at == datetime(2024, 1, 15, 14, 34, 5, tzinfo=UTC)
    assert (found.status, found.duration_s, found.cost) == ("completed", 245, 0.45)


def test_the_create_of_the_specification_is_written_as_it_stands_there() -> None:
    asked = sample("create_request")
    assert NewCall.model_validate(asked).model_dump(mode="json", exclude_none=True) == asked


def test_the_answer_to_a_create_is_read_and_the_phone_has_not_rung_yet() -> None:
    made = read_call(sample("create"))
    assert (made.id, made.direction, made.status) == ("call_new789", "outbound", CallStatus.INITIATING)
    assert (made.agent_id, made.phone_number) == ("agent_def456", "+15551234567")
    assert made.created_at == datetime(2024, 1, 16, 10, tzinfo=UTC)
    assert not made.ended


def test_the_answer_to_an_end_is_read() -> None:
    ended = read_call(sample("end"))
    assert (ended.id, ended.status) == ("call_abc123", CallStatus.COMPLETED)
    assert ended.ended_at == datetime(2024, 1, 16, 10, 5, tzinfo=UTC)


def test_the_recording_of_the_specification_is_read() -> None:
    found = read_recording(sample("recording"))
    assert (found.url, found.duration_s) == ("https://recordings.getsmartalex.com/call_abc123.mp3", 245)
    assert found.expires_at == datetime(2024, 1, 16, 12, tzinfo=UTC)


def test_the_transcript_of_the_specification_is_read_turn_by_turn() -> None:
    found = read_transcript(sample("transcript"))
    assert found.call_id == "call_abc123"
    assert [(turn.speaker, turn.timestamp) for turn in found.transcript] == [("agent", 0), ("caller", 5), ("agent", 8)]
    assert found.transcript[1].text == "Hi, I'd like to schedule an appointment for next week."
    assert found.summary == "Caller requested to schedule an appointment. Booked for Tuesday at 2pm."


def test_a_web_token_is_read_and_never_shown() -> None:
    assert sample("web_token_request") == {"agent_id": "agent_def456", "expires_in": 3600}
    found = read_web_token(sample("web_token"))
    assert found.token == "wct_eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."
    assert found.websocket_url == "wss://calls.getsmartalex.com/v1/connect"
    assert found.expires_at == datetime(2024, 1, 16, 11, tzinfo=UTC)
    assert found.token not in repr(found)
    assert found.token not in str(found)


# --- what else may come -------------------------------------------------------------------------------------------


def test_fields_nobody_has_heard_of_do_no_harm_and_are_kept() -> None:
    found = call(status="busy", carrier={"name": "x"}, flags=[1, None])
    assert found.status == CallStatus.BUSY
    assert found.model_extra == {"carrier": {"name": "x"}, "flags": [1, None]}


def test_a_status_nobody_has_heard_of_survives_and_is_never_the_end() -> None:
    found = call(status="transferring")
    assert found.status == "transferring"
    assert not found.ended


@pytest.mark.parametrize("status", list(CallStatus))
def test_a_call_has_ended_exactly_where_nothing_may_follow(status: CallStatus) -> None:
    assert call(status=status.value.upper().replace("_", "-")).status == status
    assert call(status=status.value).ended == is_final(status) == (not STATUS_STEPS[status])


def test_the_five_endings_of_the_specification_are_final() -> None:
    assert {status.value for status in CallStatus if is_final(status)} == {
        "completed",
        "voicemail",
        "no_answer",
        "busy",
        "failed",
    }


def test_a_call_of_which_all_is_null_but_the_id_is_still_a_call() -> None:
    names = [
        *("direction", "agent_id", "campaign_id", "phone_number", "contact", "contact_id", "status", "duration"),
        *("sentiment", "cost", "recording_url", "transcript", "summary", "metadata", "created_at", "ended_at"),
    ]
    found = call(**dict.fromkeys(names))
    assert found.id == "call_1"
    assert found.status == ""
    assert not found.ended
    assert (found.duration_s, found.cost, found.sentiment, found.contact, found.created_at) == (None,) * 5


def test_fields_of_the_wrong_kind_count_as_missing() -> None:
    found = call(status=7, phone_number=15551234567, contact="John", duration=[], cost={}, metadata=[1], sentiment=3)
    assert (found.status, found.phone_number, found.contact, found.duration_s, found.cost) == (
        "",
        None,
        None,
        None,
        None,
    )
    assert (found.metadata, found.sentiment) == (None, None)


def test_the_newer_spelling_means_the_same_call() -> None:
    old = call(status="completed", duration=245, created_at="2024-01-15T14:30:00Z", contact_id="contact_1")
    new = call(
        call_status="completed", duration_seconds=245, start_timestamp="2024-01-15T14:30:00Z", contact_id="contact_1"
    )
    assert new == old
    assert (new.status, new.duration_s, new.contact_id) == ("completed", 245.0, "contact_1")
    assert new.created_at == datetime(2024, 1, 15, 14, 30, tzinfo=UTC)
    assert read_recording({"data": {"url": "https://r/1", "duration_seconds": 9}}).duration_s == 9


def test_an_id_may_come_under_its_newer_name_or_as_a_number_or_without_a_wrapper() -> None:
    assert read_call({"data": {"call_id": "call_2"}}).id == "call_2"
    assert read_call({"data": {"id": 4711}}).id == "4711"
    assert read_call({"id": "call_3", "status": "ringing"}).status == CallStatus.RINGING


@pytest.mark.parametrize("ident", [None, "", True, 1.5, [], {}, "a b", "../x", "a/b", "call_1\n", "x" * 65, "é"])
def test_a_call_without_a_usable_id_is_no_call(ident: object) -> None:
    with pytest.raises(Unreadable, match="id"):
        read_call({"data": {"id": ident, "status": "completed"}})


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("245", 245.0),
        (" 0.45 ", 0.45),
        ("1e2", 100.0),
        (0, 0.0),
        ("", None),
        ("long", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_lengths_and_costs_may_come_as_text(said: object, read: float | None) -> None:
    found = call(duration=said, cost=said)
    assert (found.duration_s, found.cost) == (read, read)


def test_a_number_too_large_for_any_phone_bill_counts_as_missing() -> None:
    found = call(duration=HUGE, cost=-HUGE, created_at=HUGE)
    assert (found.duration_s, found.cost, found.created_at) == (None, None, None)


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("2024-01-15T14:30:00Z", datetime(2024, 1, 15, 14, 30, tzinfo=UTC)),
        ("2024-01-15T14:30:00.250Z", datetime(2024, 1, 15, 14, 30, 0, 250_000, tzinfo=UTC)),
        ("2024-01-15T16:30:00+02:00", datetime(2024, 1, 15, 14, 30, tzinfo=UTC)),
        ("2024-01-15T14:30:00", datetime(2024, 1, 15, 14, 30, tzinfo=UTC)),
        (1705329000, datetime(2024, 1, 15, 14, 30, tzinfo=UTC)),
        (1705329000000, datetime(2024, 1, 15, 14, 30, tzinfo=UTC)),
        ("1705329000000", datetime(2024, 1, 15, 14, 30, tzinfo=UTC)),
        ("yesterday at noon", None),
        ("2024-13-45T99:00:00Z", None),
        ("", None),
        (1e300, None),
        ({}, None),
    ],
)
def test_a_time_is_read_in_every_usual_way_and_garbage_is_no_time(said: object, read: datetime | None) -> None:
    assert call(created_at=said, ended_at=said).created_at == read
    found = call(created_at=said).created_at
    assert found is None or found.tzinfo is not None


def test_half_an_emoji_in_a_summary_does_not_lose_the_call() -> None:
    body = rb'{"data": {"id": "call_1", "status": "completed", "summary": "cut off \ud83d"}}'
    assert read_call(read_object(body)).status == CallStatus.COMPLETED


def test_half_an_emoji_in_a_transcript_does_not_lose_the_other_turns() -> None:
    body = rb'{"data": {"transcript": [{"text": "hello"}, {"text": "cut off \ud83d"}]}}'
    assert read_transcript(read_object(body)).transcript[0].text == "hello"


def test_items_without_an_id_are_counted_and_the_others_kept() -> None:
    page = read_page(
        {"data": [{"id": "call_1"}, {"status": "busy"}, None, 5, {"id": "call_2"}], "meta": {"total": "5"}}
    )
    assert [found.id for found in page.calls] == ["call_1", "call_2"]
    assert (page.unreadable, page.total) == (3, 5)


def test_a_page_without_meta_is_as_long_as_it_is() -> None:
    assert read_page({"data": [{"id": "a"}, {"id": "b"}]}, page=3) == CallPage(
        calls=(Call(id="a"), Call(id="b")), total=None, page=3, per_page=2
    )
    assert read_page({"data": [], "meta": None}).per_page == 1
    assert read_page({"data": [], "meta": {"per_page": "none", "page": "x"}}, page=2).page == 2


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {}}, {"data": "calls"}, {"calls": []}])
def test_a_list_without_a_list_is_unreadable(body: JsonObject) -> None:
    with pytest.raises(Unreadable):
        read_page(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"3",
        b'"x"',
        b"<html></html>",
        b'{"data": {',
        b"\xff\xfe{\x00}\x00",
        b"[" * 200_000,
        b"\x80",
    ],
)
def test_a_body_that_is_no_json_object_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_object(body)


def test_a_byte_order_mark_and_a_nan_do_not_lose_a_call_that_was_placed() -> None:
    body = b'\xef\xbb\xbf{"data": {"id": "call_1", "cost": NaN, "duration": -Infinity}}'
    found = read_call(read_object(body))
    assert (found.id, found.cost, found.duration_s) == ("call_1", None, None)


# --- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "no_available_slots", "message": "full house", "status": 429}},
        {"error": "no_available_slots", "message": "full house"},
        {"code": "no_available_slots", "message": "full house"},
        {"errors": [{"code": "no_available_slots", "message": "full house"}, {"code": "other"}]},
    ],
)
def test_a_refusal_is_understood_in_all_four_shapes(body: JsonObject) -> None:
    assert read_error(body) == ("no_available_slots", "full house")


@pytest.mark.parametrize(
    "body",
    [{}, {"error": None}, {"error": []}, {"errors": []}, {"errors": [None]}, {"error": {"code": 5}}, {"code": []}],
)
def test_an_error_that_says_nothing_is_taken_for_nothing(body: JsonObject) -> None:
    assert read_error(body) == (None, None)


# --- anything at all ----------------------------------------------------------------------------------------------

_WORDS = st.sampled_from(
    [
        *("id", "call_id", "data", "meta", "error", "errors", "code", "message", "status", "call_status", "duration"),
        *(
            "duration_seconds",
            "created_at",
            "ended_at",
            "start_timestamp",
            "cost",
            "total",
            "page",
            "per_page",
            "calls",
        ),
        *("contact", "metadata", "transcript", "text", "url", "token", "model_config", "__class__", "self"),
    ]
)
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["call_1", "completed", "2024-01-15T14:30:00Z", "0001-01-01T00:00:00+14:00", HUGE, -HUGE])
)
ANYTHING = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS | st.text(max_size=5), inner, max_size=6),
    max_leaves=20,
)
OBJECTS = st.dictionaries(_WORDS, ANYTHING, max_size=6)
A_CALL = st.dictionaries(_WORDS, ANYTHING, max_size=8).map(lambda said: {**said, "id": "call_1"})


def only_unreadable(read: Any, *given_: object) -> object:
    try:
        return read(*given_)
    except Unreadable:
        return None


@settings(max_examples=100, deadline=None)
@given(body=OBJECTS | A_CALL.map(lambda said: {"data": said}))
@example(body={"data": {"id": "call_1", "duration": HUGE}})
def test_whatever_comes_in_place_of_a_call_is_a_call_or_unreadable(body: JsonObject) -> None:
    assert isinstance(only_unreadable(read_call, body), Call | None)


@settings(max_examples=100, deadline=None)
@given(body=OBJECTS | st.fixed_dictionaries({"data": st.lists(A_CALL | ANYTHING, max_size=4), "meta": OBJECTS}))
@example(body={"data": [{"id": "call_1", "cost": HUGE}]})
@example(body={"data": [], "meta": {"total": HUGE}})
def test_whatever_comes_in_place_of_a_list_is_a_page_or_unreadable(body: JsonObject) -> None:
    page = only_unreadable(read_page, body)
    assert isinstance(page, CallPage | None)
    assert page is None or len(page.calls) + page.unreadable == len(body["data"])


@settings(max_examples=50, deadline=None)
@given(body=OBJECTS | st.builds(lambda said: {"data": said}, OBJECTS))
def test_whatever_comes_in_place_of_the_rest_is_read_or_unreadable(body: JsonObject) -> None:
    for read in (read_recording, read_transcript, read_web_token, read_error):
        only_unreadable(read, body)


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=60) | ANYTHING.map(lambda said: json.dumps(said).encode()))
def test_whatever_bytes_come_are_an_object_or_unreadable(body: bytes) -> None:
    assert isinstance(only_unreadable(read_object, body), dict | None)
