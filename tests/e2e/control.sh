#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The control socket of a daemon, by curl.
. "${srcdir:-.}/tests/tap.sh"
tap_need curl
export LC_ALL=C

conf=$tap_tmp/gotgt.conf
log=$tap_tmp/log
sock=$tap_tmp/run/gotgt.sock
iqn=iqn.2016-09.com.example:one

# ask METHOD PATH STATUS [BODY]: the answer is in out.
ask()
{
	got=$(curl -s -S --max-time 20 --unix-socket "$sock" -o "$tap_tmp/out" -w '%{http_code}' -X "$1" \
		${4:+-H Content-Type:application/json -d "$4"} "http://localhost$2") || return 1
	cat "$tap_tmp/out"
	echo "$got"
	[ "$got" = "$3" ]
}

has()
{
	grep -qF -e "$1" "$tap_tmp/out" || { cat "$tap_tmp/out"; return 1; }
}

start() # OPTION...
{
	: >"$log"
	"$gotgt" daemon --config "$conf" "$@" 2>"$log" &
	daemon_pid=$!
	tap_wait "$log" "logical units" || { cat "$log"; return 1; }
}

stop()
{
	kill -TERM "$daemon_pid"
	tap_join "$daemon_pid"
}

cat >"$conf" <<END
# A comment, which is lost.
portals = ( { address = "127.0.0.1"; port = 0; } );
targets = ( { iqn = "$iqn"; luns = ( { number = 0; plugin = "null"; settings: { size = "1M"; }; } ); } );
END

check 'start' start
mode()
{
	[ "$(stat -c %a "$sock")" = 660 ]
}
check 'the mode of the socket' mode
check 'healthz' ask GET /healthz 200
check 'numbers' ask GET "/v1/stats?buckets=0" 200
check 'of each LUN' has '"luns":[{"lun":0,"commands":0,'
check 'as OpenMetrics' ask GET /metrics 200
check 'to its end' has '# EOF'
check 'a target' ask GET /v1/targets/$iqn 200
check 'a new LUN' ask PUT /v1/targets/$iqn/luns/3 201 '{"plugin": "null", "settings": {"size": "2M"}}'
said()
{
	grep -qF -e "$1" "$log" || { cat "$log"; return 1; }
}
check 'is there' said "lun 3: added"
check 'what it cannot be' ask PUT /v1/targets/$iqn/luns/4 422 '{"plugin": "null", "block-size": 3}'
check 'names field and reason' has '"field" : "block-size"'
check 'save' ask POST /v1/config/save 200
saved()
{
	"$gotgt" daemon --check --config "$conf" && grep -q 'size = "2M"' "$conf" && ! grep -q comment "$conf" &&
		! grep -q state-dir "$conf"
}
check 'what was saved is a file' saved
reload()
{
	: >"$log"
	kill -HUP "$daemon_pid"
	tap_wait "$log" "$1"
}
check 'what a person had written is beside it' grep -q comment "$conf~"
check 'which a reload finds the same' reload 'nothing changed'
echo '# a second comment' >>"$conf"
check 'a file that was edited since is not saved over' ask POST /v1/config/save 409
check 'and says why' has 'was changed since it was read'
check 'but beside' ask POST /v1/config/save 200 '{"name": "beside.conf"}'
check 'edited, it is as it was' grep -q 'second comment' "$conf"
check 'when it has been read' reload 'nothing changed'
check 'it is saved over again' ask POST /v1/config/save 200
check 'and kept beside again' grep -q 'second comment' "$conf~"
sed -i 's/^portals/log-level = "info"; # of joe\n&/' "$conf"
check 'a comment behind something' reload 'nothing changed'
mkdir "$conf~.d" && mv "$conf~" "$conf~.d/" && mkdir "$conf~"
check 'what cannot be kept is not saved over' ask POST /v1/config/save 500
check 'and it says what could not be' has 'or keeping what was there'
check 'it is as it was' grep -q 'of joe' "$conf"
rmdir "$conf~" && mv "$conf~.d/"* "$conf~" && rmdir "$conf~.d"
ln "$conf~" "$tap_tmp/older"
check 'when it can be, it is saved' ask POST /v1/config/save 200
check 'and kept' grep -q 'of joe' "$conf~"
check 'which leaves other links of what was kept before' grep -q 'second comment' "$tap_tmp/older"
check 'a third time there is nothing to keep' ask POST /v1/config/save 200
check 'and what is kept stays' grep -q 'of joe' "$conf~"
ln -s "${conf##*/}" "$tap_tmp/link.conf"
echo '# a fourth comment' >>"$conf"
check 'edited, it is not saved over by another name either' ask POST /v1/config/save 409 '{"name": "link.conf"}'
check 'and read again' reload 'nothing changed'
cp "$conf" "$tap_tmp/whole.conf"
sed '/targets/,$d' "$tap_tmp/whole.conf" >"$conf"
check 'a file that was cut ends nothing' reload 'targets: is missing, and there are 1'
: >"$conf"
check 'nor does an empty one' reload 'targets: is missing, and there are 1'
check 'the target is there' ask GET /v1/targets/$iqn 200
cp "$tap_tmp/whole.conf" "$conf"
check 'a whole one is as before' reload 'nothing changed'
check 'a change that is not saved' ask DELETE /v1/targets/$iqn/luns/3 204
check 'goes with a reload' reload 'changes that were not saved are gone'
check 'and the LUN is back' ask GET /v1/targets/$iqn/luns/3 200
# A file that lost its name is all there is of its data: it stays open.
lost='{"plugin": "file", "settings": {"path": "'$tap_tmp/lost.img'", "size": "1M", "create": "yes"}'
check 'a LUN whose file is made' ask PUT /v1/targets/$iqn/luns/6 201 "$lost}"
check 'which is logged' said 'lost.img: it was missing, and is made, empty, with 1048576 bytes'
rm "$tap_tmp/lost.img"
check 'deleted, it is not closed for a change' ask PUT /v1/targets/$iqn/luns/6 422 "$lost, \"read-only\": true}"
check 'and the reason is told' has 'lost.img was deleted or replaced since it was opened'
not_made()
{
	[ ! -e "$tap_tmp/lost.img" ] && find "/proc/$daemon_pid/fd" -lname '*lost.img (deleted)' | grep -q .
}
check 'what is open is still it' not_made
sed 's/plugin = "null"/plugin = "nosuch"/' "$tap_tmp/whole.conf" >"$conf"
check 'a reload that is refused says why' reload 'no nosuch.so'
check 'and that it was' said 'not applied, everything stays as it was'
cp "$tap_tmp/whole.conf" "$conf"
check 'after which it is still open' not_made
check 'it can be removed' ask DELETE /v1/targets/$iqn/luns/6 204
secret='{"user": "joe", "secret": "twelve bytes!"}'
chmod 644 "$conf"
check 'a secret' ask PUT /v1/targets/$iqn/accounts/joe 201 "$secret"
check 'is saved' ask POST /v1/config/save 200
mode_is()
{
	[ "$(stat -c %a "$conf")" = "$1" ]
}
check 'and not for everybody any more' mode_is 640
check 'without it' ask DELETE /v1/targets/$iqn/accounts/joe 204
check 'it is saved again' ask POST /v1/config/save 200
echo precious >"$tap_tmp/precious.conf"
check 'another file' ask POST /v1/config/save 200 '{"name": "precious.conf"}'
check 'is kept' grep -q precious "$tap_tmp/precious.conf~"
second()
{
	"$gotgt" daemon --config "$conf" --control "$sock" 2>"$tap_tmp/second"
	[ $? -eq 1 ] && grep -q "control socket $sock: " "$tap_tmp/second"
}
check 'a second daemon does not take the socket' second
check 'which still answers' ask GET /healthz 200
killed()
{
	kill -KILL "$daemon_pid"
	wait "$daemon_pid"
	[ -S "$sock" ]
}
check 'a daemon that is killed leaves its socket' killed
check 'the next one replaces it' start
check 'and answers there' ask GET /healthz 200
gone()
{
	stop && [ ! -e "$sock" ]
}
check 'a stop removes it' gone
check '--control as --host has it' start --control "unix:$sock"
check 'is that socket' ask GET /healthz 200
check 'stop' stop
check 'no socket' start --control off
check 'is none' test ! -e "$sock"
check 'stop' stop

