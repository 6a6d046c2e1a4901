"""Every command's help, and the exit status of every kind of mistake."""

import numpy as np
import pytest

from hearth_process import assert_one_error_line, fail, run, succeed

BUILT = ["run", "put", "make", "ls", "info", "get", "rm", "local", "coordinator", "worker",
         "workers", "jobs", "cancel", "operations", "up", "status", "down", "drain", "security",
         "objects", "call", "doctor", "top"]


@pytest.mark.parametrize("command", BUILT)
def test_help_has_examples(command):
    result = run(command, "--help")
    assert result.status == 0 and result.err == "", result
    assert "Examples:" in result.out and f"hearth {command}" in result.out, result
    for option in ("--json", "--cluster", "--tls-dir", "--insecure", "-v"):
        assert option in result.out, f"{option} is missing: {result}"


@pytest.mark.parametrize("command", [[], *([each] for each in BUILT),
                                     ["security", "init"], ["security", "issue"]], ids=" ".join)
def test_help_fits_80_columns(command):
    result = run(*command, "--help")
    assert result.status == 0, result
    assert max(map(len, result.out.splitlines())) <= 80, result


def test_help_of_all_lists_every_command():
    result = run("--help")
    assert result.status == 0, result
    for command in BUILT:
        assert f"\n  {command} " in result.out, f"{command}: {result}"


@pytest.mark.parametrize("arguments", [
    [],
    ["nonsense"],
    ["run"],
    ["run", "sum"],
    ["run", "nonsense", "a.npy"],
    ["run", "sum", "a.npy", "--nonsense"],
    ["run", "sum", "a.npy", "nonsense=1"],
    ["run", "sum", "a.npy", "axis"],
    ["run", "sum", "a.npy", "axis=x"],
    ["run", "sum", "a.npy", "axis=0,0"],
    ["run", "sum", "a.npy", "axis=0.5"],
    ["run", "sum", "a.npy", "keepdims=maybe"],
    # A list in brackets was its items, and an empty one nothing.
    ["run", "sum", "a.npy", "[]"],
    ["run", "sum", "a.npy", "[axis=0,keepdims=true]"],
    ["security", "issue", "--out", "x", "--host", "a", "b"],
    ["run", "sum", "a.npy", "dtype=nonsense"],
    ["run", "sum", "a.npy", "--workers", "0"],
    ["run", "sum", "a.npy", "--workers", "-1"],
    ["run", "sum", "a.npy", "--workers", "x"],
    ["run", "sum", "a.npy", "--workers", "1.5"],
    ["call", "counter", "add", "--timeout", "-1"],
    ["call", "counter", "add", "--timeout", "0"],  # it was "no limit", silently
    ["call", "counter", "add", "--timeout", "nan"],
    ["get", "m", "--rows", "-1:", "-o", "a.npy"],
    ["get", "m", "--rows", ":-1", "-o", "a.npy"],
    ["get", "m", "--rows", "2:1", "-o", "a.npy"],
    ["run", "histogram", "a.npy", "range=x,y"],
    ["run", "var", "a.npy", "ddof=x"],
    ["run", "norm", "a.npy", "ord=x"],
    ["run", "quantile", "a.npy", "q=2"],
    ["run", "quantile", "a.npy", "q=-0.1"],
    ["run", "quantile", "a.npy", "q=nan"],
    ["run", "quantile", "a.npy", "method=nonsense"],
    ["run", "histogram", "a.npy", "bins=0"],
    ["run", "histogram", "a.npy", "range=1,0"],
    ["run", "matvec", "a.npy"],
    ["run", "matmul", "a.npy"],
    ["run", "matmul", "a.npy", "v=a.npy"],
    ["run", "cov", "a.npy", "ddof=x"],
    ["run", "cov", "a.npy", "ddof=0.5"],
    ["run", "corrcoef", "a.npy", "rowvar=false"],
    ["run", "sum", "a.raw", "--dtype", "nonsense", "--shape", "2,3"],
    ["run", "sum", "a.raw", "--dtype", "f8", "--shape", "2,x"],
    ["run", "sum", "a.raw", "--dtype", "f8", "--shape", "2,-3"],
    ["run", "sum", "a.raw", "--dtype", "f8"],
    ["run", "sum", "a.raw", "--dtype", "f8", "--shape", "2,3", "--order", "X"],
    ["run", "sum", "a.raw", "--dtype", "f8", "--shape", "2,3", "--offset", "-1"],
    ["put", "9lives", "a.npy"],
    ["put", "with space", "a.npy"],
    ["put", "m" * 129, "a.npy"],
    ["get", "m"],
    ["get", "m", "--rows", "x", "-o", "a.npy"],
    ["make", "m"],
    ["make", "m", "--shape", "3,-1"],
    ["make", "m", "--shape", "3", "--dtype", "nonsense"],
    ["make", "m", "--shape", "3", "--seed", "x"],
    ["rm"],
    ["info"],
    ["cancel"],
    ["worker"],
    ["local", "--workers", "0"],
    ["local", "--memory", "much"],
    ["local", "--memory", "0"],  # it was "no limit", silently
    ["worker", "--coordinator", "unix-abstract:x", "--memory", "0GiB"],
    # What an unset variable leaves of an option was an option that was not given.
    ["local", "--memory", ""],
    ["local", "--listen", ""],
    ["coordinator", "--listen", ""],
    ["coordinator", "--state-dir", ""],
    ["coordinator", "--http", ""],
    ["worker", "--coordinator", ""],
    ["worker", "--coordinator", "nonsense"],
    ["worker", "--coordinator", "unix-abstract:x", "--listen", "nonsense"],
    ["worker", "--coordinator", "unix-abstract:x", "--listen", "unix:/x"],
    ["worker", "--coordinator", "unix-abstract:x", "--advertise", "a b"],
    ["worker", "--coordinator", "unix-abstract:x", "--runtime-dir", ""],
    ["ls", "--cluster", ""],
    ["ls", "--tls-dir", ""],
    ["get", "m", "--rows", "", "-o", "a.npy"],
    ["get", "m", "-o", ""],
    ["make", "m", "--shape", "3", "--dtype", ""],
    ["make", "a.npy", "--shape", "3", "--dtype", "bfloat16"],
    ["run", "sum", "a.npy", "--dtype", ""],
], ids=" ".join)
def test_wrong_usage_is_status_2(arguments, cluster, square):
    # A file that is there, so that the usage alone is wrong.
    named = [str(square) if part == "a.npy" and arguments[0] == "run" else part
             for part in arguments]
    cluster.fail(*named, status=2, timeout=20)


