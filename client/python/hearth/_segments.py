"""Segments of this process: one mapping for each way to read one, however often it is unpickled."""

from __future__ import annotations

import os
import struct
import weakref

from ._layout import Layout
from ._native import Segment, hand_out_again

# By what the bytes are and how they are read. Whoever unpickles slices of one matrix all day maps it
# once, and touches its pages once.
_TAIL = struct.Struct("<QB")
_live: weakref.WeakValueDictionary[tuple, Segment] = weakref.WeakValueDictionary()


def remember(segment: Segment, layout: Layout) -> Segment:
    """The segment of these bytes, read so, in this process: this one, or one it had."""
    key = (*segment.identity, layout)
    if not any(key[:2]):
        segment.layout = layout
        return segment
    known = _live.get(key)
    if known is not None and known.kind == segment.kind:
        return known
    segment.layout = layout
    _live[key] = segment
    return segment


def create(layout: Layout, nbytes: int, *, mapped: bool, touched_bytes_max: int = 2**63 - 1) -> Segment:
    """Fresh bytes, open for writing; without a view until `sealed`, unless mapped."""
    segment = Segment.create(nbytes, mapped, touched_bytes_max)
    segment.layout = layout
    return remember(segment, layout) if mapped else segment


def sealed(segment: Segment) -> Segment:
    """The same, sealed."""
    segment.seal()
    return remember(segment, segment.layout)


def open_ticket(text: str, *, from_call: bool = False) -> Segment:
    """What somebody handed out. It is fetched here and now.

    What came with a call its keeper must know: whoever called may have made it up.
    """
    segment, layout = Segment.open(text, from_call)
    dtype, order, shape, numpy = layout
    return remember(segment, Layout(dtype, order, tuple(shape), numpy))


def hand_out(segment: Segment) -> str:
    """A ticket for one more reader; the same text for all of a process's readers."""
    return _ticket(segment)[1]


def hand_out_packed(segment: Segment) -> bytes:
    """The same without its label, which is for people, as short as can be."""
    return _ticket(segment)[2]


def _ticket(segment: Segment) -> tuple[int, str, bytes]:
    ticket = getattr(segment, "ticket", None)
    pid = os.getpid()
    if ticket is not None and ticket[0] == pid and hand_out_again(ticket[1]):
        return ticket
    text = segment.hand_out(segment.layout)
    segment.ticket = ticket = pid, text, _pack(text)
    return ticket


def _pack(text: str) -> bytes:
    _, keeper, ticket, nbytes, _, *where = text.split(":")
    hint = "".join(where).encode()
    return bytes.fromhex(keeper + ticket) + _TAIL.pack(int(nbytes), len(hint)) + hint


def unpack_ticket(payload: bytes) -> tuple[str, bytes]:
    """The text, without its label, and what comes after it."""
    ids = payload[:32].hex()
    nbytes, length = _TAIL.unpack_from(payload, 32)
    rest = payload[32 + _TAIL.size:]
    hint = ":" + rest[:length].decode() if length else ""
    return f"hearth1:{ids[:32]}:{ids[32:]}:{nbytes}:{hint}", rest[length:]
