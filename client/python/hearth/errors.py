"""Everything that Hearth raises: one exception a reason of the error catalog.

All of them are `Error`, and many are what Python itself would raise as well:
`FileMissing` is a `FileNotFoundError`, `OutOfMemory` a `MemoryError`. The message
is a sentence: what was attempted, on what, what was found, what to do.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

_numpy_exceptions: Any = getattr(np, "exceptions", np)  # before NumPy 1.25


class Error(Exception):
    """What Hearth raises; `reason` is its name in docs/errors.md.

    Attributes
    ----------
    type : str
        Of a remote call: what the method, or who passed the call on, calls it.
    stack : tuple of str
        The way that it came, innermost first: lines of a Python method, then
        ``NAME.METHOD at PROCESS`` for each hop.
    correlation : str
        Of the chain of calls that it ended.
    """

    reason = "unspecified"
    type: str = ""
    stack: tuple[str, ...] = ()
    correlation: str = ""


class BadUsage(Error, ValueError):
    """The request is wrong for any matrix."""

    reason = "bad-usage"


class WrongType(BadUsage, TypeError):
    """An argument of a type that it can't have: a number for a name."""


class BadParameter(Error, ValueError):
    """The request does not suit this matrix: an axis that it hasn't."""

    reason = "bad-parameter"


class AxisError(BadParameter, _numpy_exceptions.AxisError):
    """The matrix has no such axis."""


class BadFile(Error, ValueError):
    """A file's header or size is not what its format says."""

    reason = "bad-file"


class FileMissing(Error, FileNotFoundError):
    """There is no such file, or it can't be read."""

    reason = "file-missing"


class FileChanged(Error):
    """A published file was truncated, replaced or rewritten since."""

    reason = "file-changed"


class NameTaken(Error):
    """Something has that name already."""

    reason = "name-taken"


class NameUnknown(Error, LookupError):
    """Nothing has that name."""

    reason = "name-unknown"


class OutOfMemory(Error, MemoryError):
    """It would pass the host's or a cgroup's limit; nothing was touched yet."""

    reason = "out-of-memory"


class OutOfDisk(Error, OSError):
    """A file system has no room for what was to be written."""

    reason = "out-of-disk"


class TooLarge(Error):
    """It passes one of Hearth's own limits."""

    reason = "too-large"


class SegmentGone(Error, LookupError):
    """No process holds those bytes any more."""

    reason = "segment-gone"


class SegmentBusy(Error):
    """It can't be sealed while another process maps it writable."""

    reason = "segment-busy"


class WorkerLost(Error):
    """Workers were lost, and none is left to go on."""

    reason = "worker-lost"


class TaskFailed(Error):
    """A task failed in three different attempts; the message has their stories."""

    reason = "task-failed"


class JobUnknown(Error, LookupError):
    """There is no such job, or it ended long ago."""

    reason = "job-unknown"


class JobCancelled(Error):
    """Somebody cancelled the job."""

    reason = "job-cancelled"


class ClusterUnreachable(Error, ConnectionError):
    """Nobody answers at that address."""

    reason = "cluster-unreachable"


class ClusterEnded(Error, ConnectionError):
    """The cluster ended while it was being used."""

    reason = "cluster-ended"


class VersionMismatch(Error):
    """The two ends are of versions that don't understand each other."""

    reason = "version-mismatch"


class NotAllowed(Error, PermissionError):
    """Another user's, not writable, or something that must be switched on first."""

    reason = "not-allowed"


class ReadOnly(NotAllowed, ValueError):
    """A write to an array that is sealed, or mapped from a file."""


class NotYet(Error, NotImplementedError):
    """It has its name and is not built yet."""

    reason = "not-yet"


class DeadlineExceeded(Error, TimeoutError):
    """The other end did not answer in time."""

    reason = "deadline-exceeded"


class Internal(Error):
    """A mistake of ours: please report it."""

    reason = "internal"


class BadCredentials(Error):
    """Credentials are damaged, expired, another cluster's, or at one end only."""

    reason = "bad-credentials"


class ObjectGone(Error, LookupError):
    """The object was taken away, or nobody answers for it any more."""

    reason = "object-gone"


class QueueFull(Error):
    """As many calls wait for the object as its class allows."""

    reason = "queue-full"


class OutcomeUnknown(Error):
    """The call may have run: the connection broke, its object was taken away, or its result was let go of."""

    reason = "outcome-unknown"


class CallCancelled(Error):
    """The caller cancelled the call."""

    reason = "call-cancelled"


class AddressUnusable(Error, OSError):
    """Nobody can listen there: not this host's address, or not this user's to take."""

    reason = "address-unusable"


_BY_REASON = {kind.reason: kind for kind in Error.__subclasses__()}


_IN_PYTHON: list[tuple[re.Pattern[str], Any]] = [(re.compile(found), said) for found, said in (
    (r"\b(say|use|with) --(replace|copy)\b", r"\1 \2=True"),
    (r"\bgive --dtype and --shape\b", "give dtype and shape to hearth.load or cluster.put"),
    (r"--dtype (\w+) --shape ([\d,]+) --offset (\d+)( --order F)?",
     lambda of: f'dtype="{of[1]}", shape=({of[2]}), offset={of[3]}' + (', order="F"' if of[4] else "")),
    (r"--(dtype|shape|offset|order)\b", r"\1"))]
_NO_AXIS = re.compile(r": axis -?\d+ is not there in an array of shape ")


def error_of(reason: str, message: str) -> Error:
    """The exception that belongs to a reason of the catalog; what the command has as a flag is an argument here."""
    kind = AxisError if reason == "bad-parameter" and _NO_AXIS.search(message) else _BY_REASON.get(reason, Error)
    for found, said in _IN_PYTHON:
        message = found.sub(said, message)
    return kind(message)


class RemoteError(Error):
    """What a remote method has raised, by the name that it gave it.

    Of a type that Python itself has, it is that, too: ``except ValueError`` takes
    what a Python object raised as such. A method raises one to give its error a
    name that C++ callers can compare: ``RemoteError("bank.NoSuchAccount", "...")``.
    """

    def __init__(self, type_name: str, message: str) -> None:
        super().__init__(message)
        self.type = type_name

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def __reduce__(self) -> Any:
        return exception_of, (self.reason, self.type, str(self), self.stack, self.correlation)


_GROUP = getattr(builtins, "BaseExceptionGroup", StopIteration)  # from Python 3.11 on
_remote_kinds: dict[str, type[RemoteError]] = {}


def _remote_kind(type_name: str) -> type[RemoteError]:
    known = getattr(builtins, type_name, None) if type_name.isidentifier() else None
    if not isinstance(known, type) or not issubclass(known, Exception) or \
            issubclass(known, (StopIteration, StopAsyncIteration, UnicodeError, _GROUP)):
        return RemoteError
    return _remote_kinds.setdefault(type_name, type(f"Remote{type_name}", (RemoteError, known), {}))


def exception_of(reason: str, type_name: str, message: str, stack: Iterable[str], correlation: str) -> Error:
    """The exception of a call that failed."""
    own = reason in _BY_REASON and reason != "unspecified"
    error = _BY_REASON[reason](message) if own else _remote_kind(type_name)(type_name, message)
    error.type, error.stack, error.correlation = type_name, tuple(stack), correlation
    if error.stack and hasattr(error, "add_note"):
        error.add_note("remote stack, innermost first:\n  " + "\n  ".join(error.stack))
    return error
