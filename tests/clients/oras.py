"""oras.py REPOSITORY TAG DIRECTORY: pulls every platform of an index and prints, as JSON, its digests and tags.

A pull unpacks a layer that is a gzipped tar into its directory.
"""

import hashlib
import json
import pathlib
import sys

import oras.client
import oras.defaults

repository, tag, directory = sys.argv[1:]


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


client = oras.client.OrasClient(insecure=True)
accept = {"Accept": ", ".join(oras.defaults.default_manifest_accepted_media_types)}
host, name = repository.split("/", 1)
index = client.do_request(f"http://{host}/v2/{name}/manifests/{tag}", headers=accept).content
files = []
for manifest in json.loads(index)["manifests"]:
    target = pathlib.Path(directory, manifest["platform"]["architecture"])
    client.pull(target=f"{repository}@{manifest['digest']}", outdir=str(target))
    files += [digest(file.read_bytes()) for file in target.rglob("*") if file.is_file()]
print(json.dumps({"index": digest(index), "tags": client.get_tags(repository), "files": files}))
