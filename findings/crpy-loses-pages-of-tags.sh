#!/usr/bin/env bash
# crpy 0.4.0 (PyPI): list_tags() on a registry that lists tags in pages.
#
# Expected: all tags, once. "It will retrieve all pages" (its docstring); the next page is at the URL of the Link header
# (distribution specification, "Listing Tags").
# Observed: it does not follow the URL but takes `last` from it with the pattern last=(\w+), so `last=b-1` becomes `last=b` and the
# second page begins with b-1 again. It requests the pages after that, too, but returns only the first two.
# Known since: 2026-11-29.
source "$(dirname "$0")/lib.bash"
from_pypi crpy==0.4.0
serve <<'PYTHON'
from registry import serve

TAGS = ["a", "b-1", "c", "d", "e", "f"]

def answer(request):
    rest = [tag for tag in TAGS if tag > request.query.get("last", "")]
    link = {"Link": f'</v2/app/tags/list?last={rest[1]}&n=2>; rel="next"'} if len(rest) > 2 else {}
    request.reply(200, {"name": "app", "tags": rest[:2]}, link)

serve(answer)
PYTHON
observed=$("$python" - "$port" <<'PYTHON'
import asyncio, sys
from crpy import RegistryInfo

print(*asyncio.run(RegistryInfo.from_url(f"http://127.0.0.1:{sys.argv[1]}/app").list_tags()))
PYTHON
)
echo "the registry has, two a page: a b-1 c d e f"
conclude "it lists: $observed" "it lists: a b-1 b-1 c"
