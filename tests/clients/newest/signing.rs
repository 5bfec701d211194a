//! Signatures and attestations: cosign and notation. Both store them as referrers of the image.

use super::operations::{Operation, run};
use super::target::Target;

#[tokio::test]
async fn cosign_works_as_it_does_directly() {
    // Without a signing configuration, cosign sends signatures to a public log.
    const PREPARATION: &str = "export COSIGN_PASSWORD=any; image=$NAMES/python@$INDEX
        config='--signing-config=config.json' key='--key=cosign.pub --insecure-ignore-tlog=true'
        [ -e cosign.key ] || { cosign generate-key-pair && cosign signing-config create --out config.json; }";
    const OPERATIONS: &[Operation] = &[
        Operation::new("sign", "cosign sign --yes --key=cosign.key $config $image").also_at_simulators(),
        Operation::new("verify", "cosign verify $key $image").also_at_simulators(),
        Operation::new("discover", "cosign tree $image | grep sigstore.dev/cosign/sign/v1"),
        Operation::new(
            "attest",
            "echo '{\"a\": 1}' >predicate.json
            cosign attest --yes --key=cosign.key $config --predicate=predicate.json --type=custom $image",
        )
        .also_at_simulators(),
        Operation::new("verify attestation", "cosign verify-attestation $key --type=custom $image").also_at_simulators(),
        Operation::new("download signature", "cosign download signature $image | grep sigstore.bundle"),
        Operation::new(
            "sign with tag",
            "cosign sign --yes --key=cosign.key --use-signing-config=false --tlog-upload=false --new-bundle-format=false $image
            cosign verify $key --new-bundle-format=false $image
            crane ls $NAMES/python | grep -x sha256-${INDEX#*:}.sig",
        ),
        Operation::new("attach", "echo '{}' >sbom.json && cosign attach sbom --sbom=sbom.json $image"),
        // cosign pushes manifests in parallel. Debian's registry then reads the link to a manifest while another request is
        // still writing it, and rejects the index that names it.
        Operation::new("copy", "copy() { cosign copy $image $NAMES/copied:1; }; copy || copy || copy").stores("copied", "1"),
        Operation::new("save and load", "cosign save --dir=saved $image && cosign load --dir=saved $NAMES/loaded:1")
            .fails_because("cosign does not save the blobs of signatures in the new format, which its load then misses"),
        Operation::new("delete", "cosign clean --force $image"),
        Operation::new("login", "cosign login -u any -p any $REGISTRY"),
    ];
    run("cosign", "", Target::all().await, Vec::new(), PREPARATION, OPERATIONS).await;
}

#[tokio::test]
async fn notation_works_as_it_does_directly() {
    const PREPARATION: &str = "export XDG_CONFIG_HOME=$HOME/config; image=$NAMES/python@$INDEX http=--insecure-registry
        policy='{\"version\": \"1.0\", \"trustPolicies\": [{\"name\": \"test\", \"registryScopes\": [\"*\"],
            \"signatureVerification\": {\"level\": \"strict\"}, \"trustStores\": [\"ca:test.example\"],
            \"trustedIdentities\": [\"*\"]}]}'
        [ -e policy.json ] || { notation cert generate-test --default test.example
            echo \"$policy\" >policy.json && notation policy import policy.json; }";
    const OPERATIONS: &[Operation] = &[
        Operation::new("sign", "notation sign $http $image").also_at_simulators(),
        Operation::new("verify", "notation verify $http $image").also_at_simulators(),
        Operation::new(
            "sign with COSE",
            "notation sign --signature-format=cose $http $image && notation verify $http $image",
        ),
        Operation::new("discover", "notation ls $http $image | grep notary.signature").also_at_simulators(),
        Operation::new("inspect", "notation inspect $http $image | grep application/jose+json"),
        Operation::new(
            "login",
            "mkdir -p .docker && echo '{\"auths\": {\"'$REGISTRY'\": {\"auth\": \"YW55OmFueQ==\"}}}' >.docker/config.json
            notation login $http -u any -p any $REGISTRY",
        ),
    ];
    run("notation", "", Target::all().await, Vec::new(), PREPARATION, OPERATIONS).await;
}
