# SPDX-License-Identifier: Apache-2.0
# routes.py GOTGT FOLDER: a daemon, and every method of every path of its /openapi.json, good and bad; by curl what is
# about clients.  Speaks TAP.
import json
import os
import re
import socket
import subprocess
import sys
import urllib.parse

gotgt, tmp = sys.argv[1:3]
sock = tmp + "/routes.sock"
IQN = "iqn.2016-09.com.example:one"
NONE = "iqn.2016-09.com.example:none"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"]
# What a name in a path stands for: something that is there, something that is not.
NAMES = {"iqn": (IQN, NONE), "target": (IQN, NONE), "number": ("0", "77"), "lun": ("0", "77"), "user": ("u", "v"),
         "tag": ("3", "77"), "place": ("0", "77"), "tsih": ("1", "77"), "name": ("a", "b"), "id": ("none", "none"),
         "domain": ("iscsi", "scsi")}
# These have documents of their own.
OWN = {"/v1/log-level": {"log-level": "info"}, "/target/create": {"Name": IQN}}
CONF = """
log-levels = ( { domain = "iscsi"; level = "info"; } );
portals = ( { name = "a"; address = "127.0.0.1"; port = 0; } );
discovery: { accounts = ( { user = "u"; secret-file = "%s"; } ); };
targets = ( { iqn = "%s"; port-groups = ( { tag = 3; portals = [ "a" ]; } );
  luns = ( { number = 0; plugin = "null"; settings: { size = "1M"; }; }, { number = 1; plugin = "null"; } );
  accounts = ( { user = "u"; secret-file = "%s"; } );
  acls = ( { initiators = [ "iqn.*" ]; luns = ( { number = 0; lun = 1; } ); } ); } );
"""


class Answer:
    def __init__(self, text):
        while True:
            head, _, self.text = text.partition("\r\n\r\n")
            first, *lines = head.split("\r\n")
            self.status = int(first.split()[1])
            if self.status != 100:
                break
            text = self.text
        self.headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}
        self.type = self.headers.get("content-type", "")
        self.json = json.loads(self.text) if "json" in self.type and self.text else None


def curl(*args, **more):
    return subprocess.run(["curl", "-s", "-S", "-i", "--max-time", "60", "--path-as-is", "--unix-socket", sock, *args],
                          stdout=subprocess.PIPE, check=True, **more).stdout.decode()


def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(sock)
    return s


def rest(s):
    got = b""
    while True:
        piece = s.recv(65536)
        if not piece:
            return Answer(got.decode())
        got += piece


# The answer, which is right in itself: a problem says what, a document has a type, and each closes.
def ask(method, path, body=None, status=None, **headers):
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: localhost"]
    data = b""
    if body is not None:
        headers.setdefault("Content_Type", "application/json")
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        lines.append("Content-Length: %u" % len(data))
    lines += [name.replace("_", "-") + ": " + value for name, value in headers.items()]
    # A process for each, of a thousand, would be all that takes time here.
    s = connect()
    s.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
    a = rest(s)
    what = "%s %s %s: %u %s" % (method, path, body, a.status, a.text)
    assert a.headers.get("connection") == "close", what
    if method == "HEAD":
        assert not a.text, what
    elif a.status >= 400:
        assert a.type == "application/problem+json" and a.json["status"] == a.status, what
        assert a.json["title"] and a.json["detail"] and a.json["type"], what
        for e in a.json.get("errors", []):
            assert isinstance(e["field"], str) and e["reason"], what
        assert a.status not in (400, 422) or a.json["errors"], what
    else:
        assert bool(a.type) == bool(a.text), what
    wanted = status if isinstance(status, tuple) else (status,)
    assert status is None or a.status in wanted, "expected %s: %s" % (status, what)
    return a


# ---- what a document may be ----

def resolve(s):
    while "$ref" in s:
        _, kind, name = s["$ref"].rsplit("/", 2)
        s = doc["components"][kind][name]
    return s


def conforms(value, s, at=""):
    s = resolve(s)
    for part in s.get("allOf", []):
        conforms(value, part, at)
    if value is None and s.get("nullable"):
        return
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
    if "type" in s:
        assert isinstance(value, kinds[s["type"]]) and (s["type"] != "integer" or value is not True), "%s: %r" % (at, value)
    assert value in s.get("enum", [value]), "%s: %r" % (at, value)
    if s.get("type") == "object":
        more = s.get("additionalProperties", True)
        for name, v in value.items():
            if name in s.get("properties", {}):
                conforms(v, s["properties"][name], at + "." + name)
            else:
                assert more, "%s.%s is not in the document" % (at, name)
        assert all(n in value for n in s.get("required", [])), "%s: %r" % (at, value)
    for v in value if s.get("type") == "array" else []:
        conforms(v, s["items"], at + "[]")


