"""local, coordinator and worker: ready lines, Ctrl-C, and what is left behind."""

import os
import signal
import time
import uuid

import numpy as np
import pytest

from hearth_process import (Server, alive, assert_one_error_line, environment, fail, finish, run,
                            start, succeed, wait_until)


def test_the_ready_line_of_a_local_cluster(tmp_path):
    env = environment(TMPDIR=tmp_path)
    with Server("local", "--workers", "3", env=env) as local:
        assert set(local.ready) == {"address", "pid", "pids"}
        assert local.pids[0] == local.ready["pid"] == local.process.pid
        assert len(local.pids) == len(set(local.pids)) >= 4
        assert all(map(alive, local.pids))
        workers = local.succeed("workers")["workers"]
        assert len(workers) == 3
        assert [worker["state"] for worker in workers] == ["ready"] * 3
        assert os.listdir(tmp_path) == [], "a local cluster creates no file"
        pids = local.pids
    wait_until(lambda: not any(map(alive, pids)), 10, "the end of all processes")
    assert os.listdir(tmp_path) == []


def test_the_ready_line_for_people():
    process = start("local", "--workers", "1")
    line = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    result = finish(process, 20)
    assert line.startswith("ready ") and line.count(" ") == 1, line
    assert result.out == "" and result.status in (0, 130), result


def test_v_tells_what_happens_and_without_it_there_is_no_log(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(4.0))
    for verbose in (["-v"], []):
        process = start("local", "--workers", "1", *verbose)
        address = process.stdout.readline().split()[1]
        asked = [run("put", "m\x1b", tmp_path / "a.npy", *verbose, cluster=address),
                 run("put", "m", tmp_path / "a.npy", *verbose, cluster=address),
                 run("run", "sum", "m", *verbose, cluster=address),
                 run("run", "sum", "m", "axis=3", *verbose, cluster=address)]
        process.send_signal(signal.SIGINT)
        log = finish(process, 20).err
        if not verbose:
            assert log == "" and asked[2].err == "" and len(asked[3].err.splitlines()) == 1
            continue
        assert f"connected to {address}" in asked[2].err and "submitted sum as j1" in asked[2].err
        for told in ("works for ", "w1 is ready, process ", 'matrix "m", float64 (4,)', 'j1: sum of "m"',
                     "j1: done after ", "w1 is lost"):
            assert told in log, (told, log)
        assert all(line.split(" ")[1] == "hearth" for line in log.splitlines()), log


def test_memory_is_a_limit_for_matrices():
    with Server("local", "--workers", "1", "--memory", "64MiB") as local:
        local.succeed("make", "small", "--shape", "4000000")
        line = local.fail("make", "large", "--shape", "40000000", status=1)
        assert "64" in line, line
        local.succeed("rm", "small")


def test_memory_is_looked_at_before_a_copy(tmp_path):
    """A matrix there is no room for costs neither its time nor its memory."""
    path = tmp_path / "large.npy"
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (2**30,)})
        file.truncate(file.tell() + 8 * 2**30)
    with Server("local", "--workers", "1", "--memory", "64MiB") as local:
        before = os.times()
        line = local.fail("put", "large", path, "--copy", status=1)
        after = os.times()
        assert "64" in line and after.elapsed - before.elapsed < 10, line
        busy = after.children_user + after.children_system
        assert busy - before.children_user - before.children_system < 1
        assert local.succeed("ls")["matrices"] == []


def test_sigterm_ends_a_local_cluster():
    with Server("local", "--workers", "2") as local:
        local.process.send_signal(signal.SIGTERM)
        result = finish(local.process, 20)
        assert result.status in (0, 130, 143), result
        wait_until(lambda: not any(map(alive, local.pids)), 10)
        local.killed = True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_a_local_cluster_whose_coordinator_is_killed_fails_and_says_so(number):
    """Its status was 128 and the signal: that of a process which a signal ended."""
    with Server("local", "--workers", "1") as local:
        os.kill(local.pids[1], number)
        result = finish(local.process, 20)
        assert result.status == 1, result
        assert_one_error_line(result)
        assert "coordinator" in result.err and number.name in result.err, result
        assert "start it again" in result.err, result
        local.killed = True


