#!/usr/bin/env bash
# aioregistry 0.7.3, containerimage-py 1.1.4, registry-api-v2-client 1.2.0 (PyPI): the tags of a repository, at a registry that lists
# them in pages without being asked to. The specification allows that, and most hosted registries do so after 50, 100 or 1000 tags.
#
# Expected: all tags, as their functions say ("a list of all tags", "the list of tags", "List all tags"), or a hint that there are more.
# Observed: the first page, without any hint. The Link header is not read.
# Known since: 2026-11-29.
source "$(dirname "$0")/lib.bash"
from_pypi aioregistry==0.7.3 containerimage-py==1.1.4 registry-api-v2-client==1.2.0
serve <<'PYTHON'
from registry import serve

TAGS = ["a", "b", "c", "d"]

def answer(request):
    version = {"Docker-Distribution-Api-Version": "registry/2.0"}
    rest = [tag for tag in TAGS if tag > request.query.get("last", "")]
    link = {"Link": f'</v2/team/app/tags/list?last={rest[1]}&n=2>; rel="next"'} if len(rest) > 2 else {}
    request.reply(200, {"name": "team/app", "tags": rest[:2]}, version | link)

serve(answer)
PYTHON
observed=$("$python" - "$port" 2>/dev/null <<'PYTHON'
import asyncio, sys
import aioregistry, registry_api_v2_client
from image.containerimage import ContainerImage

host = f"127.0.0.1:{sys.argv[1]}"

async def of_aioregistry():
    image = aioregistry.parse_image_name(f"{host}/team/app:a")
    async with aioregistry.AsyncRegistryClient() as client:
        return await client.registry_repo_tags(image.registry, image.repo)

tags = {
    "aioregistry": asyncio.run(of_aioregistry()),
    "containerimage-py": ContainerImage(f"{host}/team/app:a").list_tags({}, http=True)["tags"],
    "registry-api-v2-client": asyncio.run(registry_api_v2_client.list_tags(f"http://{host}", "team/app")),
}
print("; ".join(f"{client}: {' '.join(tags)}" for client, tags in tags.items()))
PYTHON
)
echo "the registry has, two a page: a b c d"
conclude "$observed" "aioregistry: a b; containerimage-py: a b; registry-api-v2-client: a b"
