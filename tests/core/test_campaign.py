"""The campaign file: what it may say, what it means, and the one sentence where it may not."""

from __future__ import annotations

import math
from datetime import time
from pathlib import Path
from typing import Any

import pytest

from dialer.core.campaign import Campaign, Rules, is_loopback, load_campaign, read_campaign, seconds
from dialer.core.errors import CampaignFileError
from dialer.core.lifecycle import Disposition
from dialer.core.retry import RetryPolicy

HERE = Path("/somewhere/campaigns/spring.toml")
HEAD = 'name = "spring"\ncontacts = "people.csv"\nagents = ["agent_a"]\n'
REAL = 'base_url = "https://api.getsmartalex.com/v1"'

EXAMPLE = """\
# campaigns/spring-reminders.toml          durations: "500ms", "15s", "30m", "4h", "2d"
name = "spring-reminders"              # the key in the ledger
contacts = "../sample_contacts.csv"    # or a list of files; relative to this file
agents = ["agent_def456"]              # several share the work; { id = "...", weight = 2 } for uneven shares

[api]
base_url = "https://api.getsmartalex.com/v1"   # or "sandbox": embedded, started for the run
requests_per_minute = 60
requests_per_day = 10000
timeout = "30s"                        # the whole of one request; recovery after a crash counts with it

[columns]                              # only where the headers do not speak for themselves
phone = "Mobile"                       # or ["Mobile", "Home"]: the next where the first is unusable
region = "US"                          # for numbers without a country code; without it they are rejected

[pacing]
max_concurrent = 20                    # a ceiling; the real number of slots is learnt below it

[retry]
max_attempts = 3                       # charged attempts, all outcomes together
busy = ["15m", "30m", "1h"]            # waits before the 2nd, 3rd, ... attempt; the last one repeats; [] = never again
no_answer = ["4h", "24h"]
voicemail = []
failed = []
on_uncertain = "hold"                  # or "retry_absent": what becomes of a create that was never answered (RECOVERY.md)
uncertain_horizon = "30m"              # how long the list may lag; shorter than 30m on loopback only
uncertain_scans = 3
uncertain_scan_gap = "60s"

[hours]                                # in each contact's own time zone
weekdays = "09:00-20:00"
saturday = "09:00-13:00"
sunday = "closed"
timezone = "contact"                   # or an IANA name for all
# hours = "always" in place of the table: rehearsals only

[limits]
max_cost = 250.0                       # money in flight counted
"""  # noqa: E501  # one of its lines is that long
"""The annotated example of the design, to the letter."""


def read(more: str = "", head: str = HEAD) -> Campaign:
    return read_campaign(head + more, HERE)


def refusal(more: str, head: str = HEAD) -> str:
    with pytest.raises(CampaignFileError) as caught:
        read(more, head)
    said = str(caught.value)
    assert said.startswith(f"{HERE}: "), "the file is named"
    assert "\n" not in said
    return said.removeprefix(f"{HERE}: ")


# --- the example --------------------------------------------------------------------------------------------------


def test_the_annotated_example_loads_and_means_what_its_comments_say() -> None:
    campaign = read_campaign(EXAMPLE, HERE)
    assert campaign.contact_files == (Path("/somewhere/campaigns/../sample_contacts.csv"),)
    assert campaign.columns.phone == ("Mobile",)
    assert campaign.columns.region == "US"
    assert not campaign.api.is_loopback
    rules = campaign.rules()
    workday = (time(9), time(20))
    assert rules.hours.week == (workday,) * 5 + ((time(9), time(13)), None)
    assert rules.retry == RetryPolicy(
        max_attempts=3,
        waits={
            Disposition.BUSY: (900.0, 1800.0, 3600.0),
            Disposition.NO_ANSWER: (14_400.0, 86_400.0),
            Disposition.VOICEMAIL: (),
            Disposition.FAILED: (),
        },
        on_uncertain="hold",
        horizon_s=1800.0,
        scans=3,
        scan_gap_s=60.0,
    )
    assert (rules.campaign, rules.agents, rules.max_cost) == ("spring-reminders", (("agent_def456", 1.0),), 250.0)
    assert (rules.max_concurrent, rules.requests_per_day, rules.timeout_s) == (20, 10_000, 30.0)
    assert campaign.api.requests_per_minute == 60