def test_how_a_worker_ended_stands_in_the_list_whole():
    """The column was cut before the signal, and w2 was called worker 0."""
    with Server("local", "--workers", "2") as local:
        ended = {worker["pid"]: worker["id"] for worker in local.succeed("workers")["workers"]}
        pid = local.pids[2]
        os.kill(pid, signal.SIGKILL)
        story = wait_until(lambda: next((worker["ended"] for worker in local.succeed("workers")["workers"]
                                         if worker["pid"] == pid), None), 10, "its story")
        assert story.startswith(f"worker {ended[pid]} (pid {pid}) was killed by signal 9 (SIGKILL)"), story
        out = run("workers", cluster=local.address).out
        assert f"\n{ended[pid]}  was killed by signal 9 (SIGKILL) after " in out
        assert max(map(len, out.splitlines())) <= 80, out


def test_a_lost_worker_can_not_be_drained_and_the_line_says_how_it_was_lost():
    with Server("local", "--workers", "2") as local:
        local.succeed("drain", "w1")
        line = local.fail("drain", "w1")
        assert "drain w1: it is lost (drained" in line and "no such worker" not in line, line
        assert "no such worker" in local.fail("drain", "w77")


def test_what_needs_a_worker_waits_for_the_first():
    """A job waited for it, and make and put refused at once, as "put"."""
    with Server("coordinator") as coordinator:
        making = coordinator.start("make", "m", "--shape", "1000")
        with Server("worker", "--coordinator", coordinator.address):
            assert finish(making).status == 0
            assert "1 is ready" in coordinator.fail("make", "n", "--shape", "10", "--replicas", "2")
        wait_until(lambda: all(worker["state"] == "lost"
                               for worker in coordinator.succeed("workers")["workers"]), 10)
        line = coordinator.fail("make", "n", "--shape", "10")
        assert 'make "n": ' in line and "start workers" in line and "1 replicas" not in line, line


def test_a_job_that_is_cancelled_or_loses_its_coordinator_says_what_to_do(tmp_path):
    with Server("local", "--workers", "1") as local:
        local.succeed("make", "m", "--shape", "4000,4000")
        for end, says in (("cancel", "was cancelled; run it again"), ("kill", "start it again")):
            process = local.start("run", "gram", "m", "-o", tmp_path / "x.npy")
            job = wait_until(lambda: next((job["id"] for job in local.succeed("jobs")["jobs"]
                                           if job["state"] == "running"), None), 20, "the job")
            if end == "cancel":
                local.succeed("cancel", job)
            else:
                os.kill(local.pids[1], signal.SIGKILL)
            result = finish(process, 60)
            assert result.status == 1 and says in result.err, result
        finish(local.process, 20)
        local.killed = True


def test_ctrl_c_says_what_it_interrupted():
    with Server("coordinator") as coordinator:
        process = coordinator.start("make", "m", "--shape", "1000")  # waits for a worker
        time.sleep(1)  # its handler is its own from its first moments on
        process.send_signal(signal.SIGINT)
        result = finish(process, 20)
        assert result.status == 130 and result.err == "hearth: make m: interrupted; run it again\n", result


def test_a_coordinator_and_workers_of_their_own(square):
    address = f"unix-abstract:hearth-test-{uuid.uuid4().hex}"
    with Server("coordinator", "--listen", address) as coordinator:
        assert coordinator.address == address
        assert coordinator.pids == [coordinator.process.pid]
        with Server("worker", "--coordinator", address, "--workers", "2") as worker:
            assert len(worker.pids) >= 3 and worker.pids[0] == worker.process.pid
            assert len(coordinator.succeed("workers")["workers"]) == 2
            answer = coordinator.succeed("run", "sum", square)
            assert answer["result"]["values"] == 15.0
            pids = worker.pids
        wait_until(lambda: not any(map(alive, pids)), 10)
        wait_until(lambda: all(each["state"] == "lost" for each in
                               coordinator.succeed("workers")["workers"]), 10)


def test_a_worker_without_a_coordinator_is_an_error():
    result = run("worker", "--coordinator", "unix-abstract:hearth-nobody-listens", timeout=60)
    assert result.status == 1, result
    assert_one_error_line(result)


def test_an_address_that_is_taken_is_an_error():
    address = f"unix-abstract:hearth-test-{uuid.uuid4().hex}"
    with Server("coordinator", "--listen", address):
        result = run("coordinator", "--listen", address, timeout=30)
        assert result.status == 1, result
        assert_one_error_line(result)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["coordinator", "local"])
