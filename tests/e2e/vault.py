# SPDX-License-Identifier: Apache-2.0
# vault.py GOTGT FOLDER: is a secret anywhere in a daemon's memory that a core dump would take?  Speaks TAP.
# Those of files of their own never are; those of the configuration and of requests are kept where it does not go, and
# gone from there with their account.  They are used, changed, saved, read again and removed.  The daemon is our child, so
# that we may read it where processes are kept from each other.
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time

gotgt, tmp = sys.argv[1:3]
IQN = "iqn.2016-09.com.example:one"
sock, conf, log = tmp + "/s.sock", tmp + "/gotgt.conf", tmp + "/log"
# Unlike one another in each part that is looked for, and unlike anything else.
IN_FILE, OF_ITS_OWN, DISCOVERY, PUT, LATER, MUTUAL, TOKEN, WRONG = ALL = [secrets.token_hex(20) for i in range(8)]
tests = 0


def ok(good, what, more=""):
    global tests
    tests += 1
    print(("ok" if good else "not ok"), tests, "-", what, flush=True)
    if not good:
        print("#", more, flush=True)


def skip(what, why):
    ok(True, what + " # SKIP " + why)


# What the manual of proc(5) calls VmFlags has "dd" for what is not dumped.
def areas(pid):
    with open("/proc/%d/smaps" % pid) as f:
        lines = f.readlines()
    area = None
    for line in lines:
        m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)", line)
        if m:
            area = int(m[1], 16), int(m[2], 16), m[3], m[4]
        elif line.startswith("VmFlags:") and "r" in area[2] and area[3] not in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
            yield area + ("dd" in line.split(),)


# Of each text, where half of it is, in what is dumped and in what is not.
def scan(pid, texts):
    found, kept = [], []
    with open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for start, end, _, name, left_out in areas(pid):
            if end - start > 1 << 30:     # shadows of sanitizers, plugins' maps
                continue
            try:
                mem.seek(start)
                data = mem.read(end - start)
                while len(data) < end - start:
                    more = mem.read(end - start - len(data))
                    if not more:
                        break
                    data += more
            except OSError:
                continue
            for text in texts:
                for part in (text[:20], text[20:]):
                    at = data.find(part.encode())
                    if at >= 0:
                        around = data[max(at - 60, 0):at + 60]
                        (kept if left_out else found).append((ALL.index(text), "%x %s: %r" % (start + at, name, around)))
    return found, kept


class Control(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sock)


def ask(method, path, body=None, connection=None, headers=None):
    c = connection or Control("localhost")
    c.request(method, path, body and json.dumps(body), {"Content-Type": "application/json", **(headers or {})})
    answer = c.getresponse()
    text = answer.read().decode()
    c.close()
    return answer.status, text


def wait(text, times=1):
    for _ in range(2000):
        with open(log) as f:
            lines = f.read()
        if lines.count(text) >= times:
            return lines
        time.sleep(0.01)
    sys.exit("# %r is not in %s" % (text, lines))


def keep(name, text):
    path = tmp + "/" + name
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
        f.write(text + "\n")
    return path


