"""Arguments of types that they can't have: a sentence, and nothing of what lies beneath."""

import numpy as np
import pytest

import hearth

NO_TEXTS = (3, None, b"x", ["x"], {1: 2}, np.float64(1))
NO_NUMBERS = ("3", None, 2.5, [1], 1j)
BAD_UNICODE = "\udc80"


@pytest.fixture(scope="module")
def objects(cluster):
    return hearth.Objects(cluster)


def refused(attempt, *arguments, **named):
    """By one sentence of ours, that is NumPy's and Python's kind, too."""
    with pytest.raises((TypeError, ValueError)) as caught:
        attempt(*arguments, **named)
    told = str(caught.value)
    assert "incompatible function arguments" not in told and "_native" not in told and "\n" not in told, told
    assert "bad_cast" not in told and len(told) < 400
    return caught.value


def told_to_give(attempt, *arguments, **named):
    error = refused(attempt, *arguments, **named)
    assert isinstance(error, hearth.errors.BadUsage) and ": " in str(error) and "; give " in str(error), error


@pytest.mark.parametrize("value", [*NO_TEXTS, BAD_UNICODE], ids=ascii)
def test_names_are_texts(cluster, objects, digits, value):
    for attempt in (lambda: cluster.put(value, digits), lambda: cluster.make(value, 3), lambda: cluster.get(value),
                    lambda: cluster[value], lambda: cluster.rm(value), lambda: cluster.cancel(value),
                    lambda: cluster.drain(value), lambda: cluster.run(value, digits),
                    lambda: cluster.submit(value, digits), lambda: cluster.explain(value, digits),
                    lambda: objects.get(value), lambda: objects[value], lambda: objects.remove(value),
                    lambda: objects.create(value), lambda: objects.find(value), lambda: objects.find(prefix=value),
                    lambda: objects.watch(print, name=value), lambda: objects.create("A", machine=value),
                    lambda: hearth.Proxy(value, cluster), lambda: hearth.aio.Proxy(value, cluster),
                    lambda: hearth.Proxy("x", cluster)._with(correlation=value),
                    lambda: hearth.ObjectServer(cluster, listen=value)):
        told_to_give(attempt)
    assert value not in cluster
    if value is not None:
        told_to_give(hearth.connect, value)
        told_to_give(hearth.expose, name=value)
        told_to_give(hearth.Objects, value)
        told_to_give(hearth.Proxy("x", cluster)._with, metadata={"key": value})
        told_to_give(hearth.Proxy("x", cluster)._with, metadata={value: "x"}) if value.__hash__ else None


@pytest.mark.parametrize("value", NO_NUMBERS, ids=ascii)
def test_counts_are_whole_numbers(cluster, objects, digits, value):
    for attempt in (lambda: cluster.put("x", digits, replicas=value), lambda: cluster.make("x", 3, seed=value),
                    lambda: cluster.make("x", 3, replicas=value), lambda: cluster.run("sum", digits, workers=value),
                    lambda: cluster.explain("sum", digits, workers=value), lambda: objects.create("A", pid=value),
                    lambda: hearth.expose(waiting_max=value),
                    lambda: hearth.load("x", dtype="f8", shape=3, offset=value)):
        told_to_give(attempt)
    if value is not None:
        for attempt in hearth.local, hearth.Executor, lambda value: hearth.local(threads=value):
            told_to_give(attempt, value)


def test_numbers_have_bounds(cluster, digits):
    for attempt in (lambda: hearth.local(0), lambda: hearth.local(2**40), lambda: hearth.Executor(-1),
                    lambda: cluster.put("x", digits, replicas=0), lambda: cluster.put("x", digits, replicas=2**31),
                    lambda: cluster.make("x", 3, seed=-1), lambda: cluster.make("x", 3, seed=2**64),
                    lambda: cluster.run("sum", digits, workers=-1), lambda: hearth.load("x", "f8", 3, offset=2**63),
                    lambda: hearth.load("x", "f8", 3, offset=-1)):
        told_to_give(attempt)
    for shape in ((2**70, 0), 2**63):
        for attempt in (lambda: cluster.make("x", shape), lambda: hearth.empty(shape),
                        lambda: hearth.load("x", "f8", shape)):
            refused(attempt)
    assert cluster.make("x", 3, seed=2**64 - 1).shape == (3,)
    cluster.rm("x")


