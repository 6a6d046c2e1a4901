"""sshd on the hosts of network_hosts: each with processes, /tmp and /run of its own.

A host is killed whole with its `unshare`, as by a power cut.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

from hearth_process import BINARY, environment, run, start, wait_until

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin")
PORT = 2222

# $1: hostname. $2: folder of files for this host, seen at /mnt. $3: what it does not see.
ENTER = """
hostname "$1"
mount --bind "$2" /mnt
mount -t tmpfs -o size=512m tmpfs /run
mount -t tmpfs -o size=256m tmpfs /dev/shm
mkdir -p /run/sshd /run/full
mount -t tmpfs -o size=16k tmpfs /run/full
mount --bind /mnt/passwd /etc/passwd
[ -z "$3" ] || mount -t tmpfs tmpfs "$3"
mount -t tmpfs -o size=512m tmpfs /tmp
exec /usr/sbin/sshd -D -e -f /mnt/sshd_config
"""


def keygen(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path.with_name(path.name + ".pub").read_text()


class SshHost:
    """One sshd within the network namespace of `host`."""

    def __init__(self, host, name, folder, port=PORT, hidden="", extra="", shell="/bin/bash",
                 bashrc=""):
        self.host, self.name, self.folder, self.port = host, name, folder, port
        self.hidden, self.extra, self.shell, self.bashrc = hidden, extra, shell, bashrc

    def __enter__(self):
        (self.folder / "home").mkdir()
        (self.folder / "home/.bashrc").write_text(self.bashrc)
        users = [f"root:x:0:0:root:/mnt/home:{self.shell}\n" if line.startswith("root:") else line
                 for line in pathlib.Path("/etc/passwd").read_text().splitlines(keepends=True)]
        (self.folder / "passwd").write_text("".join(users))
        (self.folder / "sshd_config").write_text(
            f"Port {self.port}\nHostKey /mnt/hostkey\nAuthorizedKeysFile /mnt/authorized_keys\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nStrictModes no\n"
            "UsePAM no\nPidFile none\nAcceptEnv *\nPermitRootLogin prohibit-password\n"
            f"{self.extra}\n")
        self.log = (self.folder / "sshd.log").open("wb")
        self.process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.host.name}", "unshare", "-m", "-u", "-i", "-p",
             "-f", "--mount-proc", "--propagation", "private", "--kill-child=SIGKILL",
             "sh", "-ec", ENTER, "sh", self.name, self.folder, self.hidden],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_until(lambda: "listening" in (self.folder / "sshd.log").read_text(), 10,
                   f"sshd of {self.name}")
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        self.init = int(pathlib.Path(children).read_text().split()[0])
        self.before = self.files()
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def inside(self, *command):
        """What a command says that looks at this host from within."""
        return subprocess.run(["nsenter", "-t", str(self.init), "-m", "-p", "-n", *command],
                              check=False, capture_output=True, text=True).stdout

    def processes(self):
        """Their command lines, but for sshd's and our own look."""
        return [line for line in self.inside("ps", "-eo", "pid=,args=").splitlines()
                if "sshd" not in line and "ps -eo" not in line]

    def files(self):
        return set(self.inside("find", "/tmp", "/run", "/dev/shm", "/mnt/home",
                               "-not", "-name", "utmp").splitlines())

    def sockets(self):
        return [line for line in self.inside("cat", "/proc/net/unix").splitlines()
                if "hearth" in line]

    def left(self):
        """What a cluster left here."""
        return self.processes() + sorted(self.files() - self.before) + self.sockets()


class SshLab:
    """Hosts that ssh knows as node1, node2, ...; `aliases` gives them further names."""

    def __init__(self, hosts, folder):
        self.client, self.folder = hosts[0], folder
        self.stack = contextlib.ExitStack()
        self.known, self.config, self.hosts = [], [], {}
        self.user_key = keygen(folder / "id")
        keygen(folder / "stranger")
        for number, host in enumerate(hosts, 1):
            self.add(f"node{number}", host)

    def add(self, name, host, **options):
        folder = self.folder / name
        folder.mkdir()
        key = keygen(folder / "hostkey")
        (folder / "authorized_keys").write_text(self.user_key)
        made = SshHost(host, name, folder, **options)
        self.hosts[name] = self.stack.enter_context(made)
        self.known.append(f"[{host.address}]:{made.port} {key}")
        (self.folder / "known hosts").write_text("".join(self.known))
        self.alias(name, name)

    def alias(self, name, of, *lines):
        """`lines` come first, and so count."""
        host = self.hosts[of]
        if not any(line.startswith("IdentityFile") for line in lines):  # they add up
            lines = (*lines, f"IdentityFile \"{self.folder}/id\"")
        self.config.append("\n  ".join([
            f"Host {name}", *lines, f"HostName {host.host.address}", f"Port {host.port}",
            "User root", "IdentitiesOnly yes",
            f"UserKnownHostsFile \"{self.folder}/known hosts\"",
            "GlobalKnownHostsFile /dev/null\n"]))
        (self.folder / "ssh config").write_text("".join(self.config))

    def environment(self, folder, **variables):
        return environment(HEARTH_SSH=f"ssh -F '{self.folder}/ssh config'",
                           XDG_STATE_HOME=folder / "state", HEARTH_TLS_DIR=folder / "tls",
                           **variables)

    def left(self):
        return {name: host.left() for name, host in self.hosts.items() if host.left()}

    def __exit__(self, *_):
        self.stack.close()


class Launcher:
    """`hearth` on the first host, with a state directory and credentials of its own."""

    def __init__(self, lab, folder):
        self.lab, self.folder = lab, folder
        self.env = lab.environment(folder)

    def hosts_file(self, *lines, name="hosts file"):
        path = self.folder / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def run(self, *arguments, **variables):
        return run(*arguments, within=self.lab.client.within, env={**self.env, **variables})

    def start(self, *arguments):
        return start(*arguments, within=self.lab.client.within, env=self.env)

    def succeed(self, *arguments, **variables):
        result = self.run(*arguments, "--json", **variables)
        assert result.status == 0, result
        return result.json

    def records(self):
        return list((self.folder / "state").glob("hearth/clusters/*.json"))

    def record_files(self):
        """And what is being written of them."""
        return list((self.folder / "state").glob("hearth/clusters/*"))


def missing():
    """Why there can be no sshd here; empty where there can."""
    if SSHD is None or shutil.which("ssh") is None:
        return "sshd and ssh are not installed (openssh-server, openssh-client)"
    if os.geteuid() != 0:
        return "hosts with an sshd each need root"
    return ""


__all__ = ["BINARY", "Launcher", "SshLab", "missing"]
