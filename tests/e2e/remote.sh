#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The daemon's control interface over TCP: who is let in, by curl and by gotgt itself; with and without TLS.
. "${srcdir:-.}/tests/tap.sh"
tap_need curl
export LC_ALL=C
unset GOTGT_HOST GOTGT_TOKEN_FILE GOTGT_CACERT

conf=$tap_tmp/gotgt.conf
log=$tap_tmp/log
token=$tap_tmp/token
iqn=iqn.2016-09.com.example:one
secret=0123456789abcdef-._~+/0123456789==

write() # SETTING-OF-CONTROL...
{
	cat >"$conf" <<-END
	control: { $* };
	portals = ( { address = "127.0.0.1"; port = 0; } );
	targets = ( { iqn = "$iqn"; open = true; luns = ( { number = 0; plugin = "null"; settings: { size = "1M"; }; } ); } );
	END
}

tell() # TOKEN
{
	rm -f "$token"
	(umask 077 && printf '%s\n' "$1" >"$token")
}

# What it says is wrong, at a check and at a start alike.
refused() # TEXT OPTION...
{
	text=$1
	shift
	for way in --check --foreground; do
		tap_exits 1 "$gotgt" daemon "$way" --config "$conf" "$@" && grep -F -e "$text" "$tap_tmp/err" &&
			! grep -F -e "$secret" "$tap_tmp/err" || { cat "$tap_tmp/err"; return 1; }
	done
}

