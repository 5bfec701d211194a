use super::*;

fn parse(method: &str, path: &str) -> Result<Operation, OperationError> {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    Operation::parse(&method, &ApiPath::parse(path).unwrap(), &Query::parse(query), &|name| {
        name.in_namespace(Some("library"))
    })
}

fn digest() -> String {
    format!("sha256:{}", "a".repeat(64))
}

#[test]
fn every_endpoint_is_recognized_and_its_path_formatted_back() {
    let digest = digest();
    for (method, path, word) in [
        ("GET", "/v2/".to_owned(), "ping"),
        ("HEAD", "/v2/_catalog".to_owned(), "list-repositories"),
        ("GET", "/v2/a/b/tags/list".to_owned(), "list-tags"),
        ("GET", format!("/v2/a/b/referrers/{digest}"), "list-referrers"),
        ("HEAD", "/v2/a/b/manifests/3.10".to_owned(), "read-manifest"),
        ("PUT", format!("/v2/a/b/manifests/{digest}"), "write-manifest"),
        ("DELETE", "/v2/a/b/manifests/x".to_owned(), "delete-manifest"),
        ("GET", format!("/v2/a/b/blobs/{digest}"), "read-blob"),
        ("DELETE", format!("/v2/a/b/blobs/{digest}"), "delete-blob"),
        ("POST", "/v2/a/b/blobs/uploads/".to_owned(), "start-upload"),
        ("GET", "/v2/a/b/_oci/ext/discover".to_owned(), "read-extension"),
        ("HEAD", "/v2/a/b/_team/history/3.10".to_owned(), "read-extension"),
    ] {
        let operation = parse(method, &path).unwrap();
        assert_eq!((operation.as_str(), operation.path()), (word, path.clone()), "{method} {path}");
    }
}

#[test]
fn repository_name_may_contain_words_of_the_api() {
    let operation = parse("GET", "/v2/a/manifests/tags/list/manifests/x").unwrap();
    assert_eq!(operation.repository().unwrap().as_str(), "a/manifests/tags/list");
    assert_eq!(parse("GET", "/v2/tags/tags/list").unwrap().repository().unwrap().as_str(), "library/tags");
}

#[test]
fn tag_and_session_may_be_words_of_an_extension() {
    assert_eq!(parse("GET", "/v2/a/manifests/_oci").unwrap().as_str(), "read-manifest");
    assert_eq!(parse("PATCH", "/v2/a/blobs/uploads/_docker").unwrap().as_str(), "upload-chunk");
}

#[test]
fn request_outside_the_api_is_rejected_with_its_reason() {
    for (method, path, why) in [
        ("OPTIONS", "/v2/", OperationError::Method { allow: "GET, HEAD" }),
        ("POST", "/v2/_catalog", OperationError::Method { allow: "GET, HEAD" }),
        ("PATCH", "/v2/a/manifests/x", OperationError::Method { allow: "GET, HEAD, PUT, DELETE" }),
        ("GET", "/v2/a/blobs/uploads/", OperationError::Method { allow: "POST" }),
        ("GET", "/v2/a", OperationError::Endpoint),
        ("GET", "/v2/a/b/c", OperationError::Endpoint),
        ("GET", "/v2/manifests/x", OperationError::Endpoint),
        ("GET", "/v2/_catalog/a", OperationError::Extension(InvalidExtension)),
        ("GET", "/v2/_oci/ext/discover", OperationError::Extension(InvalidExtension)),
        ("GET", "/v2/a/_oci/../../b", OperationError::Extension(InvalidExtension)),
        ("GET", "/v2/a/_oci/../../b/manifests/x", OperationError::Name(InvalidRepositoryName)),
        ("GET", "/v2/a/_oci/manifests/x", OperationError::Name(InvalidRepositoryName)),
        ("POST", "/v2/a/_oci/ext/discover", OperationError::Method { allow: "GET, HEAD" }),
        ("GET", "/v2/A/_oci/ext/discover", OperationError::Name(InvalidRepositoryName)),
        ("GET", "/v2/a/_team/manifests/x", OperationError::Name(InvalidRepositoryName)),
        ("GET", "/v2/A/manifests/x", OperationError::Name(InvalidRepositoryName)),
        ("GET", "/v2/a/../b/manifests/x", OperationError::Name(InvalidRepositoryName)),
        ("GET", "/v2/a/manifests/.x", OperationError::Reference(InvalidReference::Tag)),
        ("GET", "/v2/a/manifests/..", OperationError::Reference(InvalidReference::Tag)),
        ("GET", "/v2/a/manifests/sha256:x", OperationError::Reference(InvalidReference::Digest)),
        ("GET", "/v2/a/blobs/latest", OperationError::Reference(InvalidReference::Digest)),
        ("GET", "/v2/a/referrers/latest", OperationError::Reference(InvalidReference::Digest)),
    ] {
        assert_eq!(parse(method, path), Err(why), "{method} {path}");
    }
}

#[test]
fn query_and_method_decide_the_kind_of_upload_request() {
    let digest = digest();
    let parsed = |query: &str| parse("POST", &format!("/v2/a/b/blobs/uploads/?{query}"));
    let whole = Digest::parse(&digest).unwrap();
    for (query, start) in [
        (String::new(), Ok(UploadStart::Session)),
        (format!("digest={digest}"), Ok(UploadStart::SinglePost(whole.clone()))),
        (format!("mount={}", digest.replace(':', "%3A")), Ok(UploadStart::Mount { digest: whole.clone(), from: None })),
        (
            format!("from=python&mount={digest}"),
            Ok(UploadStart::Mount { digest: whole.clone(), from: RepositoryName::parse("library/python").ok() }),
        ),
        ("mount=x".to_owned(), Err(OperationError::Reference(InvalidReference::Digest))),
        (format!("mount={digest}&from=../x"), Err(OperationError::Name(InvalidRepositoryName))),
    ] {
        let name = RepositoryName::parse("a/b").unwrap();
        assert_eq!(parsed(&query), start.map(|start| Operation::StartUpload(name, start)), "{query}");
    }
    let session = || SessionId("abc".into());
    for (method, query, step) in [
        ("GET", String::new(), Ok(UploadStep::Status)),
        ("PATCH", String::new(), Ok(UploadStep::Chunk)),
        ("PUT", format!("?digest={digest}"), Ok(UploadStep::Finish(whole.clone()))),
        ("PUT", String::new(), Err(OperationError::Reference(InvalidReference::Digest))),
        ("DELETE", String::new(), Ok(UploadStep::Cancel)),
    ] {
        let name = RepositoryName::parse("a/b").unwrap();
        let expected = step.map(|step| Operation::ContinueUpload(name, session(), step));
        assert_eq!(parse(method, &format!("/v2/a/b/blobs/uploads/abc{query}")), expected, "{method}{query}");
    }
}

#[test]
fn each_operation_needs_one_kind_of_access() {
    for (method, path, access) in [
        ("GET", "/v2/a/manifests/x", Access::Pull),
        ("PUT", "/v2/a/manifests/x", Access::Push),
        ("DELETE", "/v2/a/manifests/x", Access::Delete),
        ("DELETE", "/v2/a/blobs/uploads/1", Access::Push),
    ] {
        assert_eq!(parse(method, path).unwrap().access(), access, "{method} {path}");
    }
}