def test_a_socket_file_goes_with_its_process(tmp_path, monkeypatch, command, how):
    """It stayed; and a relative path was printed as it was typed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below").mkdir()
    arguments = [command, "--listen", "unix:below/../a.sock"]
    if command == "local":
        arguments += ["--workers", "1"]
    with Server(*arguments) as server:
        assert server.address == f"unix:{tmp_path}/a.sock"
        assert run("ls", cluster=server.address, cwd="/").status == 0
        line = fail(*arguments, timeout=20)
        assert "another process does already" in line, line
        assert run("ls", cluster=server.address).status == 0, "the second one took it away"
        server.process.send_signal(how)
        finish(server.process, 20)
    assert os.listdir(tmp_path) == ["below"]


def test_a_socket_file_that_a_killed_process_left_is_in_nobodys_way(tmp_path):
    with Server("coordinator", "--listen", f"unix:{tmp_path}/a.sock") as first:
        first.process.kill()
        first.killed = True
    assert os.listdir(tmp_path) == ["a.sock"]
    with Server("coordinator", "--listen", f"unix:{tmp_path}/a.sock") as second:
        assert run("ls", cluster=second.address).status == 0
    assert os.listdir(tmp_path) == []
    (tmp_path / "a.sock").write_text("no socket")
    fail("coordinator", "--listen", f"unix:{tmp_path}/a.sock", timeout=20)
    assert (tmp_path / "a.sock").read_text() == "no socket"


def test_a_worker_prints_the_coordinators_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Server("coordinator", "--listen", "unix:a.sock") as coordinator:
        with Server("worker", "--coordinator", "unix:./a.sock", "--workers", "1") as worker:
            assert worker.address == coordinator.address == f"unix:{tmp_path}/a.sock"


@pytest.mark.parametrize(("arguments", "says"), [
    (["coordinator", "--listen", "192.0.2.77:0", "--insecure"], "no address of this host"),
    (["local", "--listen", "192.0.2.77:0", "--insecure"], "no address of this host"),
    (["coordinator", "--listen", "no-such-host.invalid:0", "--insecure"], "give an address of this"),
    (["coordinator", "--http", "192.0.2.77:0", "--insecure"], "no address of this host"),
    (["coordinator", "--listen", "unix:/nonexistent/s"], "folder that is there"),
    (["local", "--listen", "unix:/nonexistent/s"], "folder that is there"),
    (["coordinator", "--state-dir", "/proc/nonexistent"], "another --state-dir"),
    (["coordinator", "--state-dir", "/etc/passwd"], "another --state-dir"),
], ids=" ".join)
def test_what_this_host_can_not_listen_at_is_status_1(arguments, says):
    """The address is well said; it is the host that has it not."""
    line = fail(*arguments, status=1, timeout=20)
    assert says in line, line


def test_workers_whose_ports_would_pass_the_last_one_are_refused():
    """The one behind 65535 got a port of the system's choice."""
    arguments = ["worker", "--coordinator", "127.0.0.1:1", "--insecure", "--workers"]
    line = fail(*arguments, "3", "--listen", "127.0.0.1:65534", status=2, timeout=20)
    assert "no port for worker 3 of 3" in line, line
    with Server("coordinator", "--listen", "127.0.0.1:0", "--insecure") as coordinator:
        own = f"127.1.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"  # where nobody else listens
        with Server("worker", "--coordinator", coordinator.address, "--insecure", "--workers", "2",
                    "--listen", f"{own}:65534"):
            listed = run("workers", "--cluster", coordinator.address, "--insecure",
                         "--json").json["workers"]
    assert sorted(worker["address"][-5:] for worker in listed) == ["65534", "65535"]


def test_errors_of_memory_name_the_command_and_the_matrix(tmp_path):
    """They named a segment by 32 digits."""
    np.save(tmp_path / "large.npy", np.zeros((9_000_000, 1)))
    np.save(tmp_path / "tall.npy", np.ones((9_000_000, 2), "f4"))
    np.save(tmp_path / "v.npy", np.ones(2))
    np.save(tmp_path / "wide.npy", np.ones((4, 4000)))
    with Server("local", "--workers", "1", "--memory", "64MiB") as local:
        for begins, arguments in (
                ("make \"large\": hold ", ["make", "large", "--shape", "40000000"]),
                ("put \"large\": hold ", ["put", "large", "large.npy", "--copy"]),
                ("run matvec of \"", ["run", "matvec", "tall.npy", "v=v.npy"]),
                ("run gram of \"", ["run", "gram", "wide.npy", "-o", "o.npy"])):
            line = local.fail(*arguments, status=1, cwd=tmp_path)
            assert line.startswith(f"hearth: {begins}") and "--memory" in line, line
            assert arguments[2].partition(".")[0] in line or arguments[1] in line, line


