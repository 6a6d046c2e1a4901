"""The shape of every command's JSON, to the letter."""

import numpy as np

from arrays import read_array, row_blocks
from hearth_process import run, succeed, wait_until

INFO = {"name", "dtype", "shape", "order", "bytes", "sealed", "source", "file", "row_blocks",
        "page_bytes", "shards"}
JOB = {"id", "seconds", "workers", "row_blocks", "bytes_mapped", "bytes_streamed",
       "bytes_copied", "bytes_converted", "retries", "hosts"}
ISSUE_3 = {"sum", "matvec", "quantile", "prod", "mean", "var", "std", "min", "max", "argmin",
           "argmax", "any", "all", "count_nonzero", "norm", "median", "histogram", "describe",
           "rmatvec", "gram", "matmul", "cov", "corrcoef"}


def check_info(info, name, array, source):
    assert set(info) == INFO
    assert info["name"] == name
    assert (info["dtype"], tuple(info["shape"])) == (array.dtype.name, array.shape)
    assert info["bytes"] == array.nbytes and info["sealed"] is True
    assert info["source"] == source
    assert info["row_blocks"] == row_blocks(array.shape, array.itemsize, info["order"])
    assert info["page_bytes"] in (4096, 65536, 2 << 20, 1 << 30)
    covered = 0
    for shard in info["shards"]:
        assert set(shard) == {"rows", "workers"}
        assert shard["rows"][0] == covered and len(shard["rows"]) == 2
        covered = shard["rows"][1]
        assert all(isinstance(worker, str) for worker in shard["workers"])
    # Of a matrix in Fortran order whole columns are cut, each with all rows.
    assert covered == (array.shape[0] if array.ndim else 1)


def test_put_info_ls_and_rm(cluster, tmp_path, name):
    array = np.arange(12, dtype=np.int32).reshape(3, 4)
    path = tmp_path / "a.npy"
    np.save(path, array)
    put = cluster.succeed("put", name, path)
    check_info(put, name, array, "file")
    assert put["file"] == str(path) and put["order"] == "C"
    assert cluster.succeed("info", name) == put
    listed = cluster.succeed("ls")
    assert set(listed) == {"matrices"} and put in listed["matrices"]
    assert cluster.succeed("rm", name) == {"removed": name}
    assert name not in [matrix["name"] for matrix in cluster.succeed("ls")["matrices"]]
    cluster.fail("info", name)


def test_info_has_one_text_for_a_file_however_it_was_typed(cluster, tmp_path, name):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(3))
    (tmp_path / "below").mkdir()
    (tmp_path / "link").symlink_to("/usr/bin")
    typed = f"./below/..//{path.name}"
    assert cluster.succeed("put", name, typed, cwd=tmp_path)["file"] == str(path)
    assert cluster.succeed("make", "./below/../made.npy", "--shape", "3",
                           cwd=tmp_path)["file"] == f"{tmp_path}/made.npy"
    # Behind a link ".." leads elsewhere, and through a missing folder nowhere.
    cluster.fail("put", name, "./link/../a.npy", "--replace", cwd=tmp_path)
    cluster.fail("make", "./missing/../none.npy", "--shape", "3", cwd=tmp_path)
    assert not (tmp_path / "none.npy").exists()


def test_info_of_a_member_names_it(cluster, tmp_path, name):
    np.savez(tmp_path / "a.npz", first=np.arange(3), second=np.arange(4))
    member = f"{tmp_path}/a.npz:second"
    put = cluster.succeed("put", name, "a.npz:second", cwd=tmp_path)
    assert put["file"] == member and put["source"] == "file" and put["shape"] == [4]
    assert cluster.succeed("info", name) == put
    assert cluster.succeed("run", "sum", put["file"])["result"]["values"] == 6
    assert cluster.succeed("put", name, member, "--copy", "--replace")["file"] is None


