"""Hosts for tests: network namespaces with an address each, on one switch.

Two processes of different namespaces reach each other by TCP alone: abstract
Unix sockets belong to a namespace, so no descriptor passes. Files are shared, as
on a cluster with a network file system.
"""

import os
import subprocess

from hearth_process import Server, run, start, succeed


def ip(*words, check=True):
    return subprocess.run(["ip", *map(str, words)], check=check, capture_output=True, text=True)


class Host:
    def __init__(self, network, number):
        self.network, self.number = network, number
        self.name = f"{network.name}h{number}"
        self.address = f"10.79.{network.subnet}.{number}"
        self.within = ("ip", "netns", "exec", self.name)

    def make(self):
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")
        ip("-n", self.name, "link", "add", "eth0", "type", "veth", "peer", "name",
           f"p{self.number}", "netns", self.network.switch)
        ip("-n", self.network.switch, "link", "set", f"p{self.number}", "master", "br0", "up")
        ip("-n", self.name, "addr", "add", f"{self.address}/24", "dev", "eth0")
        ip("-n", self.name, "link", "set", "eth0", "up")

    def plug(self, state):
        """state: "up" or "down", as if the cable were pulled at the switch."""
        ip("-n", self.network.switch, "link", "set", f"p{self.number}", state)

    def received(self):
        """Bytes that came over the cable so far, as the host's kernel counts."""
        text = subprocess.run([*self.within, "cat", "/sys/class/net/eth0/statistics/rx_bytes"],
                              capture_output=True, text=True, check=True).stdout
        return int(text)

    def serve(self, *arguments, hidden=None, instead=None, **where):
        """`hidden`: a folder that this server does not see; it sees what is in `instead` there,
        on a device of its own."""
        within = self.within
        if hidden is not None:  # ip netns exec gives a mount namespace, too
            script = f"mount -t tmpfs none '{hidden}'"
            if instead is not None:
                script += f" && cp -a '{instead}/.' '{hidden}'"
            within = (*within, "sh", "-c", f"{script} && exec \"$@\"", "sh")
        return Server(*arguments, within=within, **where)

    def run(self, *arguments, **where):
        return run(*arguments, within=self.within, **where)

    def start(self, *arguments, **where):
        return start(*arguments, within=self.within, **where)

    def succeed(self, *arguments, **where):
        return succeed(*arguments, within=self.within, **where)


class Network:
    """Makes `count` hosts; removes them and their switch at the end."""

    def __init__(self, count):
        self.name = f"hearth{os.getpid()}"
        self.switch = f"{self.name}sw"
        self.subnet = os.getpid() % 250 + 1
        self.hosts = [Host(self, number) for number in range(1, count + 1)]

    def __enter__(self):
        ip("netns", "add", self.switch)
        ip("-n", self.switch, "link", "add", "br0", "type", "bridge")
        ip("-n", self.switch, "link", "set", "br0", "up")
        for host in self.hosts:
            host.make()
        return self

    def __exit__(self, *_):
        for host in self.hosts:
            ip("netns", "del", host.name, check=False)
        ip("netns", "del", self.switch, check=False)
