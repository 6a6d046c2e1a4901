"""hearth up, status and down with an ssh that goes nowhere: it runs the command here.

tests/network/test_launch.py has the real one, and everything that goes wrong there.
"""

import json
import os
import shutil
import stat
import sys

import pytest

from hearth_process import BINARY, alive, environment, fail, run, start, finish, wait_until

SSH = """#!/bin/sh
while [ "$1" != -- ]; do shift; done
host=$2
shift 2
case $host in bad*) echo "$host: Permission denied (publickey)." >&2; exit 255 ;;
quick) exit 0 ;; silent) exec >&-; exec sleep 100 ;; esac
mkdir -p "{folder}/${{host%.lan}} it's"
XDG_RUNTIME_DIR="{folder}/${{host%.lan}} it's" SSH_CONNECTION="192.0.2.9 1 127.0.0.1 22" exec sh -c "$*"
"""


class Lab:
    def __init__(self, folder):
        self.folder = folder
        ssh = folder / "an ssh"
        ssh.write_text(SSH.format(folder=folder))
        ssh.chmod(0o700)
        self.env = environment(HEARTH_SSH=f"'{ssh}' -F 'a config'", HEARTH_TLS_DIR=folder / "tls",
                               XDG_STATE_HOME=folder / "a state")

    def hosts(self, *lines, name="hosts"):
        path = self.folder / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def run(self, *arguments, **variables):
        return run(*arguments, env={**self.env, **variables})

    def fail(self, *arguments, status=1, timeout=60, **variables):
        return fail(*arguments, status=status, timeout=timeout, env={**self.env, **variables})

    def succeed(self, *arguments):
        result = self.run(*arguments, "--json")
        assert result.status == 0 and result.err == "", result
        return result.json

    def records(self):
        return sorted((self.folder / "a state").glob("hearth/clusters/*.json"))

    def record_files(self):
        """And what is being written of them."""
        return list((self.folder / "a state").glob("hearth/clusters/*"))

    def on_hosts(self):
        return [path for host in self.folder.glob("node*") for path in host.iterdir()]


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path)
    yield lab
    for record in lab.records():
        lab.run("down", record.stem)
    assert lab.on_hosts() == []


needs_proc = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("setsid") is None, reason="hosts need setsid")


@needs_proc
def test_up_status_and_down(lab):
    up = lab.succeed("up", "--hosts", lab.hosts("node1 workers=2", "node2 workers=1"))
    assert [(host["host"], host["state"], host["workers"]) for host in up["hosts"]] == [
        ("node1", "ready", 2), ("node2", "ready", 1)]
    pids = [up["pid"], *up["hosts"][0]["pids"], *up["hosts"][1]["pids"]]
    assert len(set(pids)) == 6 and all(map(alive, pids))
    [record] = lab.records()
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert record.stem == up["id"] and "PRIVATE" not in record.read_text()
    assert json.loads(record.read_text())["address"] == up["address"]
    listed = lab.succeed("workers", "--cluster", up["address"])["workers"]
    assert [worker["state"] for worker in listed] == ["ready"] * 3

    status = lab.succeed("status")
    assert [host["workers"] for host in status["hosts"]] == [
        {"ready": 2, "asked": 2}, {"ready": 1, "asked": 1}]
    printed = lab.run("status")
    assert printed.status == 0 and max(map(len, printed.out.splitlines())) <= 80, printed

    down = lab.succeed("down")
    assert [host["state"] for host in down["hosts"]] == ["down", "down"]
    assert not any(map(alive, pids)) and lab.record_files() == [] and lab.on_hosts() == []
    assert lab.succeed("down") == {"hosts": []}


@needs_proc
def test_a_worker_that_crashed_is_not_counted_until_it_is_back(lab):
    up = lab.succeed("up", "--hosts", lab.hosts("node1 workers=2"))
    os.kill(up["hosts"][0]["pids"][1], 9)
    wait_until(lambda: lab.succeed("status")["hosts"][0]["workers"]["ready"] == 2
               and not alive(up["hosts"][0]["pids"][1]))


@needs_proc
def test_lines_for_people(lab):
    result = lab.run("up", "--hosts", lab.hosts("bad1", "node1 workers=1"))
    assert result.status == 1 and result.err.count("\n") == 1, result
    lines = result.out.splitlines()
    assert lines[:2] == [f"credentials made in {lab.folder}/tls",
                         'bad1  failed  ssh says "bad1: Permission denied (publickey)."; let it '
                         "take a key of yours without a password, as with ssh-copy-id"]
    assert lines[2] == "node1  ready  1 worker, coordinator"
    address = lines[3].removeprefix("ready ")
    assert lines[4:] == [f"export HEARTH_CLUSTER='{address}'"]  # HEARTH_TLS_DIR is set already
    down = lab.run("down")
    assert down.status == 0 and down.out == "node1  down\n" and down.err == "", down


@needs_proc
def test_the_variable_for_credentials_is_printed_where_it_is_needed(lab):
    result = lab.run("up", "--hosts", lab.hosts("node1 workers=1"), "--tls-dir",
                     lab.folder / "it's", HEARTH_TLS_DIR="")
    quoted = f"{lab.folder}/it'\\''s"
    assert result.out.endswith(f"export HEARTH_TLS_DIR='{quoted}'\n"), result


@needs_proc
def test_where_there_are_several_clusters_one_is_named(lab):
    first = lab.succeed("up", "--hosts", lab.hosts("node1 workers=1", name="one"))
    second = lab.succeed("up", "--hosts", lab.hosts("node2 workers=1", name="two"))
    for command in ("down", "status"):
        line = lab.fail(command)
        assert first["id"] in line and second["id"] in line, line
    assert lab.succeed("status", "--hosts", lab.folder / "two")["id"] == second["id"]
    assert lab.succeed("status", "--cluster", first["address"])["id"] == first["id"]
    lab.succeed("down", first["id"])
    assert [record.stem for record in lab.records()] == [second["id"]]


