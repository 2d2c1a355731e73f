# SPDX-License-Identifier: Apache-2.0
# notify.py FILE COMMAND...: a service manager that hears (sd_notify(3)).  Each message is a line of FILE, its variables
# separated by spaces.  Passes SIGHUP, SIGTERM and SIGINT on, and exits as the command does.  $WATCHDOG is its time, in s.
import os
import signal
import socket
import subprocess
import sys
import threading

log = open(sys.argv[1], "a")  # who truncates it starts anew
path = sys.argv[1] + ".socket"
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(path)
env = dict(os.environ, NOTIFY_SOCKET=path)
if "WATCHDOG" in env:
    env["WATCHDOG_USEC"] = str(int(float(env.pop("WATCHDOG")) * 1000000))
child = subprocess.Popen(sys.argv[2:], env=env)
for n in signal.SIGHUP, signal.SIGTERM, signal.SIGINT:
    signal.signal(n, lambda n, frame: child.send_signal(n))


def hear():
    while True:
        text = s.recv(4096).decode()
        if not text:
            return
        log.write(text.replace("\n", " ") + "\n")
        log.flush()


thread = threading.Thread(target=hear)
thread.start()
status = child.wait()
end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
end.sendto(b"", path)
thread.join()
os.unlink(path)
sys.exit(status)
