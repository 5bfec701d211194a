#!/usr/bin/env bash
# docker-registry (Debian; CNCF Distribution 2.8): a blob uploaded in chunks, of which the second is not the next one.
#
# Expected: 416. "If a chunk is uploaded out of order, the registry MUST respond with a 416 Requested Range Not Satisfiable code"
# (distribution specification, "Pushing a blob in chunks").
# Observed: 202. The Content-Range of a PATCH is not read: bytes 500-509 are stored as bytes 10-19, and the registry's own Range says so.
# A client that lost a chunk learns it only from the digest at the end.
# Known since: 2026-11-29, with 2.8.2+ds1.
source "$(dirname "$0")/lib.bash"
(cd "$folder" && apt-get --quiet=2 download docker-registry && dpkg --extract docker-registry_*.deb .) >&2 || cannot 'no docker-registry from Debian'
cat >"$folder/config.yml" <<YAML
version: 0.1
log: { accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: $folder/data } }
http: { addr: "127.0.0.1:0" }
YAML
exec 3< <(exec "$folder/usr/bin/docker-registry" serve "$folder/config.yml" 2>&1)
server=$!
until [[ ${line-} =~ listening\ on\ (127.0.0.1:[0-9]+) ]]; do read -r line <&3 || cannot 'the registry ended'; done
address=${BASH_REMATCH[1]}
cat <&3 >/dev/null &

header() { sed -n "s/^$1: *\(.*\)\r$/\1/ip" "$folder/headers"; }
curl --silent --dump-header "$folder/headers" --request POST "http://$address/v2/app/blobs/uploads/"
observed=
for range in 0-9 500-509; do
    status=$(curl --silent --dump-header "$folder/headers" --write-out '%{http_code}' --request PATCH --data-binary 0123456789 \
        --header 'Content-Type: application/octet-stream' --header "Content-Range: $range" "$(header Location)")
    observed+="$range: $status, the registry has $(header Range); "
done
conclude "$observed" "0-9: 202, the registry has 0-9; 500-509: 202, the registry has 0-19; "
