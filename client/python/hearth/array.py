"""Arrays whose bytes are shared, and whose pickle is a handle."""

from __future__ import annotations

import base64
import weakref
from typing import Any

import numpy as np

from . import _segments, errors
from ._layout import dtype_from, dtype_order_shape, pack_view, strides_of, unpack_view
from ._native import Segment

_SHARED = ("open", "sealed", "file")


class Array(np.ndarray):
    """A NumPy array on shared bytes.

    It is an `ndarray` in every respect but one: its pickle is a handle of under
    200 bytes, never its data; a slice of it pickles as a handle, too, strides and
    all. Whoever unpickles it sees the same bytes. The bytes live as long as any
    process has an array on them.

    Arrays are made by `hearth.share`, `hearth.load`, `hearth.empty` and
    `hearth.open`. What is computed from one is a plain `ndarray`, and
    `np.asarray(a)` is the plain array on the same bytes.
    """

    def __array_finalize__(self, source: Any) -> None:
        # Views of what is still open: sealing turns them read-only, too.
        if _open_views:
            segment = segment_of(self)
            views = _open_views.get(segment) if segment is not None else None
            if views is not None:
                views.add(_Weak(self, views.discard))

    # ------------------------------------------------------------------ sharing

    @property
    def sealed(self) -> bool:
        """Whether nobody can change these bytes any more."""
        segment = segment_of(self)
        return segment is not None and segment.kind == "sealed"

    @property
    def handle(self) -> str:
        """A text that another process of this user opens with `hearth.open`.

        It may stand on a command line. The bytes live while this process or any
        of its ancestors does, and beyond that while any process has opened it.
        """
        segment = segment_of(self)
        if segment is None or segment.kind not in _SHARED:
            raise errors.BadUsage(
                "hand out an array: its bytes are not shared; hearth.share makes a "
                "shared copy")
        view, dtype = self._place_in(segment)
        text = _segments.hand_out(segment)
        if not view and dtype is None:
            return text
        rest = view + (b"" if dtype is None else dtype.encode())
        return f"{text}:{len(view)}:{base64.urlsafe_b64encode(rest).decode()}"

    def seal(self) -> Array:
        """Makes the bytes immutable, for every process and for ever.

        No thread of this process may write to them meanwhile: what it writes may be
        lost, also where the seal is refused.

        Returns
        -------
        Array
            This array, read-only from now on.

        Raises
        ------
        SegmentBusy
            Another process still maps them writable; the message names it.
        """
        segment = segment_of(self)
        if segment is None or segment.kind not in _SHARED:
            raise errors.BadUsage("seal an array: its bytes are not shared")
        if segment.kind == "open":
            if not _is_whole(self, segment):
                raise errors.BadUsage(
                    "seal a view: all of its array would be sealed; call seal() on "
                    "what hearth.empty gave")
            segment.seal()
            for weak in tuple(_open_views.pop(segment, ())):
                view = weak()
                if view is not None:
                    view.flags.writeable = False
            self.flags.writeable = False
        return self

    def private(self) -> np.ndarray:
        """A writable view: what is written, this process alone sees.

        Nothing is copied at first; each page is when it is first written. For
        libraries that insist on writable memory.
        """
        segment = segment_of(self)
        if segment is None or segment.kind not in _SHARED:
            return np.array(self, copy=True, subok=False)
        return np.ndarray(self.shape, self.dtype, buffer=segment.private(),  # type: ignore[arg-type]
                          offset=_offset(self, segment), strides=self.strides)

    def _place_in(self, segment: Segment) -> tuple[bytes, str | None]:
        """Where this view lies, and its dtype if it is another's; nothing for the whole."""
        dtype, order, shape = dtype_order_shape(segment.layout)
        other = None if self.dtype == dtype else _text_of(self.dtype)
        if other is None and self.shape == shape and self.strides == strides_of(dtype, order, shape):
            return b"", None
        return pack_view(_offset(self, segment), self.shape, self.strides), other

    def __reduce_ex__(self, protocol: Any) -> Any:
        segment = segment_of(self)
        if segment is None or segment.kind not in _SHARED:
            return np.asarray(self).__reduce_ex__(protocol)
        view, dtype = self._place_in(segment)
        payload = _segments.hand_out_packed(segment) + view
        return _open, ((payload,) if dtype is None else (payload, dtype))

    def __reduce__(self) -> Any:
        return self.__reduce_ex__(2)

    # ------------------------------------------------------------------- results

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None,
                        **options: Any) -> Any:
        if out is not None:
            for one in out:
                _check_writable(one)
            options["out"] = _plain(out)
        if "where" in options:
            options["where"] = _plain(options["where"])
        if method == "at":
            _check_writable(inputs[0])
        result = getattr(ufunc, method)(*_plain(inputs), **options)
        if out is None:
            return result
        return out[0] if len(out) == 1 else out

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _shared(func(*_plain(args), **_plain(kwargs)))

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return array[()] if return_scalar else _shared(np.asarray(array))

    def __getitem__(self, key: Any) -> Any:
        return _shared(np.ndarray.__getitem__(self, key))

    def __setitem__(self, key: Any, value: Any) -> None:
        _check_writable(self)
        np.ndarray.__setitem__(self, key, value)

    def __copy__(self) -> np.ndarray:  # type: ignore[override]
        return np.array(self, copy=True, subok=False)

    def __deepcopy__(self, memo: Any) -> np.ndarray:  # type: ignore[override]
        return np.array(self, copy=True, subok=False)


