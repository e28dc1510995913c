"""The command line: which command is meant, and the one place where errors become exit codes."""

from __future__ import annotations

import argparse
import os
import sys
import zoneinfo
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dialer.arguments import parser
from dialer.commands.common import Options, plain
from dialer.core.errors import DialerError, ExitCode, UserError

if TYPE_CHECKING:
    from dialer.commands.run import RunOptions


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code."""
    zoneinfo.reset_tzpath(to=())  # the zones of the tzdata package: those of the machine may be years old
    arguments = parser().parse_args(argv)
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
        case "resolve" | "fetch" | "calls":
            return _about_calls(arguments, options)
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
        agent=",".join(arguments.agent) or None,
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


def _about_calls(arguments: argparse.Namespace, options: Options) -> int:
    if arguments.command == "resolve":
        return _resolve(arguments, options)
    if arguments.command == "fetch":
        return _fetch(arguments, options)
    from dialer.commands.calls import CallsOptions, transcript

    return transcript(arguments.id, CallsOptions(arguments.out, arguments.base_url, arguments.json), options)


def _fetch(arguments: argparse.Namespace, options: Options) -> int:
    from dialer.commands.fetch import FetchOptions, fetch
    from dialer.fetching.manifest import Kind

    asked = {
        Kind.TRANSCRIPT: arguments.transcripts,
        Kind.SUMMARY: arguments.summaries,
        Kind.RECORDING: arguments.recordings,
    }
    flags = FetchOptions(
        kinds=frozenset(kind for kind, wanted in asked.items() if wanted),
        where=tuple(arguments.where),
        out=arguments.out,
        wait=not arguments.no_wait,
        again=arguments.again,
        before_dialing=arguments.before_dialing,
    )
    return fetch(arguments.name, flags, options)


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
    from dialer.commands.run import RunOptions

    return RunOptions(
        yes=getattr(arguments, "yes", False),
        wait=not arguments.no_wait,
        limit=getattr(arguments, "limit", None),
        only=getattr(arguments, "only", None),
        out=arguments.out,
    )