start() # OPTION...
{
	: >"$log"
	"$gotgt" daemon --config "$conf" --log debug "$@" 2>"$log" &
	pid=$!
	tap_wait "$log" "logical units" || { cat "$log"; return 1; }
	url=$(sed -n 's,.*control \(tcp\|https\)://\(.*\): listening,\2,p' "$log" | head -n 1)
	port=${url##*:}
}

stop()
{
	kill -TERM "$pid"
	tap_join "$pid"
}

# ask PATH STATUS [CURL-OPTION...]
ask()
{
	at=$1 want=$2
	shift 2
	got=$(curl -s -S -i --max-time 20 -o "$tap_tmp/out" -w '%{http_code}' "$@" "$scheme://127.0.0.1:$port$at") || return 1
	cat "$tap_tmp/out"
	[ "$got" = "$want" ]
}

has()
{
	grep -qF -e "$1" "$tap_tmp/out" || { cat "$tap_tmp/out"; return 1; }
}

has_not()
{
	! grep -F -e "$1" "$tap_tmp/out"
}

bearer="Authorization: Bearer $secret"
scheme=http
write

# ---- what is not started ----

tell "$secret"
check 'no token' refused 'control address 127.0.0.1:0: wants a token-file' --host tcp://127.0.0.1:0
check 'no token, elsewhere' refused 'control address 0.0.0.0:0: wants a token-file' --host tcp://0.0.0.0:0
check 'no TLS' refused 'control address 192.0.2.1:1: wants a tls-certificate' --host tcp://192.0.2.1:1 --token-file "$token"
check 'no TLS, IPv6' refused 'control address [::]:0: wants a tls-certificate' --host 'tcp://[::]:0' --token-file "$token"
check 'no address' refused 'control address "x:1": expected ADDRESS:PORT' --host tcp://x:1 --token-file "$token"
check 'no file' refused "control token-file $token.x: No such file" --host tcp://127.0.0.1:0 --token-file "$token.x"
check 'no URL' tap_exits 2 "$gotgt" daemon --config "$conf" --host 127.0.0.1:1
chmod 640 "$token"
check 'a token that a group can read' refused 'group or others have access to it, mode 0640' --host tcp://127.0.0.1:0 --token-file "$token"
tell short
check 'a short token' refused 'expected 16 to 255 characters' --host tcp://127.0.0.1:0 --token-file "$token"
tell "not a token, but words"
check 'a token with spaces' refused 'expected one line of letters' --host tcp://127.0.0.1:0 --token-file "$token"
write 'without-token = true; addresses = [ "127.0.0.1:0", "0.0.0.0:0" ];'
check 'every user of all machines' refused 'control address 0.0.0.0:0: wants a token-file'
write 'tls-key = "/x";'
check 'a key without a certificate' refused 'control tls-key: wants a tls-certificate'

# ---- a token ----

tell "$secret"
write "addresses = [ \"127.0.0.1:0\" ]; token-file = \"$token\";"
check 'start' start
check 'no token: 401' ask /v1/config 401
check 'which says what is wanted' has 'WWW-Authenticate: Bearer realm="gotgt"'
check 'as a problem' has 'application/problem+json'
check 'another token: 401' ask /v1/config 401 -H "Authorization: Bearer ${secret}0"
check 'which says so' has 'error="invalid_token"'
check 'part of it: 401' ask /v1/config 401 -H "Authorization: Bearer ${secret%=}"
check 'an empty one: 401' ask /v1/config 401 -H "Authorization: Bearer "
check 'by Basic: 401' ask /v1/config 401 -u "gotgt:$secret"
check 'in the query: 401' ask "/v1/config?access_token=$secret" 401
check 'no change without: 401' ask "/v1/targets/$iqn" 401 -X DELETE
check 'OPTIONS without: 401' ask /v1/targets 401 -X OPTIONS
check 'not even whether it is well: 401' ask /healthz 401
head -c 4000000 /dev/zero >"$tap_tmp/large"
check 'a body without: 401' ask /v1/config 401 -X PUT -H Expect: --data-binary "@$tap_tmp/large"
check 'the token' ask /v1/config 200 -H "$bearer"
check 'is in no answer' has_not "$secret"
check 'its scheme in small letters' ask /v1/status 200 -H "authorization: bearer $secret"
check 'which says the address' has "\"tcp://127.0.0.1:$port\""
check 'the target is there' ask "/v1/targets/$iqn" 200 -H "$bearer"
check 'a change' ask "/v1/targets/$iqn" 200 -X PATCH -H "$bearer" -H Content-Type:application/json -d '{"alias":"far"}'
check 'a name of somebody else: 421' ask /v1/status 421 -H "$bearer" -H 'Host: rebound.example'
check 'such a name with a port: 421' ask /v1/status 421 -H "$bearer" -H "Host: 127.0.0.1.example:$port"
check 'localhost' ask /v1/status 200 -H "$bearer" -H "Host: localhost:$port"
check 'a page in a browser: 403' ask /v1/status 403 -H "$bearer" -H 'Origin: http://127.0.0.1'
check 'gets no leave' has_not Access-Control
check 'the unix socket needs none' curl -s -S -f --unix-socket "$tap_tmp/run/gotgt.sock" http://localhost/v1/status
check 'nothing of it in the log' sh -c "! grep -F '$secret' '$log'"

# ---- gotgt itself ----

check 'gotgt, without a token' tap_exits 1 "$gotgt" list target --host "tcp://127.0.0.1:$port"
check 'says what is missing' grep -q 'a token is needed' "$tap_tmp/err"
check 'gotgt, with it' tap_exits 0 "$gotgt" list target --host "tcp://127.0.0.1:$port" --token-file "$token"
check 'lists' grep -q "$iqn" "$tap_tmp/out"
check 'options in front' "$gotgt" --token-file "$token" --host="tcp://127.0.0.1:$port" show target "$iqn"
check 'by the environment' env GOTGT_HOST="http://127.0.0.1:$port/" GOTGT_TOKEN_FILE="$token" "$gotgt" log-level
check 'no proxy is asked' env http_proxy=http://127.0.0.1:1 "$gotgt" list target --host "tcp://127.0.0.1:$port" --token-file "$token"
cp "$token" "$token.open" && chmod 644 "$token.open"
check 'a token that all can read' tap_exits 2 "$gotgt" list target --host "tcp://127.0.0.1:$port" --token-file "$token.open"
check 'is not sent' grep -q 'group or others have access' "$tap_tmp/err"
check 'no address' tap_exits 2 "$gotgt" list target --host "tcp://127.0.0.1"
check 'nobody there' tap_exits 3 "$gotgt" list target --host "tcp://127.0.0.1:1" --token-file "$token"

# ---- another token ----

reload() # TEXT
{
	: >"$log"
	kill -HUP "$pid"
	tap_wait "$log" "$1"
}
chmod 640 "$token"
check 'a reload, the token no longer secret' reload 'not applied'
check 'the old one still is' ask /v1/status 200 -H "$bearer"
tell "${secret}0new"
check 'one that is no token' reload 'not applied'
tell "another-$secret"
check 'a reload, another token' reload 'changes that were not saved are gone'
check 'the old one is none any more' ask /v1/status 401 -H "$bearer"
check 'the new one is' ask /v1/status 200 -H "Authorization: Bearer another-$secret"
check 'stop' stop
tell "$secret"

write 'without-token = true; socket = "off";'
check 'without a token, as said' start --host tcp://127.0.0.1:0
check 'is answered' ask /v1/status 200
check 'not a page in a browser' ask /v1/config/save 403 -X POST -H 'Origin: null'
check 'not another name' ask /v1/status 421 -H 'Host: rebound.example'
check 'and there is no unix socket' test ! -e "$tap_tmp/run/gotgt.sock"
check 'stop' stop

# ---- TLS ----

if ! command -v openssl >/dev/null; then
	tap_skip 'TLS' 'openssl is not installed'
	tap_end
fi
sign() # NAME SUBJECT-ALTERNATIVE-NAME
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$tap_tmp/$1.key" -out "$tap_tmp/$1.pem" \
		-days 2 -subj "/CN=$1" -addext "subjectAltName=$2"
}
check 'certificates' sign us IP:127.0.0.1,DNS:us.example
check 'of others' sign them DNS:them.example
tls="addresses = [ \"127.0.0.1:0\" ]; token-file = \"$token\"; tls-certificate = \"$tap_tmp/us.pem\"; tls-key = \"$tap_tmp/us.key\";"
write "$tls"
if ! "$gotgt" daemon --check --config "$conf" 2>"$tap_tmp/err" && grep -q glib-networking "$tap_tmp/err"; then
	tap_skip 'TLS' 'glib-networking is not installed'
	tap_end
