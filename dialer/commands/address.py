"""Where the API is: at the campaign's address, or in this process. The sandbox, a web server, is loaded only then."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from dialer.core.campaign import SANDBOX, Campaign
from dialer.core.errors import UserError

if TYPE_CHECKING:
    from dialer.rehearsal.answers import SandboxRules


@asynccontextmanager
async def api_address(campaign: Campaign, ledger: Path) -> AsyncIterator[str]:
    """The base URL of the campaign's API. The embedded sandbox lives as long as this is open, its calls beside
    ``ledger``."""
    if campaign.api.base_url != SANDBOX:
        yield campaign.api.base_url
        return
    from dialer.rehearsal.server import embedded

    async with embedded(sandbox_rules(campaign.sandbox, "sandbox."), ledger.with_name("sandbox.jsonl")) as base_url:
        yield base_url


def check_sandbox(campaign: Campaign, file: Path) -> None:
    """Raise :class:`UserError` where the campaign's table ``[sandbox]`` says something that no sandbox understands."""
    if campaign.sandbox:
        sandbox_rules(campaign.sandbox, f"{file}: sandbox.")


def sandbox_rules(values: Mapping[str, Any], place: str) -> SandboxRules:
    """The sandbox's rules in ``values``; ``place`` goes before the key in the error that says what is wrong."""
    from dialer.rehearsal.answers import SandboxRules

    try:
        return SandboxRules.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(step) for step in fault["loc"])
        known = ", ".join(SandboxRules.model_fields)
        said = f"unknown key; known here: {known}" if fault["type"] == "extra_forbidden" else fault["msg"]
        raise UserError(f"{place}{where}: {said}") from None
