# Remote objects, as Pyro users know them: a class in processes of its own, found by name, given a matrix by handle.
import subprocess
import sys

import numpy as np

# ---
import hearth


@hearth.expose
class Summer:
    def sum_rows(self, matrix, begin: int, end: int):
        return np.asarray(matrix[begin:end]).sum(axis=0)       # mapped, not copied


def serve(address, name):
    with hearth.ObjectServer(address) as server:
        server.serve(name, Summer(), tags=["summer"])
        print("ready", flush=True)
        sys.stdin.read()


def main():
    with hearth.local(workers=2) as cluster:
        servers = [subprocess.Popen([sys.executable, __file__, cluster.address, f"summer{i}"], text=True,
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE) for i in range(2)]
        for server in servers:
            server.stdout.readline()
        matrix = hearth.share(np.ones((1000, 3)))
        found = cluster.objects.find(tags=["summer"])
        parts = [hearth.Proxy(one.name).sum_rows.later(matrix, i * 500, (i + 1) * 500)
                 for i, one in enumerate(found)]
        print(sum(part.result() for part in parts))            # [1000. 1000. 1000.]
        for server in servers:
            server.communicate()


if __name__ == "__main__":
    serve(*sys.argv[1:]) if len(sys.argv) > 1 else main()
