"""Remote objects: a cluster's directory of them, and serving one's own."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from . import _native, errors
from . import cluster as _cluster
from ._checks import text, texts, whole
from ._waiting import before_end
from .exposing import described
from .proxy import Proxy

_lock = threading.Lock()
_links: dict[str, _native.ObjectsLink] = {}
_security: dict[str, tuple[str, bool]] = {}
_clusters: dict[str, _cluster.Cluster] = {}
_servers: weakref.WeakSet[ObjectServer] = weakref.WeakSet()
_watches: weakref.WeakSet[_native.DirectoryWatch] = weakref.WeakSet()


class _Served(NamedTuple):
    """What this process has exposed: sent as itself, it goes as its handle."""

    what: Any
    link: _native.ObjectsLink
    handle: _native.RemoteObject


_served: dict[int, list[_Served]] = {}  # by identity; of several handles, the newest


class ObjectInfo(NamedTuple):
    """What the directory knows of an object."""

    name: str
    class_name: str
    tags: tuple[str, ...]
    addresses: tuple[str, ...]
    pid: int


class Objects:
    """The remote objects of a cluster.

    Parameters
    ----------
    where : Cluster or str, optional
        The cluster, or its address; by default the one that this process is
        connected to, else ``$HEARTH_CLUSTER``.
    tls_dir, insecure
        As for `hearth.connect`, where an address is given.
    """

    def __init__(self, where: _cluster.Cluster | Objects | str | None = None, *,
                 tls_dir: str | os.PathLike[str] | None = None, insecure: bool = False) -> None:
        self._native = link_to(where, tls_dir, insecure)

    @property
    def address(self) -> str:
        """The cluster's."""
        return self._native.address

    def get(self, name: str) -> Proxy:
        """A proxy of what has that name; looked up when it is first called."""
        return Proxy._of(self._native.get(text(name, "find an object named")))

    __getitem__ = get

    def find(self, name: str = "", *, prefix: str = "", tags: Iterable[str] = (),
             any_tags: Iterable[str] = ()) -> list[ObjectInfo]:
        """What is there: all that is given must hold, and one of `any_tags`."""
        return [_info(one) for one in self._native.find(*_asked("find objects by", name, prefix, tags, any_tags))]

    def watch(self, on_change: Callable[[ObjectInfo, bool], None], *, name: str = "", prefix: str = "",
              tags: Iterable[str] = (), any_tags: Iterable[str] = ()) -> _native.DirectoryWatch:
        """Calls back with what is there, and what comes and leaves.

        Parameters
        ----------
        on_change : callable
            Of the object, and whether it has left; called from another thread.

        Returns
        -------
        DirectoryWatch
            Its `close`, or letting go of it, ends the watch.
        """
        if not callable(on_change):
            raise errors.WrongType(f"watch objects: {on_change!r} can't be called; give a function")
        watch = self._native.watch(*_asked("watch objects by", name, prefix, tags, any_tags),
                                   lambda one, left: on_change(_info(one), left))
        _watches.add(watch)
        return watch

    def create(self, class_name: str, *args: Any, name: str = "", tags: Iterable[str] = (),
               replace: bool = False, pid: int = 0, machine: str = "", near_matrix: str = "") -> Proxy:
        """Makes an object in a worker with a plugin, or in an `ObjectServer`, that has the class."""
        class_name = text(class_name, "create an object of the class")
        attempt = f"create a {class_name}"
        options = {"name": text(name, f"{attempt} named"), "tags": texts(tags, f"{attempt} with the tags"),
                   "replace": bool(replace), "pid": whole(pid, f"{attempt} in the process"),
                   "machine": text(machine, f"{attempt} on the machine"),
                   "near_matrix": text(near_matrix, f"{attempt} near the matrix")}
        return Proxy._of(_native.create(self._native, class_name, list(args), options))

    def remove(self, name: str) -> None:
        """Takes away an object that was created or served by that name."""
        self._native.remove(text(name, "remove an object named"))

    def expose(self, instance: Any) -> Proxy:
        """A proxy of an object of this process, to be passed along for callbacks.

        They come through the connection that this process has made: it listens
        nowhere. It stays as long as the connection does.
        """
        native = _native.expose(self._native, _class_of(self._native, type(instance)), instance)
        _note(_Served(instance, self._native, native))
        return Proxy._of(native)

    def __repr__(self) -> str:
        return f"<hearth.Objects of {self.address}>"


