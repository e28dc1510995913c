"""What can be said on the command line: commands, flags, and what each is for. Decides nothing, imports no command."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final, NoReturn

from dialer.core.errors import ExitCode
from dialer.version import VERSION


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above zero")
    return int(text)


def _count_or_share(text: str) -> str:
    number = text.removesuffix("%")
    whole, _, part = number.partition(".")
    if not whole.isdecimal() or (part and not part.isdecimal()) or ("." in number and number == text):
        raise argparse.ArgumentTypeError(f"'{text}' is neither a number of rows nor a share of them like 5%")
    return text


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"'{text}' is not a port (0 to 65535)")
    return int(text)


class _OneLine(argparse.ArgumentParser):
    """A parser that says what is wrong in one line, as every other mistake is told."""

    def error(self, message: str) -> NoReturn:
        self.exit(int(ExitCode.USER), f"dialer: {message} (see: {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    parser = _OneLine(
        prog="dialer", description="Runs bulk outbound call campaigns over a voice-AI provider's Calls API."
    )
    parser.add_argument("--version", action="version", version=f"dialer {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    ledger = _OneLine(add_help=False)
    ledger.add_argument("--ledger", help="the ledger's path (default: $DIALER_LEDGER or .dialer/ledger.db)")
    running = _OneLine(add_help=False)
    running.add_argument(
        "--api-key-file", type=Path, help="a file of mode 0600 with the key (default: $SMARTALEX_API_KEY)"
    )
    running.add_argument("--yes", action="store_true", help="place real calls without being asked")
    running.add_argument(
        "--no-wait", action="store_true", help="stop (exit code 3) instead of waiting for the next due call"
    )
    running.add_argument("--limit", type=_positive, metavar="N", help="place at most N calls in this run")
    running.add_argument("--only", metavar="+E164", help="call only this number of the list")
    running.add_argument("--out", type=Path, metavar="DIR", help="where the reports go (default: reports/<name>)")
    running.add_argument("--quiet", action="store_true", help="no progress")
    _add_commands(commands, ledger, running)
    return parser


def _add_commands(
    commands: argparse._SubParsersAction[_OneLine],
    ledger: _OneLine,
    running: _OneLine,
) -> None:
    commands.add_parser("demo", parents=[ledger, running], help="the bundled campaign against the sandbox")
    _add_init(commands.add_parser("init", help="write a campaign file: asks, or takes flags"))
    _add_check(commands.add_parser("check", parents=[ledger], help="what a run would do; places no call"))
    add = commands.add_parser("run", parents=[ledger, running], help="start a campaign, or go on with it")
    add.add_argument("campaign", type=Path, metavar="CAMPAIGN", help="a campaign file")
    add = commands.add_parser("resume", parents=[ledger, running], help="go on with a campaign of the ledger")
    add.add_argument("name", nargs="?", metavar="NAME", help="the campaign's name (default: the only one)")
    add = commands.add_parser("status", parents=[ledger], help="where a campaign stands")
    add.add_argument("name", nargs="?", metavar="NAME", help="the campaign's name (default: all)")
    add.add_argument("--json", action="store_true", help="as JSON")
    _add_report(commands.add_parser("report", parents=[ledger], help="write the reports, or compare"))
    _add_fetch(commands.add_parser("fetch", parents=[ledger], help="transcripts, summaries, recordings of ended calls"))
    _add_calls(commands.add_parser("calls", help="single calls"), ledger)
    _add_resolve(commands.add_parser("resolve", parents=[ledger], help="unresolved contacts: look again, or mark"))
    _add_doctor(commands.add_parser("doctor", parents=[ledger], help="what is wrong with machine, key, ledger, clock"))
    _add_sandbox(commands.add_parser("sandbox", help="the pretend API over HTTP"))


def _add_init(add: argparse.ArgumentParser) -> None:
    add.add_argument("file", nargs="?", type=Path, metavar="FILE", help="the campaign file (default: NAME.toml)")
    add.add_argument(
        "--contacts", action="append", default=[], metavar="LIST", help="a contact list or a pattern; may be repeated"
    )
    add.add_argument(
        "--phone",
        action="append",
        default=[],
        metavar="COLUMN",
        help="the column of numbers, where its header is unclear",
    )
    add.add_argument(
        "--agent", action="append", default=[], metavar="ID", help="the agent that speaks; may be repeated"
    )
    add.add_argument(
        "--region", metavar="CC", help="of numbers without a country code, like US; none: they are rejected"
    )
    add.add_argument("--hours", help='like "09:00-20:00, saturday 10:00-14:00" (default: weekdays 09:00-20:00)')
    add.add_argument("--base-url", metavar="URL", help="the API's address (default: sandbox)")
    add.add_argument("--name", help="the campaign's name (default: from FILE or LIST)")
    add.add_argument("--force", action="store_true", help="write over a file that is there")


def _add_check(add: argparse.ArgumentParser) -> None:
    add.add_argument("campaign", type=Path, metavar="CAMPAIGN", help="a campaign file")
    add.add_argument("--rejected", type=Path, metavar="FILE", help="write the rows that would be rejected, as CSV")
    add.add_argument(
        "--max-rejected", type=_count_or_share, metavar="N|P%", help="exit with 2 when more rows are rejected, like 5%%"
    )


def _add_report(add: argparse.ArgumentParser) -> None:
    add.add_argument("name", nargs="?", metavar="NAME", help="the campaign's name")
    add.add_argument("--out", type=Path, metavar="DIR", help="where they go (default: reports/<name>)")
    add.add_argument(
        "--format",
        action="append",
        default=[],
        metavar="FORMAT[,...]",
        help="of the tables: csv, parquet, xlsx, jsonl (default: csv)",
    )
    add.add_argument("--columns", metavar="NAME[,...]", help="only these columns, in this order")
    add.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COLUMN=VALUE[,...]",
        help="only such rows; also != >= <= > <; said again, all must hold",
    )
    add.add_argument("--mask-phones", action="store_true", help="numbers as +1212•••0101")
    add.add_argument(
        "--as-contacts",
        action="append",
        default=[],
        metavar="WORD[,...]",
        help="also contacts of these dispositions or states as a list for another campaign",
    )
    how = add.add_mutually_exclusive_group()
    how.add_argument(
        "--compare", nargs=2, metavar=("A", "B"), help="compare two campaigns, or two agents of NAME; writes nothing"
    )
    how.add_argument("--schema", action="store_true", help="print the JSON schema of summary.json")
    add.add_argument("--json", action="store_true", help="the comparison as JSON")


_KEY_HELP: Final = "a file of mode 0600 with the key (default: $SMARTALEX_API_KEY)"


def _add_fetch(add: argparse.ArgumentParser) -> None:
    add.add_argument("name", metavar="NAME", help="the campaign's name")
    add.add_argument("--transcripts", action="store_true", help="who said what (default, with --summaries)")
    add.add_argument("--summaries", action="store_true", help="a few sentences on each call, in summaries.csv")
    add.add_argument("--recordings", action="store_true", help="the sound; only when it is asked for")
    add.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="only calls like this: state=reached, duration_s>=30 (= != >= <= > <); may be repeated",
    )
    add.add_argument("--out", type=Path, metavar="DIR", help="where it all goes (default: reports/<name>)")
    add.add_argument(
        "--no-wait", action="store_true", help="do not wait for a run to end (exit code 5), or for tomorrow"
    )
    add.add_argument("--again", action="store_true", help="ask again for what was missing, refused, or is gone")
    add.add_argument("--before-dialing", action="store_true", help="also use requests that calls due today will need")
    add.add_argument("--api-key-file", type=Path, help=_KEY_HELP)
    add.add_argument("--quiet", action="store_true", help="no progress")


def _add_calls(add: argparse.ArgumentParser, ledger: _OneLine) -> None:
    verbs = add.add_subparsers(dest="verb", required=True, metavar="VERB")
    one = verbs.add_parser("transcript", parents=[ledger], help="print a call as a conversation")
    one.add_argument("id", metavar="ID", help="the call's id, as in attempts.csv")
    one.add_argument("--json", action="store_true", help="as JSON")
    one.add_argument("--out", type=Path, metavar="DIR", help="where it was fetched to (default: reports/<name>)")
    one.add_argument("--base-url", metavar="URL", help="the API's address (default: the campaign's, or the real one)")
    one.add_argument("--api-key-file", type=Path, help=_KEY_HELP)


def _add_resolve(add: argparse.ArgumentParser) -> None:
    add.add_argument(
        "words", nargs="*", metavar="NAME [+E164 ...]", help="the campaign's name, and some of its numbers"
    )
    how = add.add_mutually_exclusive_group()
    how.add_argument("--look", action="store_true", help="look again now in the API's list; calls nobody")
    how.add_argument("--placed", nargs="*", metavar="+E164", help="a phone did ring: the contact is not called again")
    how.add_argument("--not-placed", nargs="*", metavar="+E164", help="no phone rang: the contact is due again")
    add.add_argument("--older-than", metavar="AGE", help="only attempts older than this, like 24h")
    add.add_argument("--json", action="store_true", help="as JSON")
    add.add_argument("--api-key-file", type=Path, help="a file of mode 0600 with the key (default: $SMARTALEX_API_KEY)")
    add.add_argument("--quiet", action="store_true", help="no progress")


def _add_doctor(add: argparse.ArgumentParser) -> None:
    add.add_argument(
        "campaign", nargs="?", type=Path, metavar="CAMPAIGN", help="a campaign file (default: the only one)"
    )
    how = add.add_mutually_exclusive_group()
    how.add_argument("--recover", action="store_true", help="rebuild a damaged or lost ledger from its journal")
    how.add_argument("--probe", metavar="+E164", help="place ONE call to this number and measure how the list shows it")
    add.add_argument("--yes", action="store_true", help="place the probe's call without being asked")
    add.add_argument("--json", action="store_true", help="as JSON")
    add.add_argument("--api-key-file", type=Path, help="a file of mode 0600 with the key (default: $SMARTALEX_API_KEY)")


def _add_sandbox(add: argparse.ArgumentParser) -> None:
    add.add_argument("--host", default="127.0.0.1")
    add.add_argument("--port", type=_port, default=8765, help="0: any free one; the address is printed")
    add.add_argument("--speed", type=float, metavar="N", help="calls are N times shorter")
    add.add_argument("--slots", type=int, metavar="N", help="calls that may be live at once")
    add.add_argument("--seed", type=int, metavar="N")
    add.add_argument("--requests-per-minute", type=int, metavar="N")
    add.add_argument("--requests-per-day", type=int, metavar="N")
    add.add_argument("--agent", action="append", metavar="ID", help="an agent that exists (default: any)")
    add.add_argument("--store", type=Path, metavar="FILE", help="remember calls here across restarts")
    add.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any switch; see --script")
    add.add_argument(
        "--fault", action="append", default=[], metavar="NAME[=HOW_OFTEN]", help="what goes wrong; see --script"
    )
    add.add_argument("--script", action="store_true", help="print the scripted numbers, the switches and the faults")
