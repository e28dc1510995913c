"""The command line: the parser, and the one place where errors become exit codes."""

from __future__ import annotations

import argparse
import os
import sys
import zoneinfo
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from dialer.commands.common import Options, plain
from dialer.commands.run import RunOptions
from dialer.core.errors import DialerError, ExitCode, UserError
from dialer.version import VERSION


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code."""
    zoneinfo.reset_tzpath(to=())  # the zones of the tzdata package: those of the machine may be years old
    parser = _parser()
    arguments = parser.parse_args(argv)
    code = [int(ExitCode.BUG)]
    with _errors(code):
        code[0] = _dispatch(arguments)
    return code[0]


@contextmanager
def _errors(code: list[int]) -> Iterator[None]:
    """What the user can mend is one line; what only we can mend keeps its traceback."""
    try:
        yield
    except BaseException as error:
        found = _only(error)
        if isinstance(found, DialerError):
            code[0] = int(found.exit_code)
            said = "\n".join(map(plain, str(found).split("\n")))  # names in it may come of a list
            sys.stderr.write(f"dialer: {said}\n")
        elif isinstance(found, KeyboardInterrupt):
            code[0] = int(ExitCode.WORK_LEFT)
            sys.stderr.write("dialer: interrupted; nothing is lost, run the same command again to go on\n")
        elif isinstance(found, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code[0] = int(ExitCode.DONE)  # of a command that only prints; runs do not mind who reads
        else:
            raise


def _only(error: BaseException) -> BaseException:
    """The error inside groups of one, as task groups make them."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _dispatch(arguments: argparse.Namespace) -> int:
    """Commands import what they need when they are called: `dialer status` should not wait for a web server."""
    options = Options(
        getattr(arguments, "ledger", None), getattr(arguments, "api_key_file", None), getattr(arguments, "quiet", False)
    )
    match arguments.command:
        case "demo":
            from dialer.commands.demo import demo

            return demo(_run_options(arguments), options)
        case "run":
            from dialer.commands.run import run

            return run(arguments.campaign, _run_options(arguments), options)
        case "resume":
            from dialer.commands.run import resume

            return resume(arguments.name, _run_options(arguments), options)
        case "check":
            from dialer.commands.check import CheckOptions, check

            return check(arguments.campaign, CheckOptions(arguments.rejected, arguments.max_rejected), options)
        case "init":
            return _init(arguments)
        case "status":
            from dialer.commands.status import status

            return status(arguments.name, options, as_json=arguments.json)
        case "report":
            return _report(arguments, options)
        case "resolve":
            return _resolve(arguments, options)
        case "doctor":
            from dialer.commands.doctor import DoctorOptions, doctor

            return doctor(
                arguments.campaign,
                DoctorOptions(arguments.recover, arguments.probe, arguments.yes, arguments.json),
                options,
            )
        case _:
            return _sandbox(arguments)


def _init(arguments: argparse.Namespace) -> int:
    from dialer.commands.init import InitOptions, init

    flags = InitOptions(
        contacts=tuple(arguments.contacts),
        phone=tuple(arguments.phone),
        agent=arguments.agent,
        region=arguments.region,
        hours=arguments.hours,
        base_url=arguments.base_url,
        name=arguments.name,
        force=arguments.force,
    )
    return init(arguments.file, flags)


def _report(arguments: argparse.Namespace, options: Options) -> int:
    from dialer.commands.report import ReportOptions, print_schema, report

    if arguments.schema:
        return print_schema()
    if arguments.compare is not None:
        from dialer.commands.compare import compare

        return compare(arguments.name, tuple(arguments.compare), options, json_wanted=arguments.json)
    if arguments.name is None:
        raise UserError("report: which campaign? Name one (see: dialer status)")
    if arguments.json:
        raise UserError("report: --json goes with --compare; the figures of one campaign are in its summary.json")
    flags = ReportOptions(
        out=arguments.out,
        formats=tuple(arguments.format),
        columns=arguments.columns,
        where=tuple(arguments.where),
        mask_phones=arguments.mask_phones,
        as_contacts=tuple(arguments.as_contacts),
    )
    return report(arguments.name, flags, options)


def _resolve(arguments: argparse.Namespace, options: Options) -> int:
    from dialer.commands.resolve import NOT_PLACED, PLACED, ResolveOptions, resolve

    said = {PLACED: arguments.placed, NOT_PLACED: arguments.not_placed}
    words = [*arguments.words, *(arguments.placed or ()), *(arguments.not_placed or ())]
    names = [word for word in words if not word.startswith("+")]
    if len(names) != 1:
        raise UserError("resolve: name one campaign, and numbers as +E164 (see: dialer resolve --help)")
    flags = ResolveOptions(
        numbers=tuple(word for word in words if word.startswith("+")),
        look=arguments.look,
        mark=next((mark for mark, value in said.items() if value is not None), None),
        older_than=arguments.older_than,
        as_json=arguments.json,
    )
    return resolve(names[0], flags, options)


def _sandbox(arguments: argparse.Namespace) -> int:
    from dialer.commands.sandbox import print_script, sandbox

    if arguments.script:
        return print_script()
    names = ("speed", "slots", "seed", "requests_per_minute", "requests_per_day")
    switches = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    if arguments.agent:
        switches["agents"] = tuple(arguments.agent)
    return sandbox(arguments.host, arguments.port, arguments.store, switches, arguments.set, arguments.fault)


def _run_options(arguments: argparse.Namespace) -> RunOptions:
    return RunOptions(
        yes=getattr(arguments, "yes", False),
        wait=not arguments.no_wait,
        limit=getattr(arguments, "limit", None),
        only=getattr(arguments, "only", None),
        out=arguments.out,
    )


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


def _parser() -> argparse.ArgumentParser:
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
    add.add_argument("--agent", metavar="ID", help="the agent that speaks")
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