# Two that read, add one and write, each as often: with If-Match nothing of the other is written over.
adds() # NAME
{
	added=0
	until [ $added -eq 10 ]; do
		curl -s --max-time 20 --unix-socket "$sock" -D "$tap_tmp/$1.head" "http://localhost/v1/targets/$iqn" >"$tap_tmp/$1" ||
			return 1
		etag=$(tr -d '\r' <"$tap_tmp/$1.head" | sed -n 's/^[Ee][Tt]ag: //p')
		n=$(sed -n 's/.*"max-sessions" : \([0-9]*\).*/\1/p' "$tap_tmp/$1")
		got=$(curl -s --max-time 20 --unix-socket "$sock" -o /dev/null -w '%{http_code}' -X PATCH -H "If-Match: $etag" \
			-H Content-Type:application/json -d "{\"max-sessions\": $((n + 1))}" "http://localhost/v1/targets/$iqn")
		case $got in 200) added=$((added + 1)) ;; 412) ;; *) echo "$got"; return 1 ;; esac
	done
}
both_add()
{
	adds first & one=$!
	adds second & two=$!
	wait $one && wait $two && ask GET "/v1/targets/$iqn" 200 && has '"max-sessions" : 20,'
}
check 'start' start
check 'no update is lost of two writers at once' both_add
check 'stop' stop

# A document that a validator of others takes, where .ci/run or somebody has installed one.
validate=${OPENAPI_VALIDATE:-validate-api}
if command -v "$validate" >/dev/null && check 'start for its OpenAPI' start; then
	check 'OpenAPI' ask GET /openapi.json 200
	cp "$tap_tmp/out" "$tap_tmp/openapi.json"
	check 'is valid' "$validate" "$tap_tmp/openapi.json"
	sed 's/"required" : true/"required" : "yes"/' "$tap_tmp/openapi.json" >"$tap_tmp/broken.json"
	check 'another one would not be' tap_exits 1 "$validate" "$tap_tmp/broken.json"
	check 'stop' stop
else
	tap_skip 'OpenAPI' 'no validate-api (npm: @seriousme/openapi-schema-validator)'
fi
tap_end
