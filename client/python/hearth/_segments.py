"""Segments of this process: one mapping each, however often it is unpickled."""

from __future__ import annotations

import os
import weakref

from ._layout import Layout
from ._native import Segment

# By what the bytes are. Whoever unpickles slices of one matrix all day maps it
# once, and touches its pages once.
_live: weakref.WeakValueDictionary[tuple, Segment] = weakref.WeakValueDictionary()


def remember(segment: Segment, layout: Layout) -> Segment:
    """The segment of these bytes in this process: this one, or one it had."""
    key = segment.identity
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


def open_ticket(text: str) -> Segment:
    """What somebody handed out. It is fetched here and now."""
    segment, layout = Segment.open(text)
    dtype, order, shape, numpy = layout
    return remember(segment, Layout(dtype, order, tuple(shape), numpy))


def hand_out(segment: Segment) -> str:
    """A ticket for one more reader; the same text for all of a process's readers."""
    again = segment.ticket[1] if getattr(segment, "ticket", (0,))[0] == os.getpid() else ""
    text = segment.hand_out(segment.layout, again)
    segment.ticket = os.getpid(), text
    return text