def login(user, secret, more=""):
    return subprocess.run(["iscsi-inq", "iscsi://%s%%%s@%s/%s/0%s" % (user, secret, portal, IQN, more)],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


# What is over has been freed once connections have ended: not at once.
def until(good, what, texts):
    for _ in range(1200):
        found, kept = scan(daemon.pid, texts)
        if good(found, kept):
            break
        time.sleep(0.05)
    ok(good(found, kept), what, "\n# ".join("%d: %s" % f for f in found + kept))


# Only of what no library but the C library has seen.
def nowhere(what, texts):
    until(lambda found, kept: not found, what, texts)


def no_longer_kept(what, texts):
    until(lambda found, kept: not kept, what, texts)


keep("gotgt.conf", """
control: { addresses = [ "127.0.0.1:0" ]; without-tls = true; token-file = "%s"; };
portals = ( { address = "127.0.0.1"; port = 0; } );
discovery: { accounts = ( { user = "d"; secret = "%s"; } ); };
targets = ( { iqn = "%s"; luns = ( { number = 0; plugin = "null"; settings: { size = "1M"; }; } );
  accounts = ( { user = "a"; secret = "%s"; mutual-user = "m"; mutual-secret = "%s"; },
    { user = "b"; secret-file = "%s"; } ); } );
""" % (keep("token", TOKEN), DISCOVERY, IQN, IN_FILE, MUTUAL, keep("own", OF_ITS_OWN)))
# What the tests' environment has malloc() and GLib do would hide what a daemon does not.
for name in ("MALLOC_PERTURB_", "G_SLICE"):
    os.environ.pop(name, None)
with open(log, "w") as err:
    daemon = subprocess.Popen([gotgt, "daemon", "--config", conf, "--control", sock], stderr=err)
try:
    lines = wait("1 logical units")
    portal = re.search(r"portal (127[.0-9]*:\d+): listening", lines)[1]
    tcp = re.search(r"control tcp://(127[.0-9]*:\d+): listening", lines)[1]
    try:
        scan(daemon.pid, [])
    except OSError as e:
        print("1..0 # SKIP the memory of another process cannot be read:", e)
        sys.exit(0)
    ok(any(left_out for *_, left_out in areas(daemon.pid)), "some memory is left out of core dumps")
    nowhere("nothing of files of their own is in the rest", [OF_ITS_OWN, TOKEN])
    kept = {n for n, _ in scan(daemon.pid, ALL)[1]}
    ok(kept == {ALL.index(t) for t in (IN_FILE, OF_ITS_OWN, DISCOVERY, MUTUAL, TOKEN)},
       "what is found there is what is needed", repr(kept))

    accounts = "/v1/targets/%s/accounts/" % IQN
    status, text = ask("PUT", accounts + "c", {"user": "c", "secret": PUT})
    ok(status in (200, 201), "an account by a request", text)
    ok(scan(daemon.pid, [PUT])[1], "its secret is kept there, too")
    status, text = ask("PUT", accounts + "e", {"user": "e", "secret": PUT + WRONG * 10})
    ok(status == 422 or status == 400, "one that is refused", text)
    no_longer_kept("leaves nothing there", [WRONG])
    status, text = ask("GET", "/v1/config", connection=http.client.HTTPConnection(tcp),
                       headers={"Authorization": "Bearer " + TOKEN})
    ok(status == 200 and not any(t in text for t in ALL), "a request with the token", text)
    status, text = ask("GET", "/v1/config", connection=http.client.HTTPConnection(tcp),
                       headers={"Authorization": "Bearer " + WRONG})
    ok(status == 401, "one with another", text)

    if shutil.which("iscsi-inq"):
        ok(login("a", IN_FILE) and login("b", OF_ITS_OWN) and login("c", PUT) and not login("c", WRONG), "logins")
        ok(login("a", IN_FILE, "?target_user=m&target_password=" + MUTUAL), "one both ways")
        nowhere("of which no secret is left", [OF_ITS_OWN])
    else:
        skip("logins", "no iscsi-inq")

    status, text = ask("PUT", accounts + "c", {"user": "c", "secret": LATER})
    ok(status == 200, "a changed secret", text)
    no_longer_kept("the one before is no longer kept", [PUT])
    status, text = ask("POST", "/v1/config/save")
    ok(status in (200, 204), "the configuration is saved", text)
    with open(conf) as f:
        text = f.read()
    ok(LATER in text and IN_FILE in text and PUT not in text, "with its secrets")
    daemon.send_signal(signal.SIGHUP)
    wait("nothing changed")
    nowhere("nothing is in the rest after a reload", [OF_ITS_OWN])
    for user in "abc":
        status, text = ask("DELETE", accounts + user)
        ok(status in (200, 204), "no account " + user, text)
    nowhere("secrets of accounts that are gone are not in the rest", [OF_ITS_OWN])
    no_longer_kept("nor kept", [IN_FILE, OF_ITS_OWN, PUT, LATER, MUTUAL])
finally:
    daemon.terminate()
    status = daemon.wait()
ok(status == 0, "the daemon stops", status)
print("1..%d" % tests)
