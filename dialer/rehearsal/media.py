"""What a pretend call leaves behind: a recording that really plays, and a transcript."""

from __future__ import annotations

import io
import math
import wave
from typing import Final

from dialer.core.chance import chance
from dialer.core.wire import CallStatus, JsonObject
from dialer.rehearsal.exchange import PretendCall

_RATE_HZ: Final = 8_000
_LONGEST_S: Final = 600.0
_OPENINGS: Final = (
    "Hello, this is Alex calling with a short reminder. Do you have a minute?",
    "Good day, this is Alex. I am calling about your appointment.",
)
_ANSWERS: Final = (
    ("Yes, go ahead.", "Your appointment is next Tuesday at two. Does that still suit you?"),
    ("Who is this again?", "I am Alex, the assistant of the practice. It is about your appointment."),
    ("I am driving, make it short.", "Of course: you are expected on Tuesday at two."),
    ("That suits me, thank you.", "Wonderful. I have noted that."),
    ("Could we make it three o'clock?", "Three o'clock is free. I have changed it."),
)


def recording(call: PretendCall, length_s: float) -> bytes:
    """A WAV file (8 kHz, 8 bit, mono) of ``length_s`` seconds: two voices as tones, taking turns."""
    length_s = min(max(length_s, 1.0), _LONGEST_S)
    turn = bytearray()
    for second in range(8):
        pitch = (220.0 if second % 4 < 2 else 330.0) * (1 + 0.1 * chance(call.id, second))
        for sample in range(_RATE_HZ):
            swell = 0.5 - 0.5 * math.cos(2 * math.pi * sample / _RATE_HZ)
            turn.append(128 + int(60 * swell * math.sin(2 * math.pi * pitch * sample / _RATE_HZ)))
    frames = int(length_s * _RATE_HZ)
    file = io.BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(1)
        audio.setframerate(_RATE_HZ)
        audio.writeframes(bytes(turn) * (frames // len(turn)) + bytes(turn[: frames % len(turn)]))
    return file.getvalue()


def transcript(call: PretendCall, status: str, length_s: float) -> list[JsonObject]:
    """The turns of an ended call, ``timestamp`` in seconds."""
    if status == CallStatus.VOICEMAIL:
        return [{"speaker": "agent", "text": _OPENINGS[1] + " Please call us back.", "timestamp": 0}]
    if status != CallStatus.COMPLETED:
        return []
    turns: list[JsonObject] = [
        {"speaker": "agent", "text": _OPENINGS[int(chance(call.id, "opening") * len(_OPENINGS))], "timestamp": 0}
    ]
    at, nth = 5, 0
    while at + 4 < length_s and nth < 8:
        said, answered = _ANSWERS[int(chance(call.id, nth) * len(_ANSWERS))]
        turns += [
            {"speaker": "caller", "text": said, "timestamp": at},
            {"speaker": "agent", "text": answered, "timestamp": at + 3},
        ]
        at, nth = at + 11, nth + 1
    return turns


def summary(status: str) -> str | None:
    """One sentence on an ended call."""
    return {
        str(CallStatus.COMPLETED): "The agent reminded of the appointment; the person confirmed it.",
        str(CallStatus.VOICEMAIL): "The agent left a message.",
    }.get(status)