def test_other_arguments_are_looked_at(cluster, objects, digits, tmp_path):
    matrix = cluster.put("looked_at", digits, replace=True)
    proxy = hearth.Proxy("x", cluster)
    for attempt in (lambda: objects.find(tags="python"), lambda: objects.find(any_tags=3), lambda: objects.watch(3),
                    lambda: objects.create("A", tags=[3]), lambda: proxy._with(timeout="x"), lambda: hearth.open(3),
                    lambda: proxy._with(metadata="x"), lambda: proxy._with(patience=[]),
                    lambda: hearth.expose(call_time_max="x"), lambda: cluster.map_blocks(3, matrix),
                    lambda: cluster.map_reduce("x", matrix), lambda: cluster.map_reduce(np.sum, matrix, 3),
                    lambda: hearth.ObjectServer(cluster, classes=[3]), lambda: hearth.aio.Proxy("x", cluster)(3),
                    lambda: hearth.load(b"\xff.npy"),
                    lambda: hearth.open(BAD_UNICODE), lambda: cluster.put("y", f"./{BAD_UNICODE}"),
                    lambda: cluster.run("sum", BAD_UNICODE), lambda: matrix.quantile(method=BAD_UNICODE),
                    lambda: matrix.matvec(BAD_UNICODE), lambda: cluster.map_blocks(np.abs, BAD_UNICODE)):
        told_to_give(attempt)
    for wrong in (3, None, "x", [object()], object(), {}, {"a": 1}, 1j):
        for attempt in (lambda: matrix.sum(dtype=wrong), lambda: matrix.sum(keepdims=wrong),
                        lambda: matrix.sum(out=wrong), lambda: matrix.std(ddof=wrong),
                        lambda: matrix.quantile(wrong), lambda: matrix.norm(wrong),
                        lambda: matrix.quantile(method=wrong), lambda: matrix.histogram(wrong),
                        lambda: matrix.cov(wrong), lambda: matrix.histogram(range=wrong),
                        lambda: matrix.matvec(wrong), lambda: matrix.matmul(wrong),
                        lambda: cluster.run("sum", wrong), lambda: cluster.put("y", wrong, replace=True),
                        lambda: cluster.make("y", wrong), lambda: cluster.make("y", 3, wrong),
                        lambda: hearth.empty(wrong), lambda: hearth.empty(3, wrong), lambda: hearth.load(wrong),
                        lambda: hearth.open(wrong), lambda: hearth.share(wrong),
                        lambda: hearth.connect(cluster.address, tls_dir=wrong),
                        lambda: cluster.put("y", digits, dtype=wrong), lambda: matrix[wrong]):
            try:
                attempt()
            except Exception as error:  # of whatever kind
                told = str(error)
                assert not any(one in told for one in ("incompatible function", "_native", "bad_cast")), told
    if "y" in cluster:
        cluster.rm("y")
    cluster.rm("looked_at")


def test_a_cluster_is_gone_through_by_its_names(cluster, digits):
    for name in "first", "second":
        cluster.put(name, digits[:2], replace=True)
    assert {"first", "second"} <= set(cluster) and [*cluster] == [matrix.name for matrix in cluster.ls()]
    assert all(name in cluster and cluster[name].name == name for name in cluster)
    assert 3 not in cluster and None not in cluster and cluster
    with pytest.raises(LookupError):
        cluster["nothing"]
    for name in "first", "second":
        cluster.rm(name)