@needs_proc
def test_a_coordinator_stays_where_its_workers_fail(lab):
    hearth = lab.folder / "hearth"
    hearth.write_text("#!/bin/sh\ncase $1$XDG_RUNTIME_DIR in worker*node1*)\n"
                      "  echo 'hearth: join: no; do this' >&2; exit 1 ;; esac\n"
                      f"exec '{BINARY}' \"$@\"\n")
    hearth.chmod(0o700)
    result = lab.run("up", "--json", "--hosts", lab.hosts("node1", "node2 workers=1"),
                     HEARTH_BINARY=str(hearth))
    assert result.status == 1, result
    assert "node1: its workers did not start: join: no; do this" in result.err, result
    assert [(host["state"], host["coordinator"]) for host in result.json["hosts"]] == [
        ("failed", True), ("ready", False)]
    assert len(lab.succeed("workers", "--cluster", result.json["address"])["workers"]) == 1


@needs_proc
def test_a_host_under_two_names_keeps_the_cluster_of_the_first(lab):
    late = lab.folder / "late"
    late.write_text("#!/bin/sh\ncase \"$*\" in *node1.lan*)\n"
                    f"  until grep -q ready \"{lab.folder}/node1 it's\"/*/worker.ready; do sleep 0.1\n"
                    f"  done ;; esac 2>&-\nexec {lab.env['HEARTH_SSH']} \"$@\"\n")
    late.chmod(0o700)
    for ssh in (f"'{late}'", lab.env["HEARTH_SSH"]):  # after the other one, and beside it
        hosts = lab.hosts("node1 workers=1", "node1.lan workers=1")
        result = lab.run("up", "--json", "--hosts", hosts, HEARTH_SSH=ssh)
        assert result.status == 1 and "under another name" in result.err, result
        states = {host["host"]: host["state"] for host in result.json["hosts"]}
        assert sorted(states.values()) == ["failed", "ready"], result
        listed = lab.succeed("workers", "--cluster", result.json["address"])["workers"]
        assert [worker["state"] for worker in listed] == ["ready"]
        down = lab.succeed("down")["hosts"]
        assert [(states[host["host"]], host["state"]) for host in down] == [("ready", "down")]
        assert lab.on_hosts() == [] and lab.record_files() == []


@pytest.mark.slow
@needs_proc
def test_a_take_down_may_take_longer_than_a_first_word(lab):
    """The host was said not to answer after 15 s, while its script went on."""
    lab.succeed("up", "--hosts", lab.hosts("node1 workers=1"))
    tools = lab.folder / "tools"
    tools.mkdir()
    (tools / "rm").write_text(f"#!/bin/sh\nsleep 17\nexec {shutil.which('rm')} \"$@\"\n")
    (tools / "rm").chmod(0o700)
    down = lab.run("down", PATH=f"{tools}:{os.environ['PATH']}")
    assert down.status == 0 and down.out == "node1  down\n", down


@needs_proc
def test_a_second_up_on_the_same_hosts_is_refused(lab):
    hosts = lab.hosts("node1 workers=1")
    up = lab.succeed("up", "--hosts", hosts)
    assert up["id"] in lab.fail("up", "--hosts", hosts)
    assert len(lab.record_files()) == 1


@needs_proc
def test_a_down_beside_an_up_is_refused(lab):
    hosts = lab.hosts("node1 workers=1", "node2")
    slow = lab.folder / "slow"
    slow.write_text(f"#!/bin/sh\ncase \"$*\" in *node2*) exec sleep 100 ;; esac\n"
                    f"exec {lab.env['HEARTH_SSH']} \"$@\"\n")
    slow.chmod(0o700)
    process = start("up", "--hosts", hosts, env={**lab.env, "HEARTH_SSH": f"'{slow}'"})
    wait_until(lab.records)
    assert f"process {process.pid} is still starting it" in lab.fail("down")
    process.send_signal(2)
    assert finish(process).status == 130


def test_what_can_fail_before_a_host_is_touched(lab):
    hosts = lab.hosts("node1")
    assert "no-such-file" in lab.fail("up", "--hosts", lab.folder / "no-such-file")
    (lab.folder / "file").write_text("")
    assert "XDG_STATE_HOME" in lab.fail("up", "--hosts", hosts,
                                        XDG_STATE_HOME=str(lab.folder / "file"))
    lab.run("security", "init")
    (lab.folder / "tls/ca.key").unlink()
    assert "ca.key" in lab.fail("up", "--hosts", hosts)
    assert "line 1" in lab.fail("up", "--hosts", lab.hosts("-x"), status=2)
    assert "--hosts" in lab.fail("up", status=2)
    assert lab.record_files() == [] and lab.on_hosts() == []


def test_sessions_that_end_oddly_hold_nobody_up(lab):
    line = lab.fail("up", "--hosts", lab.hosts("quick", "silent"), timeout=20)
    assert line.count("the connection ended") == 2, line


def test_an_ssh_that_is_not_there_is_named(lab):
    line = lab.fail("up", "--hosts", lab.hosts("node1"), HEARTH_SSH="no-such-ssh -F x")
    assert "HEARTH_SSH" in line and "no-such-ssh" in line, line


def test_status_and_down_without_a_cluster(lab):
    assert "hearth up" in lab.fail("status")
    assert lab.run("down").status == 0
    assert "ffff" in lab.fail("down", "ffff")