def test_put_copy_is_in_memory(cluster, tmp_path, name):
    array = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    path = tmp_path / "a.npy"
    np.save(path, array)
    put = cluster.succeed("put", name, path, "--copy")
    check_info(put, name, array, "memory")
    assert put["order"] == "F" and not put["file"]
    path.unlink()  # it is not needed any more
    answer = cluster.succeed("run", "sum", name, "axis=0")
    np.testing.assert_array_equal(read_array(answer["result"]), array.sum(axis=0))


def test_a_name_that_exists_needs_replace(cluster, square, tmp_path, name):
    cluster.succeed("put", name, square)
    line = cluster.fail("put", name, square)
    assert name in line and "--replace" in line
    other = tmp_path / "other.npy"
    np.save(other, np.ones(7))
    assert cluster.succeed("put", name, other, "--replace")["shape"] == [7]
    assert cluster.succeed("run", "sum", name)["result"]["values"] == 7.0


def test_run(cluster, square):
    answer = cluster.succeed("run", "sum", square)
    assert set(answer) == {"operation", "matrix", "result", "job"}
    assert answer["operation"] == "sum" and answer["matrix"] == str(square)
    assert answer["result"] == {"dtype": "float64", "shape": [], "values": 15.0}
    job = answer["job"]
    assert set(job) == JOB
    assert isinstance(job["id"], str) and job["id"]
    assert 0 < job["seconds"] < 60 and 1 <= job["workers"] <= 5
    assert job["row_blocks"] == 1 and job["bytes_mapped"] == 48
    assert [host["bytes_mapped"] for host in job["hosts"]] == [48]
    assert job["bytes_streamed"] == job["bytes_copied"] == job["bytes_converted"] == 0
    assert job["retries"] == 0


def test_run_counts_row_blocks_and_mapped_bytes(cluster, tmp_path):
    array = np.zeros((5000, 100))
    path = tmp_path / "a.npy"
    np.save(path, array)
    job = cluster.succeed("run", "sum", path)["job"]
    assert job["row_blocks"] == row_blocks(array.shape, 8) > 1
    assert job["bytes_mapped"] == array.nbytes


def test_fields(cluster, square):
    result = cluster.succeed("run", "histogram", square, "bins=3")["result"]
    assert set(result) == {"fields"} and list(result["fields"]) == ["counts", "edges"]
    assert result["fields"]["counts"] == {"dtype": "int64", "shape": [3], "values": [2, 2, 2]}


def test_values_are_exact(cluster, tmp_path):
    path = tmp_path / "a.npy"
    array = np.array([-0.0, 0.1, np.nan, np.inf, -np.inf, 5e-324, 1.7976931348623157e308, 1e22])
    np.save(path, array.reshape(-1, 1))
    out = run("run", "min", path, "axis=1", "--json", cluster=cluster.address)
    assert '[-0.0, 0.1, "nan", "inf", "-inf", 5e-324, 1.7976931348623157e+308, 1e+22]' in out.out, out
    for dtype in ("float16", "float32"):
        array = np.array([0.1, 1 / 3, 65504, 6e-8], dtype)
        np.save(path, array.reshape(-1, 1))
        found = read_array(cluster.succeed("run", "max", path, "axis=1")["result"])
        np.testing.assert_array_equal(found, array)
    array = np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max, 2**53 + 1])
    np.save(path, array.reshape(-1, 1))
    assert cluster.succeed("run", "sum", path, "axis=1")["result"]["values"] == array.tolist()
    array = np.array([1.5 - 2j, complex(np.nan, np.inf), complex(-0.0, -0.0)])
    np.save(path, array.reshape(-1, 1))
    result = cluster.succeed("run", "sum", path, "axis=1")["result"]
    assert result["values"][0] == "1.5-2j"
    found = read_array(result)
    np.testing.assert_array_equal(found[:2], array[:2])


