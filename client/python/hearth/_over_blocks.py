"""Functions of one's own over blocks, as methods of a cluster."""

from __future__ import annotations

import os
import reprlib
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import errors

if TYPE_CHECKING:
    from .array import Array
    from .matrix import Matrix


class OverBlocks:
    """What `Cluster` has of them; the work is in `functions`."""

    if TYPE_CHECKING:
        def get(self, name: str) -> Matrix: ...
        def put(self, name: str, matrix: Any) -> Matrix: ...
        def _lend(self, array: Any, borrowed: list[str]) -> str: ...
        def _give_back(self, borrowed: list[str]) -> None: ...

    def map_blocks(self, function: Callable[[np.ndarray], Any], matrix: Any, *,
                   progress: Any = None) -> Array:
        """A new matrix: the function's value of each block of rows, one below the other.

        The function runs in Python processes beside the workers that have the rows,
        on views of them, and its results are written where they belong. A cluster of
        `hearth.local` starts the processes when they are first needed; others must
        have been started with ``hearth worker --allow-python``.

        Parameters
        ----------
        function : callable
            Takes a block, a read-only view of some rows, and gives an array of as many
            rows, or of one number a row. Sent once to each process, by cloudpickle.
        matrix : Matrix, name, path or array_like
            Arrays are shared first, unless they are already.

        Returns
        -------
        Array
            Sealed, on this host.
        """
        from . import functions
        return self._over_blocks(functions.map_blocks, function, matrix, progress)

    def map_reduce(self, function: Callable[[np.ndarray], Any], matrix: Any,
                   combine: Callable[[Any, Any], Any] = np.add, *, progress: Any = None) -> Any:
        """The function's values of all blocks of rows, joined by `combine`.

        Runs as `map_blocks` does. Values travel by remote calls: numbers, arrays,
        texts, and tuples, lists and dicts of them. Neighbours are joined along one
        tree that the matrix alone decides: the result has the same bits whatever the
        number of processes.
        """
        from . import functions
        _check_callable(combine)
        return self._over_blocks(functions.map_reduce, function, matrix, combine, progress)

    def _over_blocks(self, work: Callable[..., Any], function: Any, matrix: Any, *rest: Any) -> Any:
        _check_callable(function)
        borrowed: list[str] = []
        try:
            return work(self, function, self._found(matrix, borrowed), *rest)
        finally:
            self._give_back(borrowed)

    def _found(self, matrix: Any, borrowed: list[str]) -> Matrix:
        from .matrix import Matrix
        if isinstance(matrix, Matrix):
            return matrix
        if not isinstance(matrix, (str, os.PathLike)):
            return self.get(self._lend(matrix, borrowed))
        text = os.fspath(matrix)
        if isinstance(matrix, str) and "/" not in text and not text.endswith(".npy"):
            return self.get(text)
        name = f"_lent_{uuid.uuid4().hex}"
        found = self.put(name, matrix)
        borrowed.append(name)
        return found


def _check_callable(function: Any) -> None:
    if not callable(function):
        raise errors.WrongType(f"go through the blocks of a matrix: {reprlib.repr(function)} can't be called; give a "
                               "function")
