"""What the tests run in other processes; importable by name under every start method."""

import os
import pickle
import time

import numpy as np

import hearth


def facts(array):
    """What a process sees: the sum, the type, and whether the bytes are shared ones."""
    segment = hearth.array.segment_of(array)
    return (float(np.asarray(array).sum()), type(array).__name__,
            segment is not None and segment.kind in ("sealed", "open", "file"), os.getpid())


def put_facts(array, queue):
    queue.put(facts(array))


def facts_of_next(source, answers):
    answers.put(facts(source.get()))


def facts_from_pipe(connection):
    connection.send(facts(connection.recv()))


def fill(array, row, value):
    array[row] = value


def fill_rows(array, begin, end):
    for row in range(begin, end):
        array[row] = row


def share_and_leave(queue, length):
    queue.put(hearth.share(np.arange(float(length))))
    queue.close()
    queue.join_thread()


def share_into(path, length):
    with open(path, "wb") as file:
        pickle.dump(hearth.share(np.arange(float(length))), file)


def hold(array, ready, leave):
    ready.set()
    leave.wait()
    return float(array.sum())


def open_from_file(path, answers):
    with open(path, "rb") as file:
        text = file.read()
    try:
        answers.put(float(pickle.loads(text).sum()))
    except hearth.Error as error:
        answers.put(f"{type(error).__name__}: {error}")


def sparse_facts(matrix):
    return type(matrix).__mro__[2].__name__, float(matrix.sum()), \
        hearth.array.segment_of(matrix.data) is not None


def rows_by_name(records, name):
    return float(records[name].sum())


def seconds_to_first(array, sent):
    first = array[0, 0]
    return time.monotonic() - sent, float(first)


def work_a_while(array, seconds):
    until = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < until:
        part = pickle.loads(pickle.dumps(array[rounds % 10:]))
        rounds += 1
        assert part.base is not None
    return rounds