@pytest.mark.parametrize("arguments", [["--nonsense"], ["run", "--nonsense"], ["get", "m", "--nonsense"]],
                         ids=" ".join)
def test_an_unknown_option_is_named_whatever_else_is_missing(arguments, cluster):
    assert "there is no option --nonsense" in cluster.fail(*arguments, status=2, timeout=20)


@pytest.mark.parametrize("arguments", [
    ["run", "sum", "missing.npy"],
    ["run", "sum", "no_such_name"],
    ["run", "sum", "FILE", "axis=7"],
    ["run", "sum", "FILE", "axis=-3"],
    ["run", "argmin", "FILE", "axis=2"],
    ["run", "quantile", "FILE", "axis=2"],
    ["run", "matvec", "FILE", "v=missing.npy"],
    ["run", "matvec", "FILE", "v=FILE"],
    ["run", "matmul", "FILE", "b=missing.npy"],
    ["run", "matmul", "FILE", "b=FILE"],
    ["run", "matmul", "CUBE", "b=FILE"],
    ["run", "cov", "CUBE"],
    ["run", "corrcoef", "CUBE"],
    ["put", "m1", "missing.npy"],
    ["info", "no_such_name"],
    ["rm", "no_such_name"],
    ["get", "no_such_name", "-o", "x.npy"],
    ["cancel", "no_such_job"],
], ids=" ".join)
def test_everything_else_is_status_1(arguments, cluster, square, tmp_path):
    np.save(tmp_path / "cube.npy", np.zeros((2, 3, 4)))
    named = [part.replace("FILE", str(square)).replace("CUBE", "cube.npy") for part in arguments]
    cluster.fail(*named, status=1, cwd=tmp_path)


def test_an_error_names_the_attempt_and_the_thing(cluster, tmp_path):
    line = cluster.fail("run", "sum", "missing.npy", status=1, cwd=tmp_path)
    assert "missing.npy" in line
    line = cluster.fail("info", "no_such_name")
    assert "no_such_name" in line
    line = cluster.fail("run", "nonsense", "missing.npy", status=2)
    assert "nonsense" in line


@pytest.mark.parametrize("arguments", [
    ["quantile", "q=2"], ["quantile", "method=nonsense"], ["histogram", "bins=0"], ["histogram", "range=1,0"],
], ids=" ".join)
def test_a_wrong_value_names_the_operation_and_the_parameter(arguments, cluster, square):
    operation, parameter = arguments
    line = cluster.fail("run", operation, square, parameter, status=2)
    assert f"run {operation}: " in line and f"parameter {parameter.partition('=')[0]}" in line


