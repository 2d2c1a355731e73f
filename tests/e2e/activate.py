# SPDX-License-Identifier: Apache-2.0
# activate.py NAME=ADDR:PORT|NAME=/PATH... -- COMMAND: what a service manager does for sockets (sd_listen_fds(3)).
# NAME=udp and NAME=pair make sockets that no portal can be.  Writes the ports to the file in $PORTS, one a line.
import os
import socket
import sys

cut = sys.argv.index("--")
names, kept, ports = [], [], []
for i, arg in enumerate(sys.argv[1:cut]):
    name, _, where = arg.partition("=")
    if where == "udp":
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("127.0.0.1", 0))
    elif where == "pair":
        s = socket.socketpair()[0]
    elif where.startswith("/"):
        s = socket.socket(socket.AF_UNIX)
        s.bind(where)
        os.chmod(where, 0o640)
        s.listen(16)
    else:
        host, _, port = where.rpartition(":")
        s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if s.family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind((host.strip("[]"), int(port)))
        s.listen(16)
        ports.append(str(s.getsockname()[1]))
    names.append(name)
    kept.append(s)
# Above where they go, so that none is overwritten on the way.
fds = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate(kept)]
for i, fd in enumerate(fds):
    os.dup2(fd, 3 + i)
    os.close(fd)
with open(os.environ["PORTS"], "w") as f:
    f.write("\n".join(ports) + "\n")
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(names)), LISTEN_FDNAMES=":".join(names))
os.execvp(sys.argv[cut + 1], sys.argv[cut + 1:])
