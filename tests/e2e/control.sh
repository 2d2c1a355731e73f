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
check 'which a reload finds the same' reload 'nothing changed'
check 'a change that is not saved' ask DELETE /v1/targets/$iqn/luns/3 204
check 'goes with a reload' reload 'changes that were not saved are gone'
check 'and the LUN is back' ask GET /v1/targets/$iqn/luns/3 200
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
