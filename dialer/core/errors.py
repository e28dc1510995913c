"""Every error the program raises, by what can be done about it. Codes are data; exit codes are here and nowhere else.

::

    DialerError
      x UserError              mend the command, the campaign file, the contacts or the key      exit 2
        + CampaignFileError
        + ContactsError
        + LedgerUnusable       the ledger cannot be opened, read or written
          - LedgerFull           no room on the disk
          - LedgerDamaged        corrupt, or gone though its journal is there
      x LedgerHeld             another runner holds the ledger                                   exit 5
      x ApiError               the API, or the way to it; carries code, message, HTTP status
        + NotSent              proven: no byte of the request was sent; safe to send again
        + NoAnswer             sent, and no usable answer came: a phone may have rung
        + Refused              the API said no, by remedy:
          - TryLater             slots, agent or rate: this very request may go later
          - ContactNever         this contact can never be called
          - MendCampaign         agent, key or address are wrong: nothing can go on
          - Gone                 the call or its recording does not exist
          - Unfit                a recording's address, or what lies there, is nothing that may be fetched
          - Expired              a recording's address is no longer good; a new one may be
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """The contract with shells."""

    DONE = 0
    BUG = 1
    USER = 2
    WORK_LEFT = 3
    UNRESOLVED = 4
    HELD = 5


class DialerError(Exception):
    """What the program says in one line, and the code it exits with."""

    exit_code = ExitCode.BUG


class UserError(DialerError):
    """The user can mend it; the message says how."""

    exit_code = ExitCode.USER


class CampaignFileError(UserError):
    """The campaign file is missing or says something that cannot be."""


class ContactsError(UserError):
    """The contact list is missing or nothing in it can be called."""


class LedgerUnusable(UserError):
    """The ledger cannot be opened, read or written. What was committed before stays."""


class LedgerFull(LedgerUnusable):
    """The disk has no room, and the ledger's reserve is used up as well."""


class LedgerDamaged(LedgerUnusable):
    """The ledger is corrupt, gone, or does not agree with its journal: nothing is dialed from it."""


class LedgerHeld(DialerError):
    """Another runner holds the ledger."""

    exit_code = ExitCode.HELD


class ApiError(DialerError):
    """A request that did not bring what was asked.

    ``code`` is the API's own word where it gave one, ``http_status`` None where no answer came.
    """

    def __init__(self, message: str, *, code: str = "", http_status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.http_status = http_status

    def __str__(self) -> str:
        where = f" (HTTP {self.http_status})" if self.http_status else ""
        return f"{self.code}: {self.message}{where}" if self.code else f"{self.message}{where}"


class NotSent(ApiError):
    """Proven: nothing left this machine."""


class NoAnswer(ApiError):
    """The request may have been carried out; nobody said so."""


class Refused(ApiError):
    """The API said no: a create that is refused has not been placed."""


class TryLater(Refused):
    """The same request may go later. ``retry_after_s`` is the API's own wish, in seconds, where it has one."""

    def __init__(
        self, message: str, *, code: str = "", http_status: int | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, code=code, http_status=http_status)
        self.retry_after_s = retry_after_s


class ContactNever(Refused):
    """This contact cannot be called, now or later."""


class MendCampaign(Refused):
    """Agent, key, plan or address are wrong: no contact can be called until a person mends it."""


class Gone(Refused):
    """The call, its recording or its transcript does not exist (any more)."""


class Unfit(Refused):
    """Our own rules say no: to a recording's address, or to what lies there. Nothing of it is kept."""


class Expired(Refused):
    """A recording's temporary address is no longer good: ask the API for another."""


NO_SLOTS: Final = "no_available_slots"
AGENT_NOT_READY: Final = "agent_not_ready"
AGENT_NOT_FOUND: Final = "agent_not_found"
BAD_NUMBER: Final = "invalid_phone_number"
CALL_NOT_FOUND: Final = "call_not_found"
RECORDING_NOT_AVAILABLE: Final = "recording_not_available"
RATE_LIMITED: Final = "rate_limited"
UNAUTHORIZED: Final = "unauthorized"
INVALID_REQUEST: Final = "invalid_request"

REMEDIES: Final[dict[str, type[Refused]]] = {
    NO_SLOTS: TryLater,
    AGENT_NOT_READY: TryLater,
    RATE_LIMITED: TryLater,
    BAD_NUMBER: ContactNever,
    INVALID_REQUEST: ContactNever,
    AGENT_NOT_FOUND: MendCampaign,
    UNAUTHORIZED: MendCampaign,
    "forbidden": MendCampaign,
    "not_found": MendCampaign,
    CALL_NOT_FOUND: Gone,
    RECORDING_NOT_AVAILABLE: Gone,
}
"""What a documented code means for whoever asked. ``server_error`` is missing: it proves nothing."""

_STATUS_CODES: Final[dict[int, str]] = {
    400: INVALID_REQUEST,
    401: UNAUTHORIZED,
    402: "forbidden",
    403: "forbidden",
    404: "not_found",
    405: "not_found",
    413: INVALID_REQUEST,
    415: INVALID_REQUEST,
    422: INVALID_REQUEST,
    429: RATE_LIMITED,
    307: "not_found",
    308: "not_found",
}
"""The documented code that a bare HTTP status stands for. All others prove nothing: a 5xx may follow success."""


def refusal(code: str | None, http_status: int, message: str, retry_after_s: float | None) -> ApiError:
    """The error for an answer that is not the one asked for. A code outranks the HTTP status it came under.

    Neither a documented code nor a telling status gives :class:`NoAnswer`: a create may have gone through.
    """
    if code not in REMEDIES:
        named, code = code, _STATUS_CODES.get(http_status)
        if code is None:
            return NoAnswer(message, code=named or "", http_status=http_status)
    kind = REMEDIES[code]
    if issubclass(kind, TryLater):
        return kind(message, code=code, http_status=http_status, retry_after_s=retry_after_s)
    return kind(message, code=code, http_status=http_status)
