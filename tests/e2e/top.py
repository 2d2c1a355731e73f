# SPDX-License-Identifier: Apache-2.0
"""gotgt top on a terminal of its own: top.py GOTGT WHAT.  WHAT is a function below; it exits with 0 when all of it holds."""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

BEGIN, END = b"\033[?1049h", b"\033[?1049l"


class Top:
    def __init__(self, gotgt, *options, size=(24, 90), term="xterm", job=False):
        self.master, self.slave = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""
        if job:
            # As a shell: only who has a parent in its session can be stopped by its terminal.
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        self.pid = os.fork()
        if not self.pid:
            if job:
                os.setpgid(0, 0)
                os.tcsetpgrp(self.slave, os.getpid())
                signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            else:
                os.setsid()
                fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(self.slave, fd)
            os.environ["TERM"] = term
            os.execv(gotgt, [gotgt, "top", *options])

    def resize(self, lines, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def wait(self, text, what=None):
        """Wait for text behind what was waited for before; all that came up to it."""
        end = time.monotonic() + 20
        while text not in self.seen:
            if not select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
                sys.exit(f"no {what or text!r} in {self.seen!r}")
            self.seen += os.read(self.master, 65536)
        at = self.seen.index(text) + len(text)
        came, self.seen = self.seen[:at], self.seen[at:]
        return came

    def key(self, key):
        os.write(self.master, key)

    def end(self, status):
        """It ends, the screen and the terminal's settings are as before."""
        self.wait(END, "usual screen")
        self.reap(status)

    def changed(self, options=0):
        """What becomes of the process, as waitpid() tells; what it writes is read."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            pid, how = os.waitpid(self.pid, os.WNOHANG | options)
            if pid:
                return how
            if select.select([self.master], [], [], 0.02)[0]:
                self.seen += os.read(self.master, 65536)
        os.kill(self.pid, signal.SIGKILL)
        sys.exit("it goes on")

    def reap(self, status):
        how = self.changed()
        assert os.waitstatus_to_exitcode(how) == status, how
        assert termios.tcgetattr(self.slave) == self.before


def keys(gotgt):
    top = Top(gotgt)
    top.wait(BEGIN)
    top.wait(b"LUNs by iops")
    top.wait(b"TARGET NAME")
    assert not termios.tcgetattr(top.slave)[3] & (termios.ICANON | termios.ECHO)
    top.key(b"t")
    top.wait(b"sessions by iops")
    top.wait(b"INITIATOR")
    for sort in b"bandwidth", b"latency", b"queue", b"name", b"iops":
        top.key(b"s")
        top.wait(b"by " + sort)
    top.key(b"l")
    top.wait(b"LUNs by iops")
    # What is no key of ours, and an arrow, whose last byte would be one.
    top.key(b"x\033[q")
    top.key(b"s")
    top.wait(b"by bandwidth")
    top.key(b"q")
    top.end(0)


def redraws(gotgt):
    """Each picture begins at the top left, and nothing is cleared before it is written over."""
    top = Top(gotgt, "--interval", "0.2")
    top.wait(BEGIN)
    for _ in range(4):
        top.wait(b"\033[H")
    picture = top.wait(b"\033[J")
    assert b"\033[2J" not in picture and b"TARGET NAME" in picture, picture
    top.key(b"q")
    top.end(0)


def resizes(gotgt):
    top = Top(gotgt, "--interval", "600", size=(24, 100))
    top.wait(b"\033[J")
    top.wait(b"\033[J")
    for lines, columns in (24, 60), (3, 200), (1, 1), (50, 132):
        top.resize(lines, columns)
        top.wait(b"\033[H")
        picture = top.wait(b"\033[J").replace(b"\033[J", b"")
        for control in b"\033[K", b"\033[7m", b"\033[m", b"\r":
            picture = picture.replace(control, b"")
        rows = picture.split(b"\n")
        assert len(rows) <= lines, rows
        assert max(map(len, rows)) < max(columns, 2), rows
    os.kill(top.pid, signal.SIGTERM)
    top.end(0)


def signals(gotgt):
    for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
        top = Top(gotgt)
        top.wait(b"TARGET NAME")
        os.kill(top.pid, number)
        top.end(0)
    top = Top(gotgt)
    top.wait(b"TARGET NAME")
    top.key(b"\003")
    top.end(0)


def stops(gotgt):
    """Ctrl-Z leaves the screen as it was, and fg brings it back."""
    top = Top(gotgt, job=True)
    top.wait(b"TARGET NAME")
    top.key(b"\032")
    top.wait(END)
    how = top.changed(os.WUNTRACED)
    assert os.WIFSTOPPED(how), how
    assert termios.tcgetattr(top.slave) == top.before
    os.kill(top.pid, signal.SIGCONT)
    top.wait(BEGIN)
    top.wait(b"TARGET NAME")
    top.key(b"q")
    top.end(0)


def counts(gotgt):
    top = Top(gotgt, "--count", "2", "--interval", "0.1", "--sort", "name", "--of", "session")
    top.wait(b"sessions by name")
    top.end(0)


def dumb(gotgt):
    """A terminal that knows nothing is written to as a file is."""
    top = Top(gotgt, "--count", "1", "--interval", "0.1", term="dumb")
    top.wait(b"TARGET NAME")
    top.reap(0)
    assert b"\033" not in top.seen, top.seen


def dies(gotgt):
    """The daemon, whose process ID is the next argument, goes: why it ends is on the usual screen."""
    top = Top(gotgt, "--interval", "0.2")
    top.wait(b"TARGET NAME")
    os.kill(int(sys.argv[3]), signal.SIGTERM)
    top.wait(END)
    top.wait(b"gotgt top: ")
    top.reap(3)


globals()[sys.argv[2]](sys.argv[1])