def test_whoever_leaves_a_key_out_gets_what_the_example_says() -> None:
    short, example = read().model_dump(), read_campaign(EXAMPLE, HERE).model_dump()
    of_the_campaign_itself = {"base_url", "saturday", "max_cost", "phone", "region"}
    for table in ("api", "columns", "pacing", "retry", "hours", "limits"):
        for key in set(short[table]) - of_the_campaign_itself:
            assert short[table][key] == example[table][key], (table, key)


def test_what_no_file_says_rings_no_real_phone_on_no_weekend_and_has_no_limit() -> None:
    campaign = read()
    assert campaign.api.base_url == "sandbox"
    assert (campaign.hours.saturday, campaign.hours.sunday) == ("closed", "closed")  # type: ignore[union-attr]  # a table
    assert campaign.limits.max_cost is None
    assert campaign.columns.region is None


def test_the_plain_rules_say_the_same_as_a_file_that_says_nothing() -> None:
    said, plain = read().rules(), Rules("spring", (("agent_a", 1.0),))
    for name in ("agents", "max_concurrent", "longest_call_s", "requests_per_day", "timeout_s", "max_cost"):
        assert getattr(said, name) == getattr(plain, name), name
    for name in ("max_attempts", "on_uncertain", "horizon_s", "scans", "scan_gap_s"):
        assert getattr(said.retry, name) == getattr(plain.retry, name), name


# --- durations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "length_s"),
    [
        ("500ms", 0.5),
        ("15s", 15),
        ("30m", 1800),
        ("4h", 14_400),
        ("2d", 172_800),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("1.5h", 5400),
        (" 15 S ", 15),
        ("0s", 0),
    ],
)
def test_waits_are_written_as_people_write_them(text: str, length_s: float) -> None:
    assert seconds(text) == pytest.approx(length_s)


@pytest.mark.parametrize("value", ["", "15", "15x", "-5s", "s", "1h,30m", "1e3s", "five minutes", 900, 1.5, None, True])
def test_a_wait_without_a_unit_or_of_another_kind_is_not_guessed_at(value: object) -> None:
    with pytest.raises(ValueError, match="a duration is text like"):
        seconds(value)


def test_a_wait_that_cannot_be_read_is_told_with_its_key_and_place() -> None:
    said = refusal('[retry]\nbusy = ["15m", "30"]\n')
    assert said.startswith("'retry.busy.1': a duration is text like")
    assert said.endswith("(it says '30')")


# --- keys and types -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[pacing]\nmax_concurent = 5\n", "unknown key 'pacing.max_concurent'; did you mean 'max_concurrent'?"),
        ('[retry]\nnoanswer = ["1h"]\n', "unknown key 'retry.noanswer'; did you mean 'no_answer'?"),
        ('[hours]\nweekday = "09:00-20:00"\n', "unknown key 'hours.weekday'; did you mean 'weekdays'?"),
        ("[limit]\nmax_cost = 5\n", "unknown key 'limit'; did you mean 'limits'?"),
        ("[limits]\nzzz = 5\n", "unknown key 'limits.zzz'; known here: max_cost"),
    ],
)
def test_a_mistyped_key_is_told_with_the_nearest_one(more: str, said: str) -> None:
    assert refusal(more) == said