fi
# ThreadSanitizer does not see how GLib hands a connection to the thread that shakes hands, and back.
if TSAN_OPTIONS=help=1 "$gotgt" --version 2>&1 | grep -q 'flags for ThreadSanitizer'; then
	tap_skip 'TLS' 'ThreadSanitizer does not know the locks of GLib'
	tap_end
fi
scheme=https
# LeakSanitizer does not survive the threads of a handshake that have just ended.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS
ca="--cacert $tap_tmp/us.pem"
check 'TLS' start
check 'is told' grep -q "control https://127.0.0.1:$port: listening" "$log"
check 'no token: 401' ask /v1/config 401 $ca
check 'the token' ask /v1/config 200 $ca -H "$bearer"
check 'the name of the certificate' ask /v1/config 200 $ca -H "$bearer" -H "Host: us.example:$port"
check 'another name: 421' ask /v1/config 421 $ca -H "$bearer" -H "Host: them.example:$port"
check 'in the clear it is nothing' sh -c "! curl -s --max-time 20 -f -H '$bearer' http://127.0.0.1:$port/v1/config"
check 'gotgt' "$gotgt" --host "https://127.0.0.1:$port" --token-file "$token" $ca list target
check 'gotgt, tcp://' "$gotgt" list target --host "tcp://127.0.0.1:$port" --token-file "$token" $ca
check 'gotgt, by its environment' env GOTGT_CACERT="$tap_tmp/us.pem" GOTGT_TOKEN_FILE="$token" GOTGT_HOST="https://127.0.0.1:$port" \
	"$gotgt" apply --dry-run "$conf"
check 'gotgt, a certificate named from here' "$gotgt" list target --host "https://127.0.0.1:$port" --token-file "$token" \
	--cacert "$(realpath --relative-to=. "$tap_tmp/us.pem")"