@pytest.mark.parametrize("arguments, says, not_said", [
    # What was right by the rounded digits, what could not be done, what named no attempt, what was advised in vain.
    (["run", "quantile", "FILE", "q=1.0000001"], "1.0000001 is not in", None),
    (["run", "histogram", "FILE", "range=x,y"], "run histogram: read parameter range", None),
    (["make", "x.raw", "--shape", "3"], "writes .npy", "--dtype"),
    (["make", "x.npz", "--shape", "3"], "writes .npy", None),
    (["run", "sum", "FILE", "--workers", "x"], "no whole number from 1 to 1024", "Value"),
    (["local", "--workers", "2000"], "no whole number from 1 to 1024", None),
], ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_a_line_of_wrong_usage_helps(arguments, says, not_said, cluster, square, tmp_path):
    named = [str(square) if part == "FILE" else part for part in arguments]
    line = cluster.fail(*named, status=2, cwd=tmp_path)
    assert says in line and (not_said is None or not_said not in line), line


def test_a_range_of_none_is_none_however_it_is_written(cluster, square):
    expected = cluster.succeed("run", "histogram", square)["result"]
    for none in ("none", "None", "NONE"):
        assert cluster.succeed("run", "histogram", square, f"range={none}")["result"] == expected


def test_a_path_that_leads_nowhere_says_why(cluster, tmp_path):
    (tmp_path / "a.npy").symlink_to("b.npy")
    (tmp_path / "b.npy").symlink_to("a.npy")
    line = cluster.fail("run", "sum", tmp_path / "a.npy")
    assert "link" in line and "another path" in line and "report" not in line, line
    line = cluster.fail("run", "sum", tmp_path / ("x" * 300 + ".npy"))
    assert "shorter path" in line and "report" not in line, line


def test_an_archive_without_a_member_gets_a_hint(cluster, tmp_path):
    np.savez(tmp_path / "n.npz", a=np.arange(3))
    line = cluster.fail("run", "sum", "n.npz", cwd=tmp_path, status=(1, 2))
    assert "n.npz:MEMBER" in line, line
    assert "MEMBER" not in cluster.fail("run", "sum", "other.npz", cwd=tmp_path, status=(1, 2))


def test_a_newline_in_a_name_stays_on_the_line(cluster):
    cluster.fail("run", "sum", "./two\nlines.npy", status=1)
    cluster.fail("info", "two\nlines", status=(1, 2))


def test_a_cluster_that_is_not_there_is_status_1(square):
    result = run("ls", "--cluster", "unix-abstract:hearth-nobody-listens", timeout=30)
    assert result.status == 1, result
    assert_one_error_line(result)
    result = run("ls", "--cluster", "not an address", timeout=30)
    assert result.status in (1, 2), result
    assert_one_error_line(result)


def test_a_tcp_cluster_needs_credentials_or_insecure():
    result = run("ls", "--cluster", "127.0.0.1:9", timeout=30)
    assert result.status in (1, 2), result
    assert_one_error_line(result)
    assert "insecure" in result.err, result


def test_the_option_and_the_variable_name_the_same_cluster(cluster):
    by_variable = succeed("workers", cluster=cluster.address)
    by_option = succeed("workers", "--cluster", cluster.address)
    assert [worker["id"] for worker in by_variable["workers"]] == [
        worker["id"] for worker in by_option["workers"]]


def test_nothing_but_the_answer_is_printed(cluster, square):
    for arguments in (["run", "sum", square], ["run", "sum", square, "--json"], ["ls"],
                      ["workers"], ["jobs"], ["operations"]):
        result = cluster_run(cluster, *arguments)
        assert result.status == 0 and result.err == "", result
        assert result.out.endswith("\n")


@pytest.mark.parametrize("command", [["ls"], ["workers"], ["jobs"], ["operations"]], ids=" ".join)
def test_tables_fit_80_columns(command, cluster, square, name):
    cluster.succeed("put", name + "_" * (120 - len(name)), square, "--replace")
    cluster.succeed("run", "sum", square)
    result = cluster_run(cluster, *command)
    assert result.status == 0, result
    assert max(map(len, result.out.splitlines())) <= 80, result


def test_info_fits_80_columns(cluster, tmp_path, name):
    folder = tmp_path / ("long " * 20).strip() / ("x" * 100)
    folder.mkdir(parents=True)
    path = folder / "a\x1b[31m.npy"
    np.save(path, np.zeros((1,) * 30))
    result = cluster_run(cluster, "put", name + "_" * (120 - len(name)), path)
    assert result.status == 0, result
    assert max(map(len, result.out.splitlines())) <= 80 and "\x1b" not in result.out, result
    assert "xxxx" in result.out and "?[31m.npy" in result.out, result


def cluster_run(cluster, *arguments):
    return run(*arguments, cluster=cluster.address)