@pytest.mark.parametrize(
    ("more", "key", "it_says"),
    [
        ('[pacing]\nmax_concurrent = "5"\n', "pacing.max_concurrent", "'5'"),
        ("[pacing]\nmax_concurrent = 5.0\n", "pacing.max_concurrent", "5.0"),
        ("[pacing]\nmax_concurrent = true\n", "pacing.max_concurrent", "True"),
        ("[pacing]\nmax_concurrent = 0\n", "pacing.max_concurrent", "0"),
        ("[api]\nrequests_per_minute = 0\n", "api.requests_per_minute", "0"),
        ("[api]\ntimeout = 30\n", "api.timeout", "30"),
        ('[api]\ntimeout = "10m"\n', "api.timeout", None),
        ("[retry]\nmax_attempts = 0\n", "retry.max_attempts", "0"),
        ('[retry]\non_uncertain = "guess"\n', "retry.on_uncertain", "'guess'"),
        ("[limits]\nmax_cost = 0\n", "limits.max_cost", "0"),
        ("[limits]\nmax_cost = nan\n", "limits.max_cost", "nan"),
        ('[columns]\nregion = "us"\n', "columns.region", "'us'"),
        ('[hours]\ntimezone = "New York"\n', "hours.timezone", "'New York'"),
        ('pacing = "fast"\n', "pacing", "'fast'"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_with_its_key_and_what_it_says(
    more: str, key: str, it_says: str | None
) -> None:
    said = refusal(more)
    assert said.startswith(f"'{key}': ")
    if it_says is not None:
        assert said.endswith(f"(it says {it_says})")


@pytest.mark.parametrize("missing", ["name", "contacts", "agents"])
def test_without_a_name_a_list_or_an_agent_there_is_no_campaign(missing: str) -> None:
    head = "\n".join(line for line in HEAD.splitlines() if not line.startswith(missing))
    assert refusal("", head + "\n") == f"'{missing}' is missing"


@pytest.mark.parametrize("name", ["", "a b", "../x", ".hidden", "a" * 65, "é"])
def test_a_name_that_could_not_be_a_directory_of_reports_is_refused(name: str) -> None:
    assert refusal("", HEAD.replace('"spring"', f'"{name}"')).startswith("'name': ")


def test_a_file_that_is_no_toml_is_told_so(tmp_path: Path) -> None:
    assert refusal("[retry\n").startswith("not valid TOML: ")
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'name = "\xe9t\xe9"\n')
    for path, said in (
        (latin, "not UTF-8 text"),
        (tmp_path, "this is a directory"),
        (tmp_path / "none.toml", "there is no such campaign file"),
    ):
        with pytest.raises(CampaignFileError, match=said):
            load_campaign(path)


def test_a_file_with_a_byte_order_mark_loads(tmp_path: Path) -> None:
    path = tmp_path / "spring.toml"
    path.write_bytes(b"\xef\xbb\xbf" + HEAD.encode())
    campaign = load_campaign(path)
    assert campaign.contact_files == (tmp_path / "people.csv",)


def test_lists_are_looked_for_beside_the_file_unless_they_say_where_they_are() -> None:
    head = HEAD.replace('"people.csv"', '["a.csv", "../b.csv", "/lists/c.csv"]')
    assert read("", head).contact_files == (
        Path("/somewhere/campaigns/a.csv"),
        Path("/somewhere/campaigns/../b.csv"),
        Path("/lists/c.csv"),
    )


# --- the api ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["http://api.getsmartalex.com/v1", "http://192.168.1.5:8080", "http://localhost.evil.com", "http://0.0.0.0"]
)
def test_the_key_never_leaves_this_machine_unencrypted(url: str) -> None:
    assert "only https" in refusal(f'[api]\nbase_url = "{url}"\n')


@pytest.mark.parametrize(
    "url", ["ftp://x/v1", "api.getsmartalex.com", "https://", "https://u:p@x/v1", "https://x/?a=1", "https://x:99999"]
)
def test_an_address_that_is_none_is_told_with_an_example(url: str) -> None:
    assert 'an address like "https://api.getsmartalex.com/v1"' in refusal(f'[api]\nbase_url = "{url}"\n')


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "http://localhost:8000", "http://[::1]:8000", "sandbox"])
def test_on_this_machine_a_rehearsal_needs_no_encryption(url: str) -> None:
    campaign = read(f'[api]\nbase_url = "{url}"\n')
    assert campaign.api.base_url == url
    assert campaign.api.is_loopback


def test_a_slash_at_the_end_of_the_address_changes_nothing() -> None:
    assert read('[api]\nbase_url = "https://x.example/v1/"\n').api.base_url == "https://x.example/v1"
    assert not is_loopback("x.example")


# --- the horizon --------------------------------------------------------------------------------------------------


def test_nobody_real_is_called_again_because_a_list_lagged_half_an_hour() -> None:
    assert "retry.uncertain_horizon: shorter than 30m" in refusal(
        f'[api]\n{REAL}\n[retry]\nuncertain_horizon = "29m59s"\n'
    )
    assert read(f'[api]\n{REAL}\n[retry]\nuncertain_horizon = "30m"\n').rules().retry.horizon_s == 1800
    assert read('[retry]\nuncertain_horizon = "8s"\n').rules().retry.horizon_s == 8


