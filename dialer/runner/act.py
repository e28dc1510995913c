"""Carries out one order over the client and says what happened, as a fact. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from dialer.client import CallsClient
from dialer.core.errors import ApiError, NoAnswer
from dialer.core.messages import (
    Accepted,
    CallSeen,
    Fact,
    HangUp,
    Look,
    LookAtPage,
    NotAccepted,
    Order,
    PageSeen,
    Place,
    Reconcile,
    RequestFailed,
)
from dialer.core.wire import Call, CallPage, NewCall


async def carry_out(order: Order, client: CallsClient, now: Callable[[], float], may_send: Callable[[], bool]) -> Fact:
    """Do what the order says. ``may_send`` is asked last thing before a create leaves.

    A call that was hung up is reported as not yet told: a look will say how it really ended.
    """
    asked_at = now()
    try:
        match order:
            case Place():
                return await _place(order, client, may_send)
            case Look():
                return CallSeen(await _look(order, client), asked_at)
            case LookAtPage():
                page = await client.list_calls(page=order.page, direction="outbound")
                return PageSeen(page, asked_at, asked_page=order.page)
            case Reconcile():
                return PageSeen(await _scan(order, client), asked_at, order.scan)
            case HangUp():
                await client.end_call(order.call_id)
                return RequestFailed(order, ApiError("ended; its outcome is still to be seen"))
    except ApiError as error:
        assert not isinstance(order, Place)
        return RequestFailed(order, error)
    except Exception as error:  # noqa: BLE001  # one odd answer must not end a campaign
        assert not isinstance(order, Place)
        return RequestFailed(order, NoAnswer(f"the answer could not be taken in: {type(error).__name__}"))


async def _place(order: Place, client: CallsClient, may_send: Callable[[], bool]) -> Fact:
    names = {"first_name": order.first_name, "last_name": order.last_name}
    contact = {name: value for name, value in names.items() if value}
    call = NewCall(
        agent_id=order.agent_id,
        phone_number=order.phone,
        contact=contact or None,
        metadata=order.metadata,
    )
    try:
        return Accepted(order.attempt, await client.create_call(call, attempt=order.attempt, may_send=may_send))
    except ApiError as error:
        return NotAccepted(order.attempt, error)
    except Exception as error:  # noqa: BLE001  # whatever broke after the request left, it proves nothing about the phone
        return NotAccepted(order.attempt, NoAnswer(f"the answer could not be taken in: {type(error).__name__}"))


async def _look(order: Look, client: CallsClient) -> Call:
    call = await client.get_call(order.call_id)
    if call.id != order.call_id:
        raise NoAnswer(f"asked for call {order.call_id}, the answer names {call.id}")
    return call


async def _scan(order: Reconcile, client: CallsClient) -> CallPage:
    return await client.list_calls(
        page=order.page,
        agent_id=order.agent_id,
        direction="outbound",
        from_date=datetime.fromtimestamp(order.from_at, UTC),
        to_date=datetime.fromtimestamp(order.to_at, UTC),
    )
