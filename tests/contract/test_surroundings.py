"""What a shell hands over: standard output, signals, limits, names and empty values."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unicodedata

import numpy as np
import pytest

from hearth_process import (BINARY, Server, environment, fail, finish, run, start, succeed,
                            wait_until)


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.npy"
    np.save(path, np.arange(12, dtype=np.int32).reshape(3, 4))
    return path


def in_shell(line, *arguments):
    """`line` with the binary as $0 and the arguments as $1 and so on."""
    return subprocess.run(["bash", "-c", line, str(BINARY), *map(str, arguments)],
                          capture_output=True, text=True, errors="backslashreplace", timeout=60)


def one_line(result, status=1):
    assert result.returncode == status, result
    assert result.stderr.startswith("hearth: ") and result.stderr.count("\n") == 1, result
    return result.stderr


@pytest.mark.parametrize("to", [">/dev/full", ">&-"])
@pytest.mark.parametrize("command", ["run sum \"$1\" --json", "operations", "--help",
                                     "local --workers 1", "coordinator --json"])
def test_an_answer_that_is_not_taken_is_no_success(small, command, to):
    assert "standard output" in one_line(in_shell(f"\"$0\" {command} {to}", small))


@pytest.mark.parametrize("command", [["local", "--workers", "1"], ["coordinator"], ["worker"]], ids=" ".join)
def test_a_ready_line_that_nobody_can_read_ends_what_is_ready(command):
    """A cluster ran on that nobody knew the address of; a coordinator died of SIGPIPE."""
    with Server("coordinator") as server:
        more = ["--coordinator", server.address] if command == ["worker"] else []
        reading, writing = os.pipe()
        os.close(reading)
        process = subprocess.Popen([BINARY, *command, *more], stdout=writing, stderr=subprocess.PIPE,
                                   text=True)
        os.close(writing)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1 and err.count("\n") == 1, err
    assert err.startswith(f"hearth: start hearth {command[0]}: standard output"), err
    assert "> FILE" in err and "-o" not in err, err


def test_a_reader_who_leaves_after_the_ready_line_ends_nothing():
    process = start("local", "--workers", "1")
    assert process.stdout.readline().startswith("ready ")
    process.stdout.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130 and process.stderr.read() == ""
    process.stderr.close()


def test_an_answer_that_is_not_taken_says_where_the_result_is(small, tmp_path):
    """It advised -o FILE, which had been given."""
    line = one_line(in_shell("\"$0\" run sum \"$1\" -o \"$2\" >&-", small, tmp_path / "out.npy"))
    assert f"the result itself is in {tmp_path}/out.npy" in line and "-o FILE" not in line, line
    assert np.load(tmp_path / "out.npy") == 66


def test_a_reader_that_has_enough_is_no_failure(small):
    result = in_shell("\"$0\" operations | head -n 1; exit ${PIPESTATUS[0]}")
    assert result.returncode in (0, 128 + signal.SIGPIPE) and result.stderr == "", result


@pytest.mark.parametrize("seed", ["-1", str(2**64), "9" * 23, "x"])
def test_a_seed_that_is_no_64_bits_is_status_2(tmp_path, seed):
    fail("make", tmp_path / "x.npy", "--shape", 3, "--seed", seed, status=2)
    assert not (tmp_path / "x.npy").exists()


@pytest.mark.parametrize("options", [["--offset", 10**20], ["--offset", 3], ["--order", "F"],
                                     ["--shape", "12"], ["-o", ""]])
def test_options_that_do_not_apply_are_status_2(small, options):
    fail("run", "sum", small, *options, status=2)


def test_what_make_can_not_do_is_status_2(tmp_path):
    fail("make", tmp_path / "x.npy", "--shape", 3, "--dtype", ">f8", status=2)
    fail("make", tmp_path / "x.npy", "--shape", 3, "--replicas", 2, status=2)
    assert not (tmp_path / "x.npy").exists()


def test_ctrl_c_in_a_command_without_a_cluster_is_status_130(tmp_path):
    target = tmp_path / "large.npy"
    process = start("make", target, "--shape", "400000,1000")
    # Its own handler stands from here on: before, it is the loader's time.
    wait_until(lambda: any(tmp_path.name in link for link in open_files(process.pid)), 20,
               "its file")
    process.send_signal(signal.SIGINT)
    result = finish(process, 20)
    assert result.status == 130 and result.out == "", result
    assert "hearth: make " in result.err and "interrupted; run it again" in result.err, result
    assert list(tmp_path.iterdir()) == []


def open_files(pid):
    links = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            links.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except OSError:
            pass
    return links


@pytest.mark.parametrize("limit, says", [("-v 100000", "ulimit -v"), ("-n 64", "ulimit -n")])
def test_a_limit_that_is_too_small_is_named(small, limit, says):
    assert says in one_line(in_shell(f"ulimit {limit}; exec \"$0\" run sum \"$1\"", small))


def test_a_file_beyond_the_largest_is_an_error(tmp_path):
    line = in_shell("ulimit -f 100; exec \"$0\" make \"$1\" --shape 100000", tmp_path / "x.npy")
    assert "ulimit -f" in one_line(line)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_no_text_is_a_name(small, tmp_path):
    other = str(tmp_path).encode() + b"/bad\xff.npy"
    with open(other, "wb") as file:
        file.write(small.read_bytes())
    result = subprocess.run([os.fsencode(BINARY), b"run", b"sum", other], capture_output=True, timeout=60)
    assert (result.returncode, result.stdout.strip()) == (0, b"66"), result
    result = subprocess.run([os.fsencode(BINARY), b"run", b"sum", other + b"\x1b[31m.npy"],
                            capture_output=True, timeout=60)
    assert result.returncode == 1 and b"\x1b" not in result.stderr, result
    assert b"bad\\xff" in result.stderr and result.stderr.count(b"\n") == 1, result


def columns_of(text):
    """What wcwidth says."""
    return sum(0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1
               for one in text)


def test_wide_names_fit_80_columns(small):
    """Each character counted as one column."""
    with (tempfile.TemporaryDirectory(prefix="数据" * 20) as folder,
          Server("local", "--workers", "1") as local):
        wide = pathlib.Path(folder) / ("e\u0301" * 20 + ".npy")
        shutil.copy(small, wide)
        local.succeed("put", "m", wide)
        local.succeed("run", "sum", wide)
        for command in (["ls"], ["jobs"], ["info", "m"]):
            out = run(*command, cluster=local.address).out
            assert "数据" in out and max(map(columns_of, out.splitlines())) <= 80, out


def test_a_newline_in_a_files_name_breaks_no_line(small, tmp_path):
    """`info` printed it as it was, and an error line had a space there."""
    odd = tmp_path / "two\nlines.npy"
    shutil.copy(small, odd)
    with Server("local", "--workers", "1") as local:
        local.succeed("put", "m", odd)
        assert "two?lines.npy" in "".join(run("info", "m", cluster=local.address).out.split())
        assert "no\\nsuch" in local.fail("run", "sum", tmp_path / "no\nsuch.npy")
        assert "no\\nsuch" in local.fail("ls", "no\nsuch", status=2)


def on_a_terminal(*arguments, cluster=None):
    """What a command writes to a terminal that is its standard output."""
    ours, theirs = os.openpty()
    process = subprocess.Popen([BINARY, *map(str, arguments)], stdout=theirs, stderr=subprocess.PIPE,
                               env=environment(cluster))
    os.close(theirs)
    out = b""
    with contextlib.suppress(OSError):  # EIO: nobody has the other end any more
        while part := os.read(ours, 4096):
            out += part
    os.close(ours)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    return out


def test_names_do_not_draw_on_a_terminal(small, tmp_path):
    odd = tmp_path / "a\x1b[31mb.npy"
    assert b"\x1b" not in on_a_terminal("run", "sum", small, "-o", odd) and odd.exists()
    assert b"a\\x1b[31mb.npy" in on_a_terminal("run", "sum", small, "-o", odd)
    with Server("local", "--workers", "1") as local:
        local.succeed("put", "m", small)
        assert b"a\\x1b[31mb.npy" in on_a_terminal("get", "m", "-o", odd, cluster=local.address)
        assert run("get", "m", "-o", odd, cluster=local.address).out.startswith(str(odd))


def test_a_link_that_leads_nowhere_stays_one(small, tmp_path):
    link, target = tmp_path / "link.npy", tmp_path / "target.npy"
    link.symlink_to(target.name)
    succeed("run", "sum", small, "axis=0", "-o", link)
    assert link.is_symlink() and np.load(target).tolist() == [12, 15, 18, 21]


def test_what_is_no_file_is_status_1(small, tmp_path):
    (tmp_path / "folder.npy").mkdir()
    fail("run", "sum", small, "-o", tmp_path / "folder.npy")
    fail("run", "sum", small, "-o", tmp_path / ("x" * 300 + ".npy"))
