"""oras.py REPOSITORY FILE: pushes the file to REPOSITORY:whole in one piece and to REPOSITORY-chunked:chunked in chunks.

Prints, as JSON, the digests of both manifests. Also pushes the tag `gone` and deletes it.
"""

import json
import sys

import oras.client

repository, file = sys.argv[1:]
client = oras.client.OrasClient(insecure=True)


def push(tag, **options):
    pushed = client.push(f"{repository}:{tag}", files=[file], disable_path_validation=True, quiet=True, **options)
    return pushed.headers["Docker-Content-Digest"]


# The second push needs another repository: in the first one the blob exists already, and the client would upload nothing.
digests = {"whole": push("whole")}
repository += "-chunked"
digests["chunked"] = push("chunked", do_chunked=True, chunk_size=300_000)
push("gone", manifest_annotations={"of": "gone"})
assert client.delete_tag(f"{repository}:gone", "gone")
print(json.dumps(digests))