def _method(name: str, writes: bool) -> Any:
    plain = getattr(np.ndarray, name)

    def method(self: Array, *args: Any, **kwargs: Any) -> Any:
        if writes:
            _check_writable(self)
        return _shared(plain(self.view(np.ndarray), *_plain(args), **_plain(kwargs)))

    method.__name__ = name
    method.__doc__ = plain.__doc__
    return method


for _name in ("argmax", "argmin", "argpartition", "argsort", "astype", "byteswap", "choose", "clip",
              "compress", "conj", "conjugate", "copy", "cumprod", "cumsum", "dot", "flatten",
              "ravel", "repeat", "reshape", "round", "searchsorted", "take", "trace"):
    setattr(Array, _name, _method(_name, writes=False))
for _name in ("fill", "partition", "put", "setfield", "sort"):
    setattr(Array, _name, _method(_name, writes=True))


class _Weak(weakref.ref):
    """By what it points to: arrays themselves have no hash."""

    __slots__ = ()

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


_open_views: weakref.WeakKeyDictionary[Segment, set[_Weak]] = weakref.WeakKeyDictionary()


def segment_of(array: np.ndarray) -> Segment | None:
    """The segment that an array, or what it is a view of, stands on."""
    base = array.base
    while isinstance(base, np.ndarray):
        base = base.base
    return base if type(base) is Segment else None


def whole(segment: Segment) -> Array:
    """All of a segment, as its layout says."""
    dtype, order, shape = dtype_order_shape(segment.layout)
    if segment.kind == "open":
        _open_views.setdefault(segment, set())
    return np.ndarray.__new__(Array, shape, dtype, buffer=segment, order=order)  # type: ignore[arg-type]


def open_view(payload: bytes, dtype: str | None = None) -> Array:
    """What a pickle stands for."""
    text, view = _segments.unpack_ticket(payload)
    return _view(whole(_segments.open_ticket(text)), view, dtype)


_open = open_view


def open_text(text: str, *, from_call: bool = False) -> Array:
    """What a handle stands for."""
    try:
        ticket, count, packed = text.rsplit(":", 2)
        rest = base64.urlsafe_b64decode(packed)
        length = int(count)
        view, dtype = rest[:length], rest[length:].decode() or None
        if not 8 <= length <= len(rest) or length % 16 != 8:
            raise ValueError
    except ValueError:
        raise errors.BadUsage(
            f"open handle {text[:100]!r}: it is no handle of a shared array; pass the "
            "text as it was handed out") from None
    return _view(whole(_segments.open_ticket(ticket, from_call=from_call)), view, dtype)


def _view(array: Array, packed: bytes, dtype: str | None) -> Array:
    if not packed:
        return array
    offset, shape, strides = unpack_view(packed)
    wanted = array.dtype if dtype is None else dtype_from(dtype)
    try:
        return np.ndarray.__new__(Array, shape, wanted, buffer=array.base, offset=offset,
                                  strides=strides)
    except (ValueError, TypeError, OverflowError, MemoryError):
        raise errors.BadUsage(
            f"open a view of a shared array: shape {shape}, strides {strides} from byte {offset} "
            f"on do not lie within its {array.nbytes} bytes; pass the handle as it was "
            "handed out") from None


def _text_of(dtype: np.dtype) -> str:
    return repr(np.lib.format.dtype_to_descr(dtype))


def _offset(array: np.ndarray, segment: Segment) -> int:
    return array.__array_interface__["data"][0] - segment.address if array.size else 0


def _is_whole(array: np.ndarray, segment: Segment) -> bool:
    dtype, order, shape = dtype_order_shape(segment.layout)
    return (array.dtype == dtype and array.shape == shape
            and array.strides == strides_of(dtype, order, shape))


def _plain(value: Any) -> Any:
    """The same, Arrays as plain arrays on the same bytes."""
    if isinstance(value, Array):
        return value.view(np.ndarray)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, tuple):  # one with names, too, which NumPy takes as any other
        return tuple(_plain(one) for one in value)
    if type(value) is dict:
        return {key: _plain(one) for key, one in value.items()}
    return value


def _shared(value: Any) -> Any:
    """The same; an Array is what lies on shared bytes, and nothing else."""
    if isinstance(value, np.ndarray):
        segment = segment_of(value)
        shared = segment is not None and segment.kind in _SHARED
        if shared and type(value) is np.ndarray:
            return value.view(Array)
        if not shared and isinstance(value, Array):
            return value.view(np.ndarray)
        return value
    if type(value) in (tuple, list):
        return type(value)(_shared(one) for one in value)
    return value


def _check_writable(array: Any) -> None:
    if isinstance(array, Array) and not array.flags.writeable:
        segment = segment_of(array)
        found = "it lies in a file that is mapped read-only" if segment is not None \
            and segment.kind == "file" else "it is sealed"
        raise errors.ReadOnly(
            f"write to a shared array: {found}; a.private() gives a view to write on, "
            "np.array(a) a copy")