def answer_schema(path, method, status):
    return resolve(doc["paths"][path][method.lower()]["responses"][str(status)])["content"]["application/json"]["schema"]


# A value that a property cannot have.
def wrong_for(s):
    s = resolve(s)
    if s.get("type") in ("object", "array") or "allOf" in s:
        return 5
    return {"x": 1}


# ---- paths ----

# Those of gotgt in Go, whose documents are its own: tests/wire/test-wire-go.c has what is in them.
def is_go(path):
    return path.startswith(("/target", "/lu/", "/discovery/"))


def fill(path, which=0, encode=lambda s: urllib.parse.quote(s, safe=":")):
    names = dict(NAMES, name=(IQN, NONE)) if is_go(path) else NAMES
    return re.sub(r"{(\w+)}", lambda m: encode(names[m.group(1)][which]), path)


def params(path):
    return re.findall(r"{(\w+)}", path)


def there(path):
    return "{tsih}" not in path and "{id}" not in path      # nobody is logged in; it is a serial number


# What is there is in the last name's place, so that only that is missing.
def missing(path):
    head, _, tail = path.rpartition("/{")
    return fill(head) + "/" + fill("{" + tail if not is_go(path) else "{iqn}", 1)


def run_methods(path, ops):
    # "/target/list" is a "/target/{name}", too.
    alike = [p for p in doc["paths"] if re.fullmatch(re.sub(r"{\w+}", "[^/]+", p), fill(path))]
    allowed = [m.upper() for p in alike for m in doc["paths"][p]]
    for method in METHODS:
        body = "{}" if method in ("POST", "PUT", "PATCH") else None
        if method == "OPTIONS":
            a = ask(method, fill(path), status=204)
            assert sorted(a.headers["allow"].split(", ")) == sorted(allowed), a.headers["allow"]
        elif method == "HEAD" and "GET" in allowed:
            a, b = ask(method, fill(path)), ask("GET", fill(path))
            assert a.status == b.status and a.headers.get("etag") == b.headers.get("etag")
            if a.type == "application/json" and path != "/v1/stats":      # the others count
                assert int(a.headers["content-length"]) == len(b.text.encode())
        elif method not in allowed and method != "OPTIONS":
            a = ask(method, fill(path), body, status=405)
            if method != "HEAD":
                assert sorted(a.headers["allow"].split(", ")) == sorted(allowed), a.headers["allow"]
                assert method in a.json["detail"]


def run_get(path):
    a = ask("GET", fill(path), status=200 if there(path) else 404)
    if there(path):
        types = doc["paths"][path]["get"]["responses"]["200"]["content"]
        assert a.type.split(";")[0] in types, a.type
        if a.json is not None:
            conforms(a.json, answer_schema(path, "GET", 200))
        ask("GET", fill(path) + "/", status=200)
        ask("GET", fill(path, encode=lambda s: "".join("%%%02X" % b for b in s.encode())), status=200)
        if "etag" in a.headers:
            assert not ask("GET", fill(path), status=304, If_None_Match=a.headers["etag"]).text
            ask("GET", fill(path), status=412, If_Match='"another"')
            ask("GET", fill(path), status=200, If_None_Match='"another", W/"x"')
    if params(path):
        ask("GET", missing(path), status=404)
        ask("GET", fill(path, encode=lambda s: "%ff"), status=404)
        ask("GET", fill(path, encode=lambda s: "%00"), status=404)