def test_a_million_values_and_no_more(cluster, tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.ones((1_000_000, 1), np.uint8))
    assert len(cluster.succeed("run", "sum", path, "axis=1")["result"]["values"]) == 1_000_000
    np.save(path, np.ones((1_000_001, 1), np.uint8))
    line = cluster.fail("run", "sum", path, "axis=1", "--json", status=1)
    assert "-o" in line


def test_get(cluster, square, tmp_path, name):
    cluster.succeed("put", name, square)
    out = tmp_path / "out.npy"
    assert cluster.succeed("get", name, "-o", out) == {
        "file": str(out), "dtype": "float64", "shape": [2, 3]}
    np.testing.assert_array_equal(np.load(out), np.load(square))
    assert cluster.succeed("get", name, "--rows", "1:2", "-o", out)["shape"] == [1, 3]
    np.testing.assert_array_equal(np.load(out), np.load(square)[1:2])
    line = cluster.fail("get", name, "--rows", "1:3", "-o", out, status=1)
    assert f'"{name}"' in line and "0:2" in line  # the thing, and what to do


def test_workers(cluster):
    def measured():  # who did not answer in time uses 0 bytes
        found = cluster.succeed("workers")
        return found if all(one["memory"]["own"] > 0 for one in found["workers"]) else None

    answer = wait_until(measured, 20, "the memory of all")
    assert set(answer) == {"workers"} and len(answer["workers"]) == 5
    for worker in answer["workers"]:
        assert set(worker) == {"id", "host", "pid", "address", "state", "memory", "ended"}
        assert worker["state"] == "ready" and worker["pid"] in cluster.pids
        assert worker["ended"] is None
        assert set(worker["memory"]) == {"own", "shared", "proportional"}
        assert all(isinstance(part, int) and part >= 0 for part in worker["memory"].values())


def test_jobs(cluster, square):
    job = cluster.succeed("run", "sum", square)["job"]["id"]
    answer = cluster.succeed("jobs")
    assert set(answer) == {"jobs"}
    mine = next(each for each in answer["jobs"] if each["id"] == job)
    assert set(mine) == {"id", "operation", "matrix", "state", "done", "total"}
    assert mine["operation"] == "sum" and mine["state"] == "done"
    assert mine["done"] == mine["total"]


def test_operations(cluster):
    answer = cluster.succeed("operations")
    assert answer == succeed("operations"), "it needs no cluster"
    assert set(answer) == {"operations"}
    names = [operation["name"] for operation in answer["operations"]]
    assert names == sorted(names)
    assert ISSUE_3 <= set(names), ISSUE_3 - set(names)
    for operation in answer["operations"]:
        assert set(operation) == {"name", "parameters", "doc"} and operation["doc"]
        for parameter in operation["parameters"]:
            assert set(parameter) == {"name", "type", "default"}


def test_explain_runs_nothing(cluster, tmp_path):
    path = tmp_path / "foreign.npy"
    np.save(path, np.zeros((1000, 300), ">f8"))
    before = [job["id"] for job in cluster.succeed("jobs")["jobs"]]
    answer = cluster.succeed("run", "sum", path, "--explain")
    assert set(answer) == {"explain"}
    plan = answer["explain"]
    assert set(plan) == {"row_blocks", "hosts"}
    assert plan["row_blocks"] == row_blocks((1000, 300), 8)
    for host in plan["hosts"]:
        assert set(host) == {"host", "workers", "source", "bytes_mapped", "bytes_streamed",
                             "bytes_copied", "bytes_converted", "seconds_expected"}
    assert sum(host["bytes_converted"] for host in plan["hosts"]) == 2_400_000
    assert sum(host["bytes_streamed"] for host in plan["hosts"]) == 0
    after = [job["id"] for job in cluster.succeed("jobs")["jobs"]]
    assert before == after


def test_a_finished_job_stays_listed(cluster, square):
    job = cluster.succeed("run", "sum", square)["job"]["id"]
    wait_until(lambda: job in [each["id"] for each in cluster.succeed("jobs")["jobs"]])
