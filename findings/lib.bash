# What every finding needs. Sourced, not run.
set -euo pipefail

findings=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
export HOME=$folder PYTHONDONTWRITEBYTECODE=1
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT

# Ends the script because it could not run.
cannot() {
    echo "cannot run: $*" >&2
    exit 2
}

# Installs packages of PyPI: from_pypi crpy==0.4.0. Afterwards "$python" is an interpreter that has them.
from_pypi() {
    { python3 -m venv "$folder/venv" && "$folder/venv/bin/pip" install --quiet "$@"; } >&2 || cannot "no $* from PyPI"
    python=$folder/venv/bin/python
}

# Installs packages of npm, without their own scripts. Afterwards node finds them.
from_npm() {
    npm install --no-update-notifier --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error "$@" >&2 || cannot "no $* from npm"
    export NODE_PATH=$folder/node_modules
}

# Starts the Python program on stdin, which uses registry.py. Afterwards it listens on $port.
serve() {
    cat >"$folder/server.py"
    exec 3< <(PYTHONPATH=$findings exec python3 "$folder/server.py" 2>"$folder/server.log")
    server=$!
    read -r port <&3 || cannot "the server ended: $(cat "$folder/server.log")"
}

# Compares what was observed with what this finding describes.
conclude() {
    local observed=$1 described=$2
    if [[ $observed == "$described" ]]; then
        echo "as described: $described"
    else
        printf 'CHANGED\n  described: %s\n  observed:  %s\n' "$described" "$observed"
        exit 1
    fi
}