# --- agents -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agents", "shares"),
    [
        ('"ann"', (("ann", 1.0),)),
        ('["ann", "bob"]', (("ann", 1.0), ("bob", 1.0))),
        ('{ id = "ann", weight = 2 }', (("ann", 2.0),)),
        ('[{ id = "ann", weight = 2 }, { id = "bob" }, "cat"]', (("ann", 2.0), ("bob", 1.0), ("cat", 1.0))),
        ('[{ id = "ann", weight = 0.5 }]', (("ann", 0.5),)),
    ],
)
def test_agents_are_named_alone_or_with_their_share(agents: str, shares: tuple[tuple[str, float], ...]) -> None:
    assert read("", HEAD.replace('["agent_a"]', agents)).rules().agents == shares


@pytest.mark.parametrize(
    ("agents", "said"),
    [
        ("[]", "'agents': "),
        ('[""]', "'agents.0.id': "),
        ('[{ id = "ann", weight = 0 }]', "'agents.0.weight': "),
        ('[{ id = "ann", weight = -1 }]', "'agents.0.weight': "),
        ("[7]", "'agents.0': "),
        ('["ann", { id = "ann", weight = 2 }]', "agents: the same agent is named twice"),
        ('[{ id = "ann", wieght = 2 }]', "unknown key 'agents.0.wieght'; did you mean 'weight'?"),
    ],
)
def test_agents_that_cannot_share_calls_are_refused(agents: str, said: str) -> None:
    assert refusal("", HEAD.replace('["agent_a"]', agents)).startswith(said)


# --- hours --------------------------------------------------------------------------------------------------------


def week(table: str) -> Any:
    return read(f"[hours]\n{table}\n").rules().hours.week


def test_hours_may_be_always_for_rehearsals() -> None:
    assert read('hours = "always"\n').rules().hours.week is None
    assert read('hours = "always"\n').rules().hours.opening(None, 0.0).until == math.inf
    assert refusal('hours = "whenever"\n').startswith("'hours': ")


def test_whole_days_all_week_need_nobodys_time_zone() -> None:
    day = "00:00-24:00"
    found = read(f'[hours]\nweekdays = "{day}"\nsaturday = "{day}"\nsunday = "{day}"\n')
    assert found.rules().hours.opening(None, 1_790_000_000.0).is_open
    found = read(f'[hours]\nweekdays = "{day}"\nsaturday = "{day}"\n')
    assert not found.rules().hours.opening(None, 1_790_000_000.0).is_open


def test_one_weekday_may_have_hours_of_its_own() -> None:
    found = week('weekdays = "10:00-12:00"\nwednesday = "14:00-15:30"\nfriday = "closed"\nsunday = "8:00-9:00"')
    usual = (time(10), time(12))
    assert found == (usual, usual, (time(14), time(15, 30)), usual, None, None, (time(8), time(9)))


def test_weekdays_may_all_be_closed_and_a_day_may_last_until_24_00() -> None:
    assert week('weekdays = "Closed"\nsaturday = "00:00-24:00"') == (*(None,) * 5, (time(0), time.max), None)


@pytest.mark.parametrize(
    "hours", ["20:00-09:00", "09:00-09:00", "9-17", "09:00", "09:00-24:30", "25:00-26:00", "", "x"]
)
def test_hours_that_are_none_are_refused_with_their_key(hours: str) -> None:
    assert refusal(f'[hours]\nsaturday = "{hours}"\n').startswith("'hours.saturday': ")


def test_one_zone_may_hold_for_everybody() -> None:
    assert read('[hours]\ntimezone = "Europe/London"\n').rules().hours.clock_of("Asia/Tokyo") == "Europe/London"


# --- the fingerprint ----------------------------------------------------------------------------------------------


def test_the_fingerprint_changes_with_what_the_file_says_and_not_with_how_it_says_it() -> None:
    assert read().digest() == read("# a comment\n").digest() == read('[api]\nbase_url = "sandbox"\n').digest()
    assert read().digest() != read("[retry]\nmax_attempts = 4\n").digest()