class ObjectServer:
    """Serves objects of this process, for others to find by name.

    A context manager. Its names leave the directory when it is closed or its
    process ends, however that happens.

    Parameters
    ----------
    where : Cluster, Objects or str, optional
        As for `Objects`.
    classes : iterable of type
        That others may create objects of, here.
    listen, advertise : str
        ``host:port`` for other machines; by default as the coordinator's address
        asks for. Processes of this machine need neither.

    Examples
    --------
    >>> with hearth.ObjectServer() as server:
    ...     server.serve("counter", Counter(), tags=["example"])
    ...     server.wait()
    """

    def __init__(self, where: _cluster.Cluster | Objects | str | None = None, *, classes: Iterable[type] = (),
                 listen: str = "", advertise: str = "", tls_dir: str | os.PathLike[str] | None = None,
                 insecure: bool = False) -> None:
        # A connection of its own, that ends with it.
        self.objects = Objects.__new__(Objects)
        self._link = self.objects._native = _connect(*_resolved(where, tls_dir, insecure))
        self._native = _native.ObjectServer.start(self._link, text(listen, "listen at"), text(advertise, "advertise"),
                                                  [_class_of(self._link, one) for one in classes])
        self._by_name: dict[str, _Served] = {}
        self._ended = threading.Event()
        _servers.add(self)

    def serve(self, name: str, what: Any, *, tags: Iterable[str] = (), replace: bool = False) -> Proxy:
        """Serves an object; or a class, whose mode makes its instances.

        Parameters
        ----------
        replace : bool
            In place of what has that name.
        """
        name = text(name, "serve an object named")
        is_class = isinstance(what, type)
        of = _class_of(self._link, what if is_class else type(what))
        native = self._native.serve(name, of, None if is_class else what,
                                    texts(tags, f"serve {name} with the tags"), bool(replace))
        _forget(self._by_name.pop(name, None))
        if not is_class:
            self._by_name[name] = _Served(what, self._link, native)
            _note(self._by_name[name])
        return Proxy._of(native)

    def unserve(self, name: str) -> None:
        """Takes it away again."""
        self._native.unserve(text(name, "take away an object named"))
        _forget(self._by_name.pop(name, None))

    def expose(self, instance: Any) -> Proxy:
        """See `Objects.expose`."""
        return self.objects.expose(instance)

    def listen_elsewhere(self) -> None:
        """Leaves its port for another one: objects stay, and callers find them."""
        self._native.listen_elsewhere()

    def wait(self) -> None:
        """Until it is closed, or Ctrl-C."""
        self._ended.wait()

    def close(self) -> None:
        """Lets its names leave."""
        self._ended.set()
        self._by_name.clear()
        self._native.close()
        self._link.close()
        _forget_closed()

    def __enter__(self) -> ObjectServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class CurrentCall(NamedTuple):
    """What a method may know of the call that it serves."""

    metadata: dict[str, str]
    correlation: str
    session: str
    deadline: float | None
    cancelled: bool


def current_call() -> CurrentCall | None:
    """Of the method that runs in this thread; None outside of any.

    Its `deadline` is a time as of `time.time`; ask again for a fresh `cancelled`.
    """
    said = _native.current_call()
    return None if said is None else CurrentCall(**said)


def _info(said: dict[str, Any]) -> ObjectInfo:
    return ObjectInfo(said["name"], said["class"], tuple(said["tags"]), tuple(said["addresses"]), said["pid"])


def _asked(attempt: str, name: Any, prefix: Any, tags: Any, any_tags: Any) -> tuple[str, str, list[str], list[str]]:
    return (text(name, f"{attempt} the name"), text(prefix, f"{attempt} the prefix"),
            texts(tags, f"{attempt} the tags"), texts(any_tags, f"{attempt} any of the tags"))


