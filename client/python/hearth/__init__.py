"""Hearth: one read-only matrix, every process around it.

    import hearth
    m = hearth.share(array)      # once; then hand `m` to any process, by any means
    m = hearth.load("big.npy")   # the same, of a file where it lies

`m` is a NumPy array whose pickle is a handle of under 200 bytes. Clusters compute
on such arrays, on this machine or on many:

    with hearth.local(workers=5) as cluster:
        mean = cluster.put("big", m).mean(axis=0)
"""

from __future__ import annotations

import os as _os

from . import _native, _values, aio, errors, sharedmem
from .array import Array
from .cluster import Cluster, connect, local
from .errors import Error, RemoteError
from .executor import Executor
from .exposing import expose
from .job import Job
from .matrix import Matrix
from .objects import Objects, ObjectServer, current_call
from .proxy import Proxy
from .sharing import empty, load, open, share, zeros  # noqa: A004

__version__ = "0.1.0"
__all__ = ["Array", "Cluster", "Error", "Executor", "Job", "Matrix", "ObjectServer", "Objects", "Proxy",
           "RemoteError", "Struct", "aio", "connect", "current_call", "empty", "errors", "expose", "load", "local",
           "open", "share", "sharedmem", "zeros"]

Struct = _values.Struct

_native.name_program(_os.path.join(_os.path.dirname(_os.path.abspath(__file__)), "bin", "hearth"))
