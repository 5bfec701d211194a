//! podman and buildah.

use super::operations::{Operation, run};
use super::target::Target;

/// Makes the registry one that the engine reaches by HTTP.
macro_rules! plain_http {
    () => {
        "mkdir -p /etc/containers/registries.conf.d
        printf '[[registry]]\\nlocation = \"%s\"\\ninsecure = true\\n' $REGISTRY >/etc/containers/registries.conf.d/http.conf
        mkdir -p context && echo hello >context/hello.txt
        printf 'FROM %s\\nCOPY hello.txt /\\n' $NAMES/python:3.12 >context/Dockerfile\n"
    };
}

#[tokio::test]
async fn podman_works_as_it_does_directly() {
    const PREPARATION: &str = concat!(
        plain_http!(),
        "podman() {
            command podman --root=$HOME/storage --runroot=$HOME/run --storage-driver=vfs --events-backend=none \"$@\"
        }"
    );
    const OPERATIONS: &[Operation] = &[
        Operation::new("pull", "podman pull -q --platform=linux/amd64 $NAMES/python:3.12 | grep -x ${CONFIG#*:}")
            .also_at_simulators(),
        Operation::new("push", "podman push -q $NAMES/python:3.12 $NAMES/pushed:1").stores("pushed", "1").also_at_simulators(),
        Operation::new(
            "push zstd:chunked",
            "podman push -q --compression-format=zstd:chunked --force-compression $NAMES/python:3.12 $NAMES/chunked:1",
        )
        .stores("chunked", "1"),
        Operation::new(
            "push index",
            "podman manifest create $NAMES/index:1 docker://$NAMES/python:3.12
            podman manifest push --all $NAMES/index:1 docker://$NAMES/index:1",
        )
        .stores("index", "1"),
        Operation::new("pull manifest", "podman manifest inspect $NAMES/python:3.12 | grep $MANIFEST"),
        Operation::new(
            "build and push",
            "podman build -q --pull=always -t $NAMES/built:1 context && podman push -q $NAMES/built:1",
        )
        .stores("built", "1"),
        Operation::new(
            "push artifact",
            "podman artifact add $NAMES/artifact:1 context/hello.txt && podman artifact push $NAMES/artifact:1",
        )
        .stores("artifact", "1"),
        Operation::new("pull artifact", "podman artifact rm $NAMES/artifact:1 && podman artifact pull $NAMES/artifact:1"),
        Operation::new(
            "sign",
            "export COSIGN_PASSWORD=any && printf any >passphrase
            skopeo generate-sigstore-key --output-prefix=key --passphrase-file=passphrase
            mkdir -p /etc/containers/registries.d
            printf 'docker:\\n  %s:\\n    use-sigstore-attachments: true\\n' $REGISTRY >/etc/containers/registries.d/test.yaml
            podman push -q --sign-by-sigstore-private-key=key.private --sign-passphrase-file=passphrase \\
                $NAMES/python:3.12 $NAMES/signed:1",
        )
        .stores("signed", "1"),
        Operation::new(
            "verify",
            "mkdir -p /etc/containers/registries.d
            printf 'docker:\\n  %s:\\n    use-sigstore-attachments: true\\n' $REGISTRY >/etc/containers/registries.d/test.yaml
            echo '{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPath\": \"'$HOME/key.pub'\"}]}' >/etc/containers/policy.json
            podman pull -q $NAMES/signed:1 && ! podman pull -q $NAMES/pushed:1",
        ),
        Operation::new("list tags", "podman search --list-tags $NAMES/python | grep 3.12").also_at_simulators(),
        Operation::new("search", "podman search $REGISTRY/python | grep library/python"),
        Operation::new("login", "podman login --authfile=auth.json -u any -p any $REGISTRY"),
    ];
    run("podman", "", Target::all().await, Vec::new(), PREPARATION, OPERATIONS).await;
}

#[tokio::test]
async fn buildah_works_as_it_does_directly() {
    const PREPARATION: &str = concat!(
        plain_http!(),
        "buildah() { command buildah --root=$HOME/storage --runroot=$HOME/run --storage-driver=vfs \"$@\"; }"
    );
    const OPERATIONS: &[Operation] = &[
        Operation::new("pull", "buildah pull -q --platform=linux/amd64 $NAMES/python:3.12 | grep -x ${CONFIG#*:}")
            .also_at_simulators(),
        Operation::new(
            "commit and push",
            "container=$(buildah from $NAMES/python:3.12) && buildah copy -q $container context/hello.txt /
            buildah commit -q $container $NAMES/committed:1 && buildah push -q $NAMES/committed:1",
        )
        .stores("committed", "1")
        .also_at_simulators(),
        Operation::new(
            "build and push",
            "buildah build -q --pull=always -t $NAMES/built:1 context && buildah push -q $NAMES/built:1",
        )
        .stores("built", "1"),
        Operation::new(
            "push index",
            "buildah manifest create index && buildah manifest add --all index docker://$NAMES/python:3.12
            buildah manifest push --all index docker://$NAMES/index:1",
        )
        .stores("index", "1"),
        Operation::new("login", "buildah login --authfile=auth.json -u any -p any $REGISTRY"),
    ];
    run("buildah", "", Target::all().await, Vec::new(), PREPARATION, OPERATIONS).await;
}