def long_job(folder):
    path = folder / "long.npy"
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (250_000_000, 1000)})
        file.truncate(file.tell() + 2 * 10**12)
    return path


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("stopped", ["coordinator", "keeper", "all"])
def test_a_run_whose_own_cluster_hangs_ends_with_one_signal(tmp_path, stopped, how):
    process = start("run", "sum", long_job(tmp_path), "--workers", "2")
    children = wait_until(lambda: at_work(process.pid), 20, "its work")
    kinds = {"coordinator": b"coordinator", "keeper": b"local"}
    for pid in children:
        if stopped == "all" or kinds[stopped] in arguments_of(pid):
            os.kill(pid, signal.SIGSTOP)
            wait_until(lambda: state_of(pid) == "T", 10, "its standing still")
    process.send_signal(how)
    result = finish(process, 20)
    assert result.status == 130 and result.out == "" and result.err.count("\n") == 1, result
    wait_until(lambda: not any(map(alive, children)), 10, "the end of all processes")


def test_a_run_in_a_cluster_that_hangs_ends_with_one_signal(tmp_path):
    with Server("coordinator") as coordinator:
        with Server("worker", "--coordinator", coordinator.address, "--workers", "1"):
            process = coordinator.start("run", "sum", long_job(tmp_path))
            wait_until(lambda: coordinator.succeed("jobs")["jobs"], 10, "its job")
            os.kill(coordinator.process.pid, signal.SIGSTOP)
            wait_until(lambda: state_of(coordinator.process.pid) == "T", 10, "its standing still")
            try:
                process.send_signal(signal.SIGTERM)
                result = finish(process, 20)
            finally:
                os.kill(coordinator.process.pid, signal.SIGCONT)
            assert result.status == 130 and result.out == "", result
            assert_one_error_line(result)
            assert coordinator.address in result.err and "hearth jobs" in result.err, result
            [job] = coordinator.succeed("jobs")["jobs"]
            coordinator.succeed("cancel", job["id"])


def arguments_of(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().split(b"\0")[1:2]


def state_of(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0]


def at_work(pid):
    """The keeper, the coordinator and two workers below a process, once these compute: starting takes less."""
    below = descendants(pid) or []
    return below if len(below) >= 4 and sum(map(cpu_seconds_of, below)) > 1 else None


def cpu_seconds_of(pid):
    with open(f"/proc/{pid}/stat") as stat:
        user, system = stat.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("embedded", [True, False], ids=["embedded", "cluster"])
def test_ctrl_c_is_130_and_stops_the_job(cluster, tmp_path, embedded):
    path = long_job(tmp_path)
    address = None if embedded else cluster.address
    process = start("run", "sum", path, "--workers", "2", cluster=address)
    if embedded:
        children = wait_until(lambda: descendants(process.pid), 10, "the cluster's processes")
    else:
        wait_until(lambda: [job for job in cluster.succeed("jobs")["jobs"]
                            if job["matrix"] == str(path) and job["state"] == "running"], 20)
    process.send_signal(signal.SIGINT)
    result = finish(process, 5)
    assert result.status == 130, result
    assert result.out == "" and result.err.count("\n") <= 1, result
    if embedded:
        wait_until(lambda: not any(map(alive, children)), 10, "the end of all processes")
    else:
        wait_until(lambda: [job["state"] for job in cluster.succeed("jobs")["jobs"]
                            if job["matrix"] == str(path)] == ["cancelled"], 3)


def test_a_killed_embedded_client_takes_its_cluster_along(tmp_path):
    path = long_job(tmp_path)
    process = start("run", "sum", path, "--workers", "2", env=environment(TMPDIR=tmp_path))
    children = wait_until(lambda: descendants(process.pid), 10)
    process.kill()
    finish(process)
    wait_until(lambda: not any(map(alive, children)), 10, "the end of all processes")
    assert os.listdir(tmp_path) == ["long.npy"]


def test_a_second_embedded_run_is_not_disturbed(square):
    first = start("run", "sum", square, "--json")
    second = succeed("run", "sum", square)
    assert finish(first).json["result"] == second["result"]


def descendants(pid):
    """Everything below a process: at least three of them, or nothing."""
    from memory_probe import children_of
    below = children_of([pid]) - {pid}
    return below if len(below) >= 3 else None


def test_what_is_no_socket_and_lies_where_one_shall_be_is_named(tmp_path):
    (tmp_path / "a.sock").touch()
    line = fail("local", "--workers", "1", "--listen", f"unix:{tmp_path}/a.sock")
    assert "no socket" in line and "another process" not in line, line
    assert (tmp_path / "a.sock").is_file()