def body_schema(path, method):
    s = resolve(doc["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["schema"])
    if method == "PATCH":       # a part of what is answered
        s = resolve(answer_schema(path, "PATCH", 200))
    return s


# No body that is wrong changes anything, and each is told what is.
def run_bodies(path, method):
    at = fill(path)
    for text in ("", "{", "[]", "null", "5", '"x"', '{"a":}', "\xff", "[" * 5000, '{"a":' * 5000):
        ask(method, at, text, status=400)
    ask(method, at, "{}", status=415, Content_Type="text/plain")
    a = ask(method, at, "{}", status=415, Content_Type="application/x-www-form-urlencoded")
    assert a.headers["accept"] == "application/json"
    own = OWN.get(path)
    for name in own or {}:
        for value in (5, ["x"], "no such"):
            assert ask(method, at, {name: value}, status=422).json["errors"][0]["field"] == name
        return
    if is_go(path) and not own:
        return
    assert ask(method, at, {"no-such": 1}, status=422).json["errors"][0]["field"] == "no-such"
    wrong = {name: wrong_for(s) for name, s in body_schema(path, method)["properties"].items()}
    where = {name: wrong.pop(name) for name in ("target", "place") if name in wrong}    # judged before the others
    for wrong in filter(None, (wrong, where)):
        a = ask(method, at, wrong, status=422)
        for name in wrong:
            assert [e for e in a.json["errors"] if e["field"].startswith(name)], name + ": " + a.text


def run_change(path, method):
    at, before = fill(path), ask("GET", fill(path), status=200)
    etag = before.headers["etag"]
    same = before.json if method == "PUT" else {}
    ask(method, at, same, status=412, If_Match='"another"')
    ask(method, at, same, status=412, If_None_Match="*")
    for _ in range(2):
        a = ask(method, at, same, status=200, If_Match=etag)
        assert a.headers["etag"] == etag and a.json == before.json
        conforms(a.json, answer_schema(path, method, 200))
    assert ask(method, at + "?dry_run=1", same, status=200).json == {"changes": []}
    if params(path):
        ask(method, missing(path), same if method == "PATCH" else {"no-such": 1}, status=404 if method == "PATCH" else (404, 422))


# Another of the kind, made twice, changed and removed twice.
def run_delete(path):
    at, whole = fill(path), ask("GET", "/v1/config").json
    ask("DELETE", at, status=412, If_Match='"another"')
    plan = ask("DELETE", at + "?dry_run=1", status=(200, 422))
    assert plan.status == 422 or plan.json["changes"]
    ask("GET", at, status=200)
    ask("DELETE", missing(path), status=404)
    before = ask("GET", at).json
    if ask("DELETE", at, status=(204, 422)).status == 204:
        ask("GET", at, status=404)
        ask("DELETE", at, status=404)
        ask("PATCH", at, {}, status=404)
        ask("PUT", at, before, status=412, If_Match="*")
        a = ask("PUT", at, before, status=201, If_None_Match="*")
        conforms(a.json, answer_schema(path, "PUT", 201))
        ask("PUT", at, before, status=200)
    ask("PUT", "/v1/config", whole, status=200)


def run_create(path):
    if path in OWN:
        ask("POST", path, OWN[path], status=409)
        return
    element = [p for p in doc["paths"] if p.startswith(path + "/{") and p.count("/") == path.count("/") + 1][0]
    whole, before = ask("GET", "/v1/config").json, ask("GET", fill(element)).json
    if "{place}" not in element:
        ask("POST", fill(path), before, status=409)
    if ask("DELETE", fill(element), status=(204, 422)).status == 204:
        a = ask("POST", fill(path), before, status=201)
        conforms(a.json, answer_schema(path, "POST", 201))
        assert urllib.parse.unquote(a.headers["location"]) == urllib.parse.unquote(fill(element)), a.headers["location"]
        assert ask("GET", a.headers["location"], status=200).json == a.json
    ask("PUT", "/v1/config", whole, status=200)


def run_path(path):
    ops = doc["paths"][path]
    state = ask("GET", "/v1/config").headers["etag"]
    run_methods(path, ops)
    if "get" in ops:
        run_get(path)
    for method in ("POST", "PUT", "PATCH"):
        if "requestBody" in ops.get(method.lower(), {}):
            run_bodies(path, method)
    assert ask("GET", "/v1/config").headers["etag"] == state, "something changed"
    for method in ("PUT", "PATCH"):
        if method.lower() in ops and path not in OWN:
            run_change(path, method)
    if "post" in ops and "requestBody" in ops["post"] and (path in OWN or not is_go(path)):
        run_create(path)
    if "delete" in ops and "put" in ops:
        run_delete(path)
    assert ask("GET", "/v1/config").headers["etag"] == state, "it is not as it was"


# ---- clients of other kinds ----

REQUEST = b"GET /v1/targets HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"


def run_large():
    with open(tmp + "/large", "wb") as f:
        f.truncate(33 << 20)
    for more in (), ("-H", "Transfer-Encoding: chunked"), ("-H", "Expect:"):
        a = Answer(curl("-X", "PUT", *more, "-H", "Content-Type: application/json", "--data-binary", "@" + tmp + "/large",
                        "http://localhost/v1/config"))
        assert a.status == 413 and a.type == "application/problem+json" and a.json["status"] == 413, a.text
    # One that just fits is read.
    with open(tmp + "/large", "w") as f:
        f.write(json.dumps(ask("GET", "/v1/config").json).ljust(32 << 20))
    a = Answer(curl("-X", "PUT", "-H", "Content-Type: application/json", "--data-binary", "@" + tmp + "/large",
                    "http://localhost/v1/config"))
    assert a.status == 200, a.text


def run_keep_alive():
    s = connect()
    s.sendall(REQUEST)
    a = rest(s)     # it says so, and closes
    assert a.status == 200 and a.headers["connection"] == "close"
    s = connect()
    s.sendall(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert rest(s).status == 200
    # curl goes on with another connection, and what is sent ahead is not answered with something else's answer.
    out = curl("http://localhost/healthz", "http://localhost/v1/portals")
    assert out.count("200 OK") == 2, out
    s = connect()
    s.sendall(REQUEST + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert rest(s).json[0]["iqn"] == IQN


# What says "go on" is no answer: only that closes.
def run_expect():
    s = connect()
    s.sendall(b"PATCH /v1/limits HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    got = b""
    while b"\r\n\r\n" not in got:
        got += s.recv(4096)
    assert got.startswith(b"HTTP/1.1 100 ") and b"Connection" not in got, got
    s.sendall(b"{}")
    a = rest(s)
    assert a.status == 200 and a.headers["connection"] == "close"


def run_slow():
    body = json.dumps({"alias": "slow"}).encode()
    text = b"PATCH /v1/targets/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %u\r\n\r\n" % (IQN.encode(), len(body)) + body
    s = connect()
    for i, _ in enumerate(text):
        if i % 40 == 0:
            ask("GET", "/healthz", status=200)      # others are not kept waiting
        s.sendall(text[i:i + 1])
    assert rest(s).json["alias"] == "slow"
    s = connect()
    s.sendall(text[:-1])
    s.close()       # half of one is none
    ask("PATCH", "/v1/targets/" + IQN, {"alias": None}, status=200)


def run_many():
    all = [connect() for _ in range(64)]
    for s in all:
        s.sendall(REQUEST[:20])
    for s in all:
        s.sendall(REQUEST[20:])
    assert all[0] and [rest(s).status for s in all] == [200] * 64
    children = [subprocess.Popen(["curl", "-s", "--max-time", "60", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", sock,
                                  "http://localhost/v1/config"], stdout=subprocess.PIPE) for _ in range(64)]
    assert [c.communicate()[0] for c in children] == [b"200"] * 64
    ask("GET", "/healthz", status=200)


# ---- all of it ----

count = failed = 0


def check(name, run, *args):
    global count, failed
    count += 1
    try:
        run(*args)
        print("ok %u - %s" % (count, name))
    except Exception as e:      # an assertion, or what a wrong answer makes fail
        failed += 1
        print("# %s: %s" % (type(e).__name__, str(e)[:2000].replace("\n", "\n# ")))
        print("not ok %u - %s" % (count, name))


secret = tmp + "/secret"
with open(os.open(secret, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
    f.write("a secret of a dozen\n")
with open(tmp + "/routes.conf", "w") as f:
    f.write(CONF % (secret, IQN, secret))
daemon = subprocess.Popen([gotgt, "daemon", "--config", tmp + "/routes.conf", "--control", sock], stderr=subprocess.PIPE)
try:
    heard = b""
    while b"logical units" not in heard:
        line = daemon.stderr.readline()
        assert line, heard.decode()
        heard += line
    log = subprocess.Popen(["cat"], stdin=daemon.stderr, stdout=subprocess.DEVNULL)
    doc = json.loads(Answer(curl("http://localhost/openapi.json")).text)
    for path in doc["paths"]:
        check("%s: %s" % (path, " ".join(doc["paths"][path]).upper()), run_path, path)
    check("too large", run_large)
    check("one request a connection", run_keep_alive)
    check("100 Continue", run_expect)
    check("a slow client", run_slow)
    check("64 at once", run_many)
finally:
    daemon.terminate()
    code = daemon.wait()
print("1..%u" % count)
sys.exit(0 if count and not failed and code == 0 else 1)