check 'gotgt trusts nobody it was not told of' tap_exits 3 "$gotgt" list target --host "https://127.0.0.1:$port" --token-file "$token"
check 'and says so' grep -qi certificate "$tap_tmp/err"
check 'nor somebody else' tap_exits 3 "$gotgt" list target --host "https://127.0.0.1:$port" --token-file "$token" --cacert "$tap_tmp/them.pem"
# What 20 connections that ask for nothing cost is theirs, and not the authorities of the system for each: 80 MiB.
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"; }
hold()
{
	before=$(resident) held='' i=0 same=0
	while [ $i -lt 20 ]; do
		i=$((i + 1))
		: >"$tap_tmp/held.$i"
		openssl s_client -connect "127.0.0.1:$port" <&9 >"$tap_tmp/held.$i" 2>/dev/null &
		held="$held $!"
		tap_wait "$tap_tmp/held.$i" 'Verify return code' || same=1
	done
	grown=$(($(resident) - before))
	kill $held
	wait $held 2>/dev/null
	echo "$grown KiB"
	[ $same = 0 ] && [ "$grown" -lt 20480 ]
}
if grep -aq __asan_init "$gotgt"; then
	tap_skip 'memory of connections' 'a sanitizer has its own'
else
	mkfifo "$tap_tmp/silence"
	exec 9<>"$tap_tmp/silence"
	check 'memory of connections' hold
	exec 9>&-
fi
# A hundred that begin with TLS and say no more, each as long as it is let.  They have only their own threads.
stall()
{
	: >"$tap_tmp/stalled"
	python3 - "$port" >"$tap_tmp/stalled" 2>&1 <<-'END' &
	import socket, sys, time
	held = []
	for i in range(100):
	    held.append(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
	    held[-1].sendall(bytes.fromhex("1603010200010001fc0303"))
	print("stalled", flush = True)
	time.sleep(60)
	END
	stalling=$!
	tap_wait "$tap_tmp/stalled" stalled
}
if command -v python3 >/dev/null; then
	check 'handshakes that stall' stall
	check 'keep nobody waiting' ask /v1/config 200 $ca -H "$bearer" --max-time 8
	kill "$stalling"
fi
cp "$tap_tmp/us.pem" "$tap_tmp/old.pem"
check 'another certificate' sign us IP:127.0.0.1
check 'after a reload' reload 'nothing changed'
check 'is the one' ask /v1/config 200 $ca -H "$bearer"
check 'and the old one not' tap_exits 3 "$gotgt" list target --host "https://127.0.0.1:$port" --token-file "$token" --cacert "$tap_tmp/old.pem"
check 'stop' stop
chmod 644 "$tap_tmp/us.key"
check 'a key that all can read' refused 'others have access to it, mode 0644'
chmod 600 "$tap_tmp/us.key"
write "$tls tls-client-ca = \"$(realpath --relative-to=. "$tap_tmp/them.pem")\";"
check 'certificates of clients' start
check 'none' sh -c "! curl -s --max-time 20 -f $ca -H '$bearer' https://127.0.0.1:$port/v1/config"
check 'of somebody else' sh -c "! curl -s --max-time 20 -f $ca --cert '$tap_tmp/us.pem' --key '$tap_tmp/us.key' -H '$bearer' https://127.0.0.1:$port/v1/config"
check 'the one' ask /v1/config 200 $ca --cert "$tap_tmp/them.pem" --key "$tap_tmp/them.key" -H "$bearer"
check 'which is no token' ask /v1/config 401 $ca --cert "$tap_tmp/them.pem" --key "$tap_tmp/them.key"
check 'stop' stop
write "$tls"
check 'all addresses' start --host tcp://0.0.0.0:0
check 'with TLS' ask /v1/config 200 $ca -H "$bearer"
check 'stop' stop
echo nonsense >"$tap_tmp/us.pem"
check 'no certificate' refused "control tls-certificate $tap_tmp/us.pem: "
tap_end
