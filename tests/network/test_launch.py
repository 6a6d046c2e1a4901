"""hearth up, status and down, over a real ssh to three hosts."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from hearth_process import ROOT, assert_one_error_line, finish, wait_until
from ssh_hosts import BINARY, Launcher, SshLab, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "there is an sshd")


@pytest.fixture(scope="module")
def lab(hosts, tmp_path_factory):
    lab = SshLab(hosts, tmp_path_factory.mktemp("ssh lab"))
    with lab.stack:
        lab.add("bare", hosts[2], port=2223, hidden=str(BINARY.parent), shell="/bin/dash",
                extra="SetEnv PATH=/mnt/old:/usr/bin:/bin")
        lab.add("noisy", hosts[1], port=2225,
                bashrc="seq 1000\nprintf 'no newline at the end'\necho on stderr >&2\n")
        lab.add("stuck", hosts[1], port=2224, extra="ForceCommand sleep 1000")
        lab.alias("wrongkey", "node2", f"IdentityFile \"{lab.folder}/stranger\"")
        lab.alias("unknownkey", "node2", "UserKnownHostsFile /dev/null")
        lab.alias("full", "node2", "SetEnv XDG_RUNTIME_DIR=/run/full")
        gone = hosts[2].address.rpartition(".")[0] + ".99"
        lab.config.append(f"Host gone\n  HostName {gone}\n")
        old = lab.folder / "bare/old/hearth"
        old.parent.mkdir()
        old.write_text("#!/bin/sh\necho hearth 0.0.9\n")
        old.chmod(0o755)
        (lab.folder / "ssh config").write_text("".join(lab.config))
        yield lab


@pytest.fixture
def launcher(lab, tmp_path):
    launcher = Launcher(lab, tmp_path)
    yield launcher
    for record in launcher.records():
        launcher.run("down", record.stem)
    try:
        nothing_left(lab)
    finally:
        for host in lab.hosts.values():  # whatever went wrong, the next test begins afresh
            host.inside("pkill", "-9", "hearth")
            host.inside("sh", "-c", "rm -rf /tmp/* /run/hearth-* /run/full/*")


def cluster_of(up):
    """Words that name the cluster of an `up`."""
    return ("--cluster", up["address"])


def nothing_left(lab, *names):
    """On the hosts of these names, on all without; what has ended may take a while to be gone."""
    def left():
        return {name: found for name, found in lab.left().items()
                if (name in names if names else name != "stuck")}

    try:
        wait_until(lambda: not left(), 30)
    except AssertionError:
        raise AssertionError(f"left after 30 s: {left()}") from None


# Each host has a /tmp of its own: a binary of a checkout in there is not seen.
FROM_WHERE = "brought" if str(BINARY).startswith("/tmp/") else "there"


def test_six_workers_on_three_hosts_compute_and_leave_nothing(lab, launcher):
    hosts = launcher.hosts_file("node1 workers=2", "node2 workers=2 # comment", "",
                                "node3 workers=2 memory=1GiB")
    launcher.succeed("security", "init")
    began = time.monotonic()
    up = launcher.succeed("up", "--hosts", hosts)
    seconds = time.monotonic() - began
    print(f"six workers on three hosts, ready after {seconds:.2f} s")
    assert seconds < 60
    assert up["address"].startswith(f"{lab.client.address}:")
    assert [(host["host"], host["state"], host["workers"], host["coordinator"], host["binary"])
            for host in up["hosts"]] == [("node1", "ready", 2, True, FROM_WHERE),
                                         ("node2", "ready", 2, False, FROM_WHERE),
                                         ("node3", "ready", 2, False, FROM_WHERE)]
    workers = launcher.succeed("workers", *cluster_of(up))["workers"]
    assert [worker["state"] for worker in workers] == ["ready"] * 6
    assert len({worker["address"].rpartition(":")[0] for worker in workers}) == 3

    launcher.succeed("make", "m", "--shape", "200000,8", *cluster_of(up))
    counted = launcher.succeed("run", "count_nonzero", "m", *cluster_of(up))
    assert counted["result"]["values"] == 1_600_000

    status = launcher.succeed("status")
    assert status["address"] == up["address"] and status["coordinator"]["answers"]
    assert [(host["state"], host["workers"]) for host in status["hosts"]] == [
        ("up", {"ready": 2, "asked": 2})] * 3
    printed = launcher.run("status")
    assert printed.status == 0 and printed.err == ""
    assert max(map(len, printed.out.splitlines())) <= 80, printed

    began = time.monotonic()
    down = launcher.succeed("down")
    print(f"down after {time.monotonic() - began:.2f} s")
    assert [host["state"] for host in down["hosts"]] == ["down"] * 3
    nothing_left(lab)
    assert launcher.record_files() == []


def test_what_up_prints_is_enough_for_a_shell(lab, launcher):
    hosts = launcher.hosts_file("node2 workers=1", "node3 workers=1")
    result = launcher.run("up", "--hosts", hosts)
    assert result.status == 0 and result.err == "", result
    assert re.search(r"^node3  ready  1 worker(, binary brought)?$", result.out, re.M), result
    assert re.search(rf"^ready {lab.hosts['node2'].host.address}:\d+$", result.out, re.M), result
    exports = "".join(re.findall(r"^export .*\n", result.out, re.M))
    listed = subprocess.run(
        [*lab.client.within, "sh", "-ec", f"{exports}\n\"$0\" workers --json", BINARY],
        env=launcher.env, capture_output=True, text=True, check=True)
    assert len(json.loads(listed.stdout)["workers"]) == 2


def test_insecure_goes_without_credentials(lab, launcher, tmp_path):
    up = launcher.succeed("up", "--insecure", "--hosts", launcher.hosts_file("node1 workers=1"),
                          HEARTH_TLS_DIR="")
    assert up["tls_dir"] is None and not (tmp_path / "tls").exists()
    assert len(launcher.succeed("workers", "--insecure", *cluster_of(up),
                                HEARTH_TLS_DIR="")["workers"]) == 1
    assert launcher.succeed("status", HEARTH_TLS_DIR="")["coordinator"]["answers"]


def test_keys_reach_a_host_closed_to_others(lab, launcher):
    launcher.succeed("up", "--hosts", launcher.hosts_file("node3 workers=1"))
    node = lab.hosts["node3"]
    found = node.inside("sh", "-c", "stat -c '%a %n' /tmp/hearth-0-*/tls/* /tmp/hearth-0-*")
    modes = {line.split("/")[-1]: line.split()[0] for line in found.splitlines()}
    assert modes.pop("node.key") == "600" and modes.pop("ca.pem") == "644"
    assert modes.pop("node.pem") == "644"
    assert set(modes.values()) == {"700"} and len(modes) == 1, "no ca.key, one directory"
    assert "PRIVATE" not in node.inside("ps", "-eo", "args")


@pytest.mark.parametrize("host, says", [
    ("wrongkey", "Permission denied"),
    ("unknownkey", "host key is not known"),
    ("gone", "unreachable"),
    ("full", "No space left on device"),
])
def test_a_host_that_cannot_is_named_and_the_others_come_up(lab, launcher, host, says):
    for lines, coordinator in ((["node1 workers=1", host], "node1"),
                               ([host, "node3 workers=1"], "node3")):
        began = time.monotonic()
        result = launcher.run("up", "--hosts", launcher.hosts_file(*lines), "--json")
        seconds = time.monotonic() - began
        assert result.status == 1 and result.err.count("\n") == 1, result
        assert result.err.startswith("hearth: ") and host in result.err, result
        assert says in result.err and ";" in result.err, result
        states = {entry["host"]: (entry["state"], entry["coordinator"])
                  for entry in result.json["hosts"]}
        assert states == {host: ("failed", False), coordinator: ("ready", True)}
        print(f"up without {host} after {seconds:.2f} s")
        assert seconds < 60
        assert len(launcher.succeed("workers", *cluster_of(result.json))["workers"]) == 1
        status = launcher.succeed("status")
        assert {entry["host"]: entry["state"] for entry in status["hosts"]}[coordinator] == "up"
        launcher.succeed("down")
        assert launcher.record_files() == []
        nothing_left(lab)


def test_where_no_host_comes_up_there_is_one_line(lab, launcher):
    result = launcher.run("up", "--hosts", launcher.hosts_file("wrongkey", "gone"))
    assert result.status == 1
    assert_one_error_line(result)
    assert "wrongkey: " in result.err and "gone: " in result.err, result
    assert launcher.record_files() == []


def test_the_binary_is_brought_where_it_is_missing_or_another(lab, launcher):
    up = launcher.succeed("up", "--hosts", launcher.hosts_file("node1 workers=1", "bare workers=1"))
    assert up["hosts"][1]["binary"] == "brought"
    assert up["hosts"][1]["found"] == "hearth 0.0.9 at /mnt/old/hearth"
    assert launcher.succeed("status")["hosts"][1]["version"] != "0.0.9"
    assert len(launcher.succeed("workers", *cluster_of(up))["workers"]) == 2


def test_a_library_that_is_missing_there_is_named(lab, launcher, tmp_path):
    if shutil.which("cc") is None:
        pytest.skip("no C compiler to make a library with")
    (tmp_path / "gone.c").write_text("int gone(void) { return 0; }\n")
    (tmp_path / "hearth.c").write_text("int gone(void); int main(void) { return gone(); }\n")
    for command in (["cc", "-shared", "-fPIC", "-o", "libgone.so.7", "-Wl,-soname,libgone.so.7",
                     "gone.c"],
                    ["cc", "-o", "hearth", "hearth.c", "./libgone.so.7"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    result = launcher.run("up", "--hosts", launcher.hosts_file("node1"),
                          HEARTH_BINARY=str(tmp_path / "hearth"))
    assert result.status == 1
    assert_one_error_line(result)
    assert "libgone.so.7" in result.err and "install-dependencies.sh" in result.err, result


def test_greetings_of_a_login_shell_do_no_harm(lab, launcher):
    up = launcher.succeed("up", "--hosts", launcher.hosts_file("noisy workers=1"))
    assert up["hosts"][0]["state"] == "ready"
    assert launcher.succeed("status")["hosts"][0]["state"] == "up"


@pytest.mark.slow
def test_a_host_that_hangs_after_login_is_given_up(lab, launcher):
    began = time.monotonic()
    result = launcher.run("up", "--hosts", launcher.hosts_file("stuck", "node1 workers=1"))
    assert result.status == 1 and "stuck: it did not answer" in result.err, result
    assert time.monotonic() - began < 25
    launcher.succeed("down")


@pytest.mark.parametrize("seconds", [
    0.05, 0.35, 0.8, *(pytest.param(seldom, marks=pytest.mark.slow)
                       for seldom in (0.2, 0.5, 0.65, 1.0, 1.3))])
def test_a_killed_up_leaves_nothing_that_down_does_not_find(lab, launcher, seconds):
    hosts = launcher.hosts_file("node1 workers=1", "bare workers=1", "node2 workers=2")
    process = launcher.start("up", "--hosts", hosts)
    time.sleep(seconds)  # the moment is what this test is about
    process.send_signal(signal.SIGKILL)
    finish(process)
    launcher.succeed("down", "--hosts", hosts)
    nothing_left(lab)
    assert launcher.record_files() == []


def test_after_a_killed_up_the_next_one_clears_up(lab, launcher):
    hosts = launcher.hosts_file("node1 workers=1", "node2 workers=1")
    process = launcher.start("up", "--hosts", hosts)
    wait_until(launcher.records)
    time.sleep(0.6)
    process.kill()
    finish(process)
    up = launcher.succeed("up", "--hosts", hosts)
    assert len(launcher.record_files()) == 1
    assert len(launcher.succeed("workers", *cluster_of(up))["workers"]) == 2
    again = launcher.run("up", "--hosts", hosts)
    assert again.status == 1 and "is up on these hosts" in again.err, again


def test_down_finds_a_cluster_without_its_record(lab, launcher):
    hosts = launcher.hosts_file("node1 workers=1", "node3 workers=1")
    launcher.succeed("up", "--hosts", hosts)
    for record in launcher.records():
        record.unlink()
    # Something cleaned one of the directories away, too.
    lab.hosts["node3"].inside("sh", "-c", "rm -rf /tmp/hearth-0-*")
    # Not of a cluster, by its name or by what is in it.
    own = ["/tmp/hearth-0-precious", "/tmp/hearth-0-0123456789ab", "/tmp/hearth-0-0123456789ab.bak"]
    lab.hosts["node1"].inside("sh", "-c", f"mkdir {' '.join(own)} && touch {own[0]}/version "
                              f"{own[1]}/notes {own[2]}/version")
    launcher.succeed("down", "--hosts", hosts)
    assert lab.hosts["node1"].inside("sh", "-c", "ls -d /tmp/hearth-*").split() == sorted(own)
    lab.hosts["node1"].inside("rm", "-r", *own)
    nothing_left(lab)


def test_interrupted_up_takes_down_what_it_started(lab, launcher):
    hosts = launcher.hosts_file("node1 workers=1", "stuck", "node2 workers=1")
    process = launcher.start("up", "--hosts", hosts)
    wait_until(lambda: any("worker" in line for line in lab.hosts["node2"].processes()), 60)
    os.kill(process.pid, signal.SIGINT)
    result = finish(process)
    assert result.status == 130 and result.err.count("\n") == 1, result
    nothing_left(lab)


def test_the_cluster_outlives_its_launchers_session(lab, launcher):
    up = launcher.succeed("up", "--hosts", launcher.hosts_file("node1 workers=1"))
    assert not any("-o BatchMode" in line for line in lab.hosts["node1"].processes())
    time.sleep(0.5)
    assert len(launcher.succeed("workers", *cluster_of(up))["workers"]) == 1


def test_an_unreachable_host_keeps_the_record_for_another_down(lab, launcher):
    launcher.succeed("up", "--hosts", launcher.hosts_file("node1 workers=1", "node3 workers=1"))
    with contextlib.ExitStack() as stack:
        lab.hosts["node3"].host.plug("down")
        stack.callback(lab.hosts["node3"].host.plug, "up")
        status = launcher.succeed("status")
        assert [host["state"] for host in status["hosts"]] == ["up", "unreachable"]
        result = launcher.run("down")
        assert result.status == 1 and "node3: unreachable" in result.err, result
        assert "down again" in result.err and len(launcher.record_files()) == 1
        nothing_left(lab, "node1")
    launcher.succeed("down")
    assert launcher.record_files() == []


@pytest.mark.parametrize("line, says", [
    ("-oProxyCommand=touch${IFS}owned", "dash"),
    ("$(touch owned)", "no name of a host"),
    ("node1;touch", "no name of a host"),
    ("node1 workers=many", "workers"),
    ("node1 workers=0", "workers"),
    ("node1 memory=much", "much"),
    ("node1 memory=1G;touch", "1G;touch"),
    ("node1 address=`touch`", "address"),
    ("node1 colour=red", "colour=red"),
    ("node9\nnode9", "node9 stands in line 1"),
])
def test_a_bad_line_is_status_2_and_nothing_starts(launcher, line, says):
    result = launcher.run("up", "--hosts", launcher.hosts_file(line))
    assert result.status == 2
    assert_one_error_line(result)
    assert says in result.err and re.search(r"line \d", result.err), result
    assert launcher.record_files() == [] and not os.path.exists("owned")


def test_fifty_hosts_are_taken_a_few_at_a_time(launcher):
    names = [f"gone{number}" for number in range(50)]
    result = launcher.run("up", "--hosts", launcher.hosts_file(*names))
    assert result.status == 1
    assert_one_error_line(result)
    assert result.err.count("no such host is known") == 50, result


def test_the_lines_of_the_readme_do_what_they_say(lab, launcher, tmp_path):
    readme = (ROOT / "README.md").read_text()
    block = next(code for code in re.findall(r"^```sh\n(.*?)^```$", readme, re.M | re.S)
                 if "hearth up" in code)
    env = {**launcher.env, "PATH": f"{BINARY.parent}:{os.environ['PATH']}"}
    ran = subprocess.run([*lab.client.within, "bash", "-euo", "pipefail", "-c", block], check=False,
                         cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0 and ran.stderr == "", ran
    assert np.load(tmp_path / "gram.npy").shape == (64, 64)
    assert launcher.record_files() == []
    nothing_left(lab)


@pytest.mark.slow
def test_an_address_that_others_do_not_reach_is_named(lab, launcher):
    hosts = launcher.hosts_file("node1 workers=1 address=127.0.0.1", "node2 workers=1")
    began = time.monotonic()
    result = launcher.run("up", "--hosts", hosts, "--json")
    print(f"an address that is not reached: {time.monotonic() - began:.1f} s")
    assert result.status == 1 and result.err.count("\n") == 1, result
    assert "node2: its workers did not start" in result.err, result
    assert [host["state"] for host in result.json["hosts"]] == ["ready", "failed"]
    nothing_left(lab, "node2")


def test_a_coordinator_that_cannot_listen_moves_on(lab, launcher):
    hosts = launcher.hosts_file("node1 workers=1 address=192.0.2.1", "node2 workers=1")
    result = launcher.run("up", "--hosts", hosts, "--json")
    assert result.status == 1 and "node1: its coordinator did not start" in result.err, result
    assert [host["coordinator"] for host in result.json["hosts"]] == [False, True]
    nothing_left(lab, "node1")


def test_an_address_with_a_port_is_the_coordinators(lab, launcher):
    own = lab.hosts["node1"].host.address
    up = launcher.succeed("up", "--hosts",
                          launcher.hosts_file(f"node1 workers=2 address={own}:7321",
                                              "node2 workers=1"))
    assert up["address"] == f"{own}:7321"
    assert len(launcher.succeed("workers", *cluster_of(up))["workers"]) == 3