def _class_of(link: _native.ObjectsLink, of: type) -> _native.ExposedClass:
    said = described(of)
    return _native.ExposedClass.make(link, said["said"], of, said["methods"])


def served_as(value: Any) -> _native.RemoteObject | None:
    """The handle of what this process has exposed."""
    found = (one.handle for one in reversed(_served.get(id(value), ())) if not one.link.closed)
    return next(found, None)


def _note(served: _Served) -> None:
    with _lock:
        _served[id(served.what)] = [*_served.get(id(served.what), ()), served]


def _forget(served: _Served | None) -> None:
    if served is not None:
        _forget_where(lambda one: one is served, [id(served.what)])


def _forget_closed() -> None:
    _forget_where(lambda one: one.link.closed, list(_served))


def _forget_where(is_over: Callable[[_Served], bool], among: list[int]) -> None:
    gone = []  # let go of without the lock: it may be the last reference
    with _lock:
        for key in among:
            before = _served.pop(key, [])
            kept = [one for one in before if not is_over(one)]
            gone.append(before)
            if kept:
                _served[key] = kept


def link_to(where: _cluster.Cluster | Objects | str | None = None,
            tls_dir: str | os.PathLike[str] | None = None, insecure: bool = False) -> _native.ObjectsLink:
    """This process's one connection to the objects of a cluster."""
    if isinstance(where, Objects):
        return where._native
    resolved = _resolved(where, tls_dir, insecure)
    address = resolved[0]
    with _lock:
        link = _links.get(address)
    if link is None or link.closed:
        link = _connect(*resolved)
        with _lock:
            first = _links.get(address)
            if first is not None and not first.closed:
                return first
            _links[address] = link
    return link


def _connect(address: str, tls_dir: str, insecure: bool) -> _native.ObjectsLink:
    link = _native.ObjectsLink.connect(address, tls_dir, insecure)
    _security[address] = tls_dir, insecure
    return link


def _resolved(where: _cluster.Cluster | Objects | str | None, tls_dir: str | os.PathLike[str] | None,
              insecure: bool) -> tuple[str, str, bool]:
    """An address, and how to connect to it."""
    if isinstance(where, _cluster.Cluster):
        return where.address, *where._security
    address = text(where.address if isinstance(where, Objects) else where or _default_address(),
                   "find the objects of the cluster")
    if tls_dir or insecure:
        return address, os.fsdecode(tls_dir or ""), bool(insecure)
    return address, *_security.get(address, ("", False))


def _default_address() -> str:
    open_ones = {one.address for one in _cluster.open_clusters()}
    with _lock:
        links = [*_links.values(), *(server._link for server in list(_servers))]
        open_ones |= {link.address for link in links if not link.closed}
    named = os.environ.get("HEARTH_CLUSTER")
    if len(open_ones) == 1:
        return open_ones.pop()
    if named:
        return named
    found = f"this process is connected to {', '.join(sorted(open_ones))}" if open_ones else \
        "this process is connected to none, and HEARTH_CLUSTER is not set"
    raise errors.BadUsage(f"find the objects of a cluster: no cluster was named, and {found}; say which")


def cluster_behind(link: _native.ObjectsLink) -> _cluster.Cluster:
    """The cluster whose matrices handles name that come by this connection."""
    address = link.address
    for one in _cluster.open_clusters():
        if one.address == address:
            return one
    made = _cluster.connect(address, *_security.get(address, ("", False)))
    with _lock:
        return _clusters.setdefault(address, made)


def close_at(address: str) -> None:
    """Ends what this process has of a cluster's objects."""
    for server in list(_servers):
        if server._link.address == address:
            server.close()
    with _lock:
        link = _links.pop(address, None)
        _clusters.pop(address, None)
    if link is not None:
        link.close()
    _forget_closed()


def _close_all() -> None:
    for watch in list(_watches):
        watch.close()
    for server in list(_servers):
        server.close()
    for address in list(_links):
        close_at(address)


def _begin_child() -> None:
    """What is served and watched is the parent's to end; its lock may be held by a thread that stayed there."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    _servers.clear()
    _watches.clear()


before_end(_close_all, first=True)
os.register_at_fork(after_in_child=_begin_child)
