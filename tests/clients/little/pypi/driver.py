"""driver.py PACKAGE TESTBED: runs every operation of a Python package through regpass and directly at a registry.

TESTBED is the file that testbed.rs writes. Prints, as JSON, the package's version and the error of each operation, or null.
The operations of a package are the functions with `@operation` in the file of its name.
"""

import asyncio
import hashlib
import importlib.metadata
import importlib.util
import inspect
import json
import pathlib
import random
import signal
import sys
import urllib.error
import urllib.parse
import urllib.request

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MANIFESTS = ", ".join([OCI_INDEX, OCI_MANIFEST, DOCKER_MANIFEST])
KINDS = {
    OCI_MANIFEST: ("application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip"),
    DOCKER_MANIFEST: (
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ),
}

OPERATIONS = {}


def operation(name):
    """Declares a function, which may be a coroutine, as an operation. It is called with a Way and fails by an exception."""

    def declare(function):
        OPERATIONS[name] = function
        return function

    return declare


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def expect(actual, expected):
    if actual != expected:
        raise AssertionError(f"{str(actual)[:200]!r} instead of {str(expected)[:200]!r}")


def descriptor(media_type, content):
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


class Way:
    """How the client reaches the registry: through regpass without credentials, or directly with them."""

    def __init__(self, name, testbed, package, registry, listener):
        self.name = name
        if name == "direct":
            self.host = testbed["registries"][registry]
            self.scheme = "http" if registry == "token" else "https"
            known = registry != "open"
            self.username = testbed["username"] if known else None
            self.password = testbed["password"] if known else None
        else:
            self.host = testbed["regpass"][listener]
            self.scheme = "https" if listener == "https" else "http"
            self.username = self.password = None
            registry = "token"
        self.url = f"{self.scheme}://{self.host}"
        self.image = testbed["image"]
        self.repository = testbed["repository"]
        self._package = package.replace("/", "-").strip("@")
        self._check = f"http://{testbed['regpass']['http']}/v2/{registry}"

    def new_repository(self, operation):
        """A repository for one operation."""
        return f"little/{self._package}-{self.name}-{operation}"

    def bytes(self, seed, size=100_000):
        """Content that no other operation, client or way has."""
        return random.Random(f"{self._package} {self.name} {seed}").randbytes(size)

    def image_bytes(self, seed, kind=OCI_MANIFEST):
        """A new image: its config, its layer, and its manifest."""
        config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
        config = json.dumps(config | {"author": f"{self._package} {self.name} {seed}"}).encode()
        layer = self.bytes(seed)
        config_type, layer_type = KINDS[kind]
        manifest = {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": descriptor(config_type, config),
            "layers": [descriptor(layer_type, layer)],
        }
        return config, layer, json.dumps(manifest).encode()

    def read(self, repository, path):
        """Reads from the client's registry, through regpass, without the client."""
        with self._request("GET", f"{repository}/{path}", {"Accept": MANIFESTS}) as reply:
            return reply.read()

    def exists(self, repository, path):
        try:
            self.read(repository, path)
            return True
        except urllib.error.HTTPError as error:
            expect(error.code, 404)
            return False

    def store(self, repository, tag, kind=OCI_MANIFEST):
        """Pushes a new image without the client. Returns its config, its layer, and its manifest."""
        config, layer, manifest = self.image_bytes(f"{repository}:{tag}", kind)
        for blob in (config, layer):
            self.store_blob(repository, blob)
        self.store_manifest(repository, tag, manifest, kind)
        return config, layer, manifest

    def store_manifest(self, repository, tag, manifest, kind):
        self._request("PUT", f"{repository}/manifests/{tag}", {"Content-Type": kind}, manifest).close()

    def store_blob(self, repository, blob):
        headers = {"Content-Type": "application/octet-stream"}
        with self._request("POST", f"{repository}/blobs/uploads/", {}, b"") as reply:
            location = reply.headers["Location"]
        url = urllib.parse.urljoin(self._check, location)
        separator = "&" if "?" in url else "?"
        put = urllib.request.Request(f"{url}{separator}digest={digest(blob)}", blob, headers, method="PUT")
        urllib.request.urlopen(put).close()

    def expect_image(self, repository, tag, config, layer):
        """Checks that the tag is an image with this config and this layer."""
        manifest = json.loads(self.read(repository, f"manifests/{tag}"))
        expect(manifest["config"]["digest"], digest(config))
        expect([layer["digest"] for layer in manifest["layers"]], [digest(layer)])
        expect(self.read(repository, f"blobs/{digest(layer)}"), layer)

    def _request(self, method, path, headers, body=None):
        return urllib.request.urlopen(urllib.request.Request(f"{self._check}/{path}", body, headers, method=method))


def run(function, way):
    """Runs an operation. Returns its error, or None."""

    def stop(*_):
        raise TimeoutError("still running after 60 s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    try:
        result = function(way)
        if inspect.iscoroutine(result):
            asyncio.run(result)
        return None
    # Some packages end the process when they fail.
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {error}"[:400]
    finally:
        signal.alarm(0)


def main():
    package, testbed = sys.argv[1:]
    report = sys.stdout
    # What the packages print is not part of the report.
    sys.stdout = sys.stderr
    sys.modules["driver"] = sys.modules["__main__"]
    file = pathlib.Path(__file__).parent / (package.replace("-", "_") + ".py")
    spec = importlib.util.spec_from_file_location("operations", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    testbed = json.loads(pathlib.Path(testbed).read_text())
    ways = {
        "through_regpass": Way("through", testbed, package, module.REGISTRY, module.LISTENER),
        "direct": Way("direct", testbed, package, module.REGISTRY, module.LISTENER),
    }
    operations = []
    for name, function in OPERATIONS.items():
        operations.append({"name": name} | {key: run(function, way) for key, way in ways.items()})
    json.dump({"version": importlib.metadata.version(package), "operations": operations}, report)


if __name__ == "__main__":
    main()
