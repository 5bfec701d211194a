//! Tools without a daemon that copy images and artifacts: skopeo, crane, oras, apptainer, umoci.

use super::operations::{Operation, run};
use super::target::Target;

#[tokio::test]
async fn skopeo_works_as_it_does_directly() {
    const TLS: &str = "tls='--src-tls-verify=false --dest-tls-verify=false'";
    const OPERATIONS: &[Operation] = &[
        Operation::new(
            "pull index",
            "skopeo copy --all --preserve-digests --src-tls-verify=false docker://$NAMES/python:3.12 dir:pulled
            skopeo manifest-digest pulled/manifest.json | grep -x $INDEX",
        )
        .also_at_simulators(),
        Operation::new(
            "pull manifest",
            "skopeo inspect --tls-verify=false --format='{{.Digest}}' docker://$NAMES/python:3.12 | grep -x $INDEX",
        )
        .also_at_simulators(),
        Operation::new(
            "pull config",
            "skopeo inspect --tls-verify=false --config --raw docker://$NAMES/python:3.12 | sha256sum | grep ^${CONFIG#*:}",
        )
        .also_at_simulators(),
        Operation::new(
            "list tags",
            "skopeo list-tags --tls-verify=false docker://$NAMES/python | grep '\"3.12\"'",
        )
        .also_at_simulators(),
        Operation::new(
            "push index",
            "skopeo copy --all --preserve-digests --dest-tls-verify=false oci:$LAYOUT docker://$NAMES/pushed:1",
        )
        .stores("pushed", "1")
        .also_at_simulators(),
        Operation::new("copy", "skopeo copy --all $tls docker://$NAMES/python:3.12 docker://$NAMES/copied:1")
            .stores("copied", "1")
            .also_at_simulators(),
        Operation::new(
            "push zstd",
            "skopeo copy $tls --dest-compress-format=zstd docker://$NAMES/python:3.12 docker://$NAMES/zstd:1",
        )
        .stores("zstd", "1"),
        Operation::new("synchronize", "skopeo sync --all $tls --src docker --dest dir $NAMES/python:3.12 synchronized
            grep -r $MANIFEST synchronized"),
        Operation::new("delete", "skopeo delete --tls-verify=false docker://$NAMES/pushed:1").deletes("pushed", "1"),
        Operation::new("login", "skopeo login --tls-verify=false --authfile=auth.json -u any -p any $REGISTRY"),
    ];
    run("skopeo", "", Target::all().await, Vec::new(), TLS, OPERATIONS).await;
}

#[tokio::test]
async fn crane_works_as_it_does_directly() {
    const OPERATIONS: &[Operation] = &[
        Operation::new("pull index", "crane pull --format=oci $NAMES/python:3.12 pulled && grep $INDEX pulled/index.json")
            .also_at_simulators(),
        Operation::new("pull manifest", "crane digest $NAMES/python:3.12 | grep -x $INDEX").also_at_simulators(),
        Operation::new("pull config", "crane config --platform=linux/amd64 $NAMES/python:3.12 | grep amd64")
            .also_at_simulators(),
        Operation::new("pull blob", "crane blob $NAMES/python@$LAYER | sha256sum | grep ^${LAYER#*:}")
            .also_at_simulators(),
        Operation::new("validate", "crane validate --remote $NAMES/python:3.12"),
        Operation::new("list tags", "crane ls $NAMES/python | grep -x 3.12").also_at_simulators(),
        Operation::new("push index", "crane push --index $LAYOUT $NAMES/pushed:1").stores("pushed", "1").also_at_simulators(),
        Operation::new("copy", "crane copy $NAMES/python:3.12 $NAMES/copied:1").stores("copied", "1").also_at_simulators(),
        Operation::new(
            "mount",
            "crane copy --platform=linux/amd64 $NAMES/python:3.12 $NAMES/mounted:1 2>&1 | grep \"mounted blob: $LAYER\"",
        )
        .stores("mounted", "1"),
        Operation::new("tag", "crane tag $NAMES/python:3.12 another").stores("python", "another"),
        Operation::new(
            "append",
            "tar cf layer.tar --files-from=/dev/null
            crane append --platform=linux/amd64 -b $NAMES/python:3.12 -f layer.tar -t $NAMES/appended:1",
        )
        .stores("appended", "1"),
        Operation::new("catalog", "crane catalog $REGISTRY | grep -x library/python"),
        Operation::new("delete", "crane delete $NAMES/copied@$INDEX").deletes("copied", "1"),
        Operation::new("delete by tag", "crane delete $NAMES/pushed:1")
            .fails_because("Debian's registry deletes by digest only; crane does not look it up"),
        Operation::new("login", "crane auth login -u any -p any $REGISTRY"),
    ];
    run("crane", "", Target::all().await, Vec::new(), "", OPERATIONS).await;
}

#[tokio::test]
async fn oras_works_as_it_does_directly() {
    const PREPARATION: &str = "http=--plain-http from='--from-plain-http --to-plain-http'; echo hello >hello.txt";
    const OPERATIONS: &[Operation] = &[
        Operation::new(
            "push",
            "oras push $http --artifact-type application/vnd.test $NAMES/artifact:1 hello.txt:text/plain",
        )
        .stores("artifact", "1")
        .also_at_simulators(),
        Operation::new("pull", "oras pull $http -o pulled $NAMES/artifact:1 && cmp hello.txt pulled/hello.txt")
            .also_at_simulators(),
        Operation::new(
            "attach",
            "oras attach $http --artifact-type application/vnd.note $NAMES/artifact:1 hello.txt:text/plain",
        )
        .also_at_simulators(),
        Operation::new("discover", "oras discover $http --format tree $NAMES/artifact:1 | grep application/vnd.note")
            .also_at_simulators(),
        Operation::new(
            "discover by type",
            "oras discover $http --artifact-type application/vnd.none $NAMES/artifact:1 | grep -c vnd.note | grep -x 0",
        ),
        Operation::new(
            "copy with referrers",
            "oras copy $from --recursive $NAMES/artifact:1 $NAMES/copied:1
            oras discover $http $NAMES/copied:1 | grep application/vnd.note",
        )
        .stores("copied", "1"),
        Operation::new("copy", "oras copy $from $NAMES/python:3.12 $NAMES/python-copied:1")
            .stores("python-copied", "1"),
        Operation::new("pull manifest", "oras manifest fetch $http --descriptor $NAMES/python:3.12 | grep $INDEX")
            .also_at_simulators(),
        Operation::new(
            "pull config",
            "oras manifest fetch-config $http --platform linux/amd64 $NAMES/python:3.12 | grep amd64",
        ),
        Operation::new(
            "pull blob",
            "oras blob fetch $http -o layer $NAMES/python@$LAYER && sha256sum layer | grep ^${LAYER#*:}",
        ),
        Operation::new("push blob", "head -c 100000 /dev/urandom >blob && oras blob push $http $NAMES/artifact blob"),
        Operation::new("push index", "oras manifest index create $http $NAMES/python:index $MANIFEST")
            .stores("python", "index"),
        Operation::new("tag", "oras tag $http $NAMES/python:3.12 another").stores("python", "another"),
        Operation::new("list tags", "oras repo tags $http $NAMES/python | grep -x 3.12").also_at_simulators(),
        Operation::new("catalog", "oras repo ls $http $REGISTRY | grep -x library/python"),
        Operation::new(
            "back up and restore",
            "oras backup $http --include-referrers --output backup $NAMES/artifact:1
            oras restore $http --input backup $NAMES/restored:1",
        )
        .stores("restored", "1"),
        Operation::new("delete", "oras manifest delete $http --force $NAMES/copied:1").deletes("copied", "1"),
        Operation::new("delete blob", "oras blob delete $http --force $NAMES/python-copied@$LAYER"),
        Operation::new("login", "oras login $http -u any -p any $REGISTRY"),
    ];
    run("oras", "", Target::all().await, Vec::new(), PREPARATION, OPERATIONS).await;
}

#[tokio::test]
async fn apptainer_works_as_it_does_directly() {
    const OPERATIONS: &[Operation] = &[
        Operation::new("pull", "apptainer pull --no-https image.sif docker://$NAMES/python:3.12").also_at_simulators(),
        Operation::new("push", "apptainer push -U --no-https image.sif oras://$NAMES/sif:1")
            .stores("sif", "1")
            .also_at_simulators(),
        Operation::new(
            "pull artifact",
            "apptainer pull --no-https again.sif oras://$NAMES/sif:1 && cmp image.sif again.sif",
        )
        .also_at_simulators(),
        Operation::new("login", "apptainer registry login -u any -p any docker://$REGISTRY"),
    ];
    run("apptainer", "", Target::all().await, Vec::new(), "", OPERATIONS).await;
}

/// umoci itself works on folders only; skopeo brings images in and out.
#[tokio::test]
async fn umoci_changes_an_image_that_skopeo_pulls_and_pushes() {
    const OPERATIONS: &[Operation] = &[
        Operation::new(
            "unpack",
            "skopeo copy --src-tls-verify=false docker://$NAMES/python:3.12 oci:layout:python
            umoci unpack --image layout:python bundle && test -s bundle/rootfs/usr/share/payload",
        ),
        Operation::new(
            "repack and push",
            "echo hello >bundle/rootfs/hello.txt && umoci repack --image layout:changed bundle
            skopeo copy --dest-tls-verify=false oci:layout:changed docker://$NAMES/changed:1",
        )
        .stores("changed", "1"),
    ];
    run("umoci", "", Target::all().await, Vec::new(), "", OPERATIONS).await;
}
