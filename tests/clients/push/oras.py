"""oras.py REPOSITORY FILE: pushes the file as two artifacts, `whole` in one piece and `chunked` in many.

Prints, as JSON, the digests of both manifests; then deletes the tag `gone`, which it has pushed as well.
"""

import json
import sys

import oras.client

repository, file = sys.argv[1:]
client = oras.client.OrasClient(insecure=True)


def push(tag, **options):
    pushed = client.push(f"{repository}:{tag}", files=[file], disable_path_validation=True, quiet=True, **options)
    return pushed.headers["Docker-Content-Digest"]


# The registry has the blob of the first push when the second one begins: another repository has not.
digests = {"whole": push("whole")}
repository += "-chunked"
digests["chunked"] = push("chunked", do_chunked=True, chunk_size=300_000)
push("gone", manifest_annotations={"of": "gone"})
assert client.delete_tag(f"{repository}:gone", "gone")
print(json.dumps(digests))
