//! What is refused, one fault at a time.

use super::load;

/// The file, the one key at fault, its line, and a part of the message or hint.
fn each_is_refused(table: &[(&str, &str, usize, &str)]) {
    for (text, key, line, part) in table {
        let problems = load(text).expect_err(text);
        let [problem] = problems.as_slice() else { panic!("{text}\n{problems:#?}") };
        assert_eq!((problem.key.as_str(), problem.line), (*key, Some(*line)), "{text}\n{problem}");
        assert!(problem.to_string().contains(part), "{text}\n{problem}");
        assert!(!problem.hint.is_empty(), "{text}\n{problem}");
    }
}

#[test]
fn keys_and_types_are_checked() {
    each_is_refused(&[
        ("alow = ['pull']", "alow", 1, "did you mean allow?"),
        ("tls = {}", "tls", 1, "the keys here are default_registry, "),
        ("\n[[listener]]\naddress = '127.0.0.1:1'\nclient = {}", "listener[0].client", 4, "did you mean clients?"),
        ("\n[[listener]]\naddress = '127.0.0.1:1'\nallow = []", "listener[0].allow", 4, "there is no such key"),
        ("[admin]\nhost = []", "admin.host", 2, "did you mean hosts?"),
        ("[registry.'a.io']\nupload_host = []", "registry.\"a.io\".upload_host", 2, "did you mean upload_hosts?"),
        (
            "[registry.ghcr.io]\nallow = []",
            "registry.ghcr",
            1,
            "put the host name in quotes: [registry.\"registry.example.com\"]",
        ),
        ("allow = 'pull'", "allow", 1, "it is text, not a list in brackets\n  write allow = [\"pull\"]"),
        ("allow = [1]", "allow[0]", 1, "it is a number, not text in quotes"),
        ("default_registry = true", "default_registry", 1, "it is true or false, not text"),
        ("[timeouts]\nconnect = 5", "timeouts.connect", 2, "write connect = \"5s\""),
        ("admin = '127.0.0.1:5051'", "admin", 1, "write admin = { address = "),
        ("[listener]\naddress = '127.0.0.1:1'", "listener", 1, "[[listener]]"),
        ("[admin]\ninsecure_open = 'yes'", "admin.insecure_open", 2, "not true or false"),
        ("[registry.'a.io'.identity]\n", "registry.\"a.io\".identity", 1, "[[registry.\"a.io\".identity]]"),
        ("registry = 1979-05-27", "registry", 1, "it is a date, not a table"),
    ]);
}

#[test]
fn values_are_checked() {
    each_is_refused(&[
        ("allow = ['pull', 'write']", "allow[1]", 1, "none of pull, push and delete"),
        ("default_registry = 'https://ghcr.io'", "default_registry", 1, "without scheme"),
        ("default_registry = 'a.io'", "default_registry", 1, "[registry.\"a.io\"]"),
        ("[timeouts]\ntoken = '0s'", "timeouts.token", 2, "zero"),
        ("[timeouts]\nbody_idle = '1h'", "timeouts.body_idle", 2, "longer than ten minutes"),
        ("[timeouts]\nresponse_head = 'soon'", "timeouts.response_head", 2, "write response_head = \"30s\""),
        ("[[listener]]\nregistry = 'ghcr.io'", "listener[0]", 1, "add address = "),
        ("[[listener]]\naddress = '5050'", "listener[0].address", 2, "\"127.0.0.1:5050\""),
        ("[[listener]]\naddress = 'unix:x'", "listener[0].address", 2, "unix:/run/regpass.sock"),
        (
            "[[listener]]\naddress = '0.0.0.0:1'",
            "listener[0].address",
            2,
            "insecure_open = true beside the address, or the flag --insecure-open",
        ),
        ("[admin]\naddress = '[::]:1'", "admin.address", 2, "--insecure-open"),
        (
            "[[listener]]\naddress = '127.0.0.1:1'\nregistry = 'a.io'",
            "listener[0].registry",
            3,
            "neither well-known nor configured",
        ),
        ("[[listener]]\naddress = '127.0.0.1:1'\nhosts = ['a:1']", "listener[0].hosts[0]", 3, "it has a port"),
        ("[registry.'a.io']\nurl = 'https://a.io/v2/'", "registry.\"a.io\".url", 2, "more than scheme"),
        ("[registry.'a.io']\nurl = 'https://u:hunter2@a.io'", "registry.\"a.io\".url", 2, "user information"),
        ("[registry.'a.io']\nurl = 'a.io'", "registry.\"a.io\".url", 2, "write url = \"http"),
        ("[registry.'a.io']\nalias = 'a.b'", "registry.\"a.io\".alias", 2, "one word"),
        ("[registry.'a.io']\nalias = 'v2'", "registry.\"a.io\".alias", 2, "choose another"),
        ("[registry.'a.io']\nprofile = 'hub'", "registry.\"a.io\".profile", 2, "docker-hub, ecr, ecr-public, ghcr"),
        ("[registry.'a.io']\nredirects = 'no'", "registry.\"a.io\".redirects", 2, "neither follow nor pass"),
        ("[registry.'a.io']\nrealm_hosts = ['t.io/token']", "registry.\"a.io\".realm_hosts[0]", 2, "nothing behind it"),
        (
            "[registry.'a.io']\nrealm_hosts = ['https://t.io/x']",
            "registry.\"a.io\".realm_hosts[0]",
            2,
            "more than scheme",
        ),
        ("[registry.'a.io']\nhub_remotes = ['/hub']", "registry.\"a.io\".hub_remotes[0]", 2, "or \"/\" for the whole"),
        ("[registry.'a.io']\nupload_hosts = ['u.io', '*.u.io']", "registry.\"a.io\".upload_hosts[1]", 2, "wildcard"),
        (
            "[registry.'a.io']\nupload_hosts = ['https://x:hunter2@u.io']",
            "registry.\"a.io\".upload_hosts[0]",
            2,
            "take the login out",
        ),
        (
            "[registry.'a.io']\nupload_hosts = ['ftp://u.io']",
            "registry.\"a.io\".upload_hosts[0]",
            2,
            "write upload_hosts = [",
        ),
        (
            "[registry.'a.io']\nupload_hosts = 'u.io'",
            "registry.\"a.io\".upload_hosts",
            2,
            "it is text, not a list in brackets",
        ),
        ("[registry.'a.io']\nhosts = ['https://t.io']", "registry.\"a.io\".hosts[0]", 2, "without scheme"),
        ("[registry.'a.io']\nrepositories = ['A/**']", "registry.\"a.io\".repositories[0]", 2, "no repository pattern"),
        (
            "[registry.'a.io']\nrepositories = { pul = [] }",
            "registry.\"a.io\".repositories.pul",
            2,
            "did you mean pull?",
        ),
        (
            "[registry.'docker.io']\nrepositories = ['python']",
            "registry.\"docker.io\".repositories[0]",
            2,
            "\"library/python\"",
        ),
        ("[registry.'a.io']\nca = '~/ca.pem'", "registry.\"a.io\".ca", 2, "only a shell understands"),
        (
            "[registry.'a.io']\nclient_certificate = { key = 'k' }",
            "registry.\"a.io\".client_certificate",
            2,
            "certificate is missing",
        ),
        (
            "[[registry.'a.io'.identity]]\nrepositories = ['a/**']",
            "registry.\"a.io\".identity[0]",
            1,
            "credential is missing",
        ),
        ("[registry.'u:p@a.io']", "registry", 1, "not a host name"),
        ("[registry.'*.a.io']\nurl = 'https://a.io'", "registry.\"*.a.io\".url", 2, "many registries"),
        ("[registry.'*']\nalias = 'a'", "registry.\"*\".alias", 2, "many registries"),
        ("[registry.'*']\nhosts = ['a']", "registry.\"*\".hosts", 2, "many registries"),
    ]);
}

#[test]
fn upload_settings_are_checked() {
    each_is_refused(&[
        ("upload_key = []", "upload_key", 1, "leave it out for a random key"),
        ("upload_key = []", "upload_key", 1, "openssl rand -base64 32"),
        ("upload_key = ''", "upload_key", 1, "shorter than 16 bytes, so it could be guessed\n  make one with: openssl"),
        ("upload_key = 'fifteen bytes..'", "upload_key", 1, "openssl rand -base64 32"),
        ("upload_key = ['sixteen bytes...', '']", "upload_key[1]", 1, "openssl rand -base64 32"),
        ("upload_key = { env = 'SET' }", "upload_key", 1, "openssl rand -base64 32"),
        ("upload_key = [{ env = 'SET' }]", "upload_key[0]", 1, "shorter than 16 bytes"),
        ("upload_key = { env = 'EMPTY' }", "upload_key.env", 1, "variable EMPTY is unset or empty"),
        ("upload_key = [{ env = 'UNSET' }]", "upload_key[0].env", 1, "variable UNSET is unset or empty"),
        ("upload_key = [{ file = '' }]", "upload_key[0].file", 1, "it is empty"),
        ("upload_key = [{ path = 'k', file = 'k' }]", "upload_key[0].path", 1, "the keys here are env, file"),
        ("upload_key = [{}]", "upload_key[0]", 1, "neither env nor file"),
        ("upload_key = 5", "upload_key", 1, "write upload_key = [{ file = "),
        ("upload_spool = 'much'", "upload_spool", 1, "it is no size\n  write upload_spool = \"64MiB\""),
        ("upload_spool = '-1MiB'", "upload_spool", 1, "it is no size"),
        ("upload_spool = -1", "upload_spool", 1, "it is negative"),
        ("upload_spool = 1.5", "upload_spool", 1, "it is a number, not a whole number"),
        ("upload_spool = true", "upload_spool", 1, "write upload_spool = \"64MiB\""),
        ("upload_spool = '2TiB'", "upload_spool", 1, "larger than 1 TiB"),
        ("upload_spool = '99999999999999999999EiB'", "upload_spool", 1, "larger than 1 TiB"),
        ("upload_spool = 9223372036854775807", "upload_spool", 1, "larger than 1 TiB"),
        ("upload_spool = 99999999999999999999", "upload_spool", 1, "larger than any number"),
    ]);
}

#[test]
fn credentials_are_checked() {
    each_is_refused(&[
        ("credential = 'docker'", "credential", 1, "write { source = \"docker\" }"),
        ("credential = {}", "credential", 1, "anonymous, password, identity, bearer, docker, helper"),
        ("credential = { source = 'vault' }", "credential.source", 1, "sources are anonymous"),
        ("credential = { source = 'pasword' }", "credential.source", 1, "did you mean password?"),
        ("credential = { source = 'docker', path = 'x' }", "credential.path", 1, "source, file"),
        ("credential = { source = 'password', username = 'u' }", "credential", 1, "add password = { env = "),
        ("credential = { source = 'bearer', token = '' }", "credential.token", 1, "it is empty"),
        ("credential = { source = 'bearer', token = 5 }", "credential.token", 1, "write token = { env = "),
        ("credential = { source = 'bearer', token = {} }", "credential.token", 1, "neither env nor file"),
        (
            "credential = { source = 'bearer', token = { env = 'SET', file = 'x' } }",
            "credential.token",
            1,
            "both env and file",
        ),
        (
            "credential = { source = 'bearer', token = { env = 'UNSET' } }",
            "credential.token.env",
            1,
            "variable UNSET is unset or empty",
        ),
        (
            "credential = { source = 'bearer', token = { env = 'EMPTY' } }",
            "credential.token.env",
            1,
            "variable EMPTY is unset or empty",
        ),
        (
            "credential = { source = 'bearer', token = { env = 'hunter-2' } }",
            "credential.token.env",
            1,
            "no name of an environment variable",
        ),
        ("credential = { source = 'ecr', regio = 'x' }", "credential.regio", 1, "did you mean region?"),
        (
            "credential = { source = 'ecr', region = 'EU.West' }",
            "credential.region",
            1,
            "no region of AWS\n  write region = \"eu-west-2\"",
        ),
        ("credential = { source = 'ecr', region = 'a/b.evil' }", "credential.region", 1, "no region"),
        ("credential = { source = 'ecr', profile = '[x]' }", "credential.profile", 1, "write profile = \"dev\""),
        ("credential = { source = 'ecr', profile = '' }", "credential.profile", 1, "no name of a profile"),
        ("credential = { source = 'ecr', role = 'puller' }", "credential.role", 1, "write role = \"arn:aws:iam::"),
        ("credential = { source = 'ecr', role = 'arn:aws:iam::1:role/x' }", "credential.role", 1, "no ARN of a role"),
        ("credential = { source = 'ecr', role = 'arn:aws:iam::123456789012:user/x' }", "credential.role", 1, "no ARN"),
        ("credential = { source = 'ecr', role = 5 }", "credential.role", 1, "not text"),
        ("credential = { source = 'helper', name = '../sh' }", "credential.name", 1, "docker-credential-"),
        ("credential = { source = 'helper', name = 'pass', timeout = '0s' }", "credential.timeout", 1, "zero"),
        ("credential = { source = 'google', file = 'x' }", "credential.file", 1, "source, key_file"),
        ("credential = { source = 'google', key_file = '~/key.json' }", "credential.key_file", 1, "from / on"),
        ("credential = { source = 'azure', tenant = '../x' }", "credential.tenant", 1, "no identifier"),
        ("credential = { source = 'azure', client_id = 'a&b' }", "credential.client_id", 1, "no identifier"),
        (
            "[registry.'a.io']\ncredential = { source = 'google' }",
            "registry.\"a.io\".credential",
            2,
            "profile = \"google\"",
        ),
        (
            "[[registry.'gcr.io'.identity]]\nrepositories = ['a/**']\ncredential = { source = 'azure' }",
            "registry.\"gcr.io\".identity[0].credential",
            3,
            "profile = \"acr\"",
        ),
        (
            "[registry.'*']\ncredential = { source = 'google' }",
            "registry.\"*\".credential",
            2,
            "any host that a client names",
        ),
        (
            "[registry.'*']\ncredential = { source = 'bearer', token = 'x' }",
            "registry.\"*\".credential",
            2,
            "any host that a client names",
        ),
        (
            "[registry.'*']\ncredential = { source = 'ecr', region = 'eu-west-2' }",
            "registry.\"*\".credential",
            2,
            "any host that a client names",
        ),
        (
            "credential = { source = 'bearer', token = 'x' }\n[registry.'*']",
            "registry.\"*\"",
            2,
            "any host that a client names",
        ),
    ]);
}

#[test]
fn conflicts_are_named() {
    each_is_refused(&[
        (
            "[registry.'docker.io']\n[registry.'index.docker.io']",
            "registry.\"index.docker.io\"",
            2,
            "registry.\"docker.io\" means the same registry",
        ),
        ("[registry.'A.io']\n[registry.'a.io:443']", "registry.\"a.io:443\"", 2, "means the same registry, a.io"),
        (
            "[registry.'a.io']\nalias = 'a'\n[registry.'b.io']\nalias = 'a'",
            "registry.\"b.io\".alias",
            4,
            "registry.\"a.io\" has the alias",
        ),
        (
            "[registry.'a.io']\nhosts = ['r']\n[registry.'b.io']\nhosts = ['R']",
            "registry.\"b.io\".hosts[0]",
            4,
            "registry.\"a.io\" has the name r",
        ),
        (
            "[[listener]]\naddress = '127.0.0.1:1'\nhosts = ['r']\n[registry.'a.io']\nhosts = ['r']",
            "listener[0].hosts[0]",
            3,
            "means the registry a.io",
        ),
        (
            "[[listener]]\naddress = '127.0.0.1:1'\n[[listener]]\naddress = 'localhost:1'",
            "listener[1].address",
            4,
            "127.0.0.1:1 is listened on twice",
        ),
        (
            "[[registry.'a.io'.identity]]\nrepositories = ['a', 'a']\ncredential = { source = 'docker' }",
            "registry.\"a.io\".identity[0].repositories",
            2,
            "a stands twice",
        ),
        ("allow = []\nallow = []", "", 2, "duplicate key"),
    ]);
    assert!(load("[[listener]]\naddress = '127.0.0.1:0'\n[[listener]]\naddress = '127.0.0.1:0'").is_ok());
}

#[test]
fn doors_are_checked() {
    let listener = |text: &str| format!("[[listener]]\naddress = '127.0.0.1:1'\n{text}");
    let unix = |text: &str| format!("[[listener]]\naddress = 'unix:/r.sock'\n{text}");
    let identity = |text: &str| format!("[[registry.'a.io'.identity]]\ncredential = {{ source = 'docker' }}\n{text}");
    let tls = "tls = { certificate = '/c', key = '/k' }";
    for (text, key, line, part) in [
        ("[[listener]]\naddress = '0.0.0.0:1'".to_owned(), "listener[0].address", 2, "clients = { htpasswd = "),
        (listener("clients = {}"), "listener[0].clients", 3, "names no rule\n  write clients = { htpasswd"),
        (listener("clients = 'htpasswd'"), "listener[0].clients", 3, "it is text, not a table"),
        (
            listener("clients = { htpasswd = '/h', bearer = 'b' }"),
            "listener[0].clients",
            3,
            "more than one rule, and they are not combined",
        ),
        (listener("clients = { htpaswd = '/h' }"), "listener[0].clients.htpaswd", 3, "did you mean htpasswd?"),
        (listener("clients = { bearer = '' }"), "listener[0].clients.bearer", 3, "it is empty"),
        (
            listener("clients = { bearer = { env = 'UNSET' } }"),
            "listener[0].clients.bearer.env",
            3,
            "variable UNSET is unset or empty",
        ),
        (listener("clients = { mtls_ca = '/ca' }"), "listener[0].clients.mtls_ca", 3, "add tls = { certificate"),
        (listener(&format!("{tls}\nmode = '0600'")), "listener[0].mode", 4, "only a unix socket"),
        (listener("uids = [0]"), "listener[0].uids", 3, "only a unix socket"),
        (listener("tls = { certificate = '/c' }"), "listener[0].tls", 3, "add key = "),
        (unix("mode = '0o600'"), "listener[0].mode", 3, "mode = \"0660\""),
        (unix("mode = 0600"), "", 3, "not TOML"),
        (unix("mode = 600"), "listener[0].mode", 3, "it is a number, not text"),
        (unix("uids = []"), "listener[0].uids", 3, "nobody could use"),
        (unix("uids = ['root']"), "listener[0].uids[0]", 3, "it is text, not a whole number"),
        (unix("uids = [-1]"), "listener[0].uids[0]", 3, "negative"),
        (unix("uids = [4294967296]"), "listener[0].uids[0]", 3, "larger than any user's number"),
        (identity(""), "registry.\"a.io\".identity[0]", 1, "add repositories = "),
        (identity("clients = []"), "registry.\"a.io\".identity[0].clients", 3, "never used"),
        (identity("clients = ['uid:root']"), "registry.\"a.io\".identity[0].clients[0]", 3, "no client"),
        (
            format!("{}\n{}", identity("clients = ['a', 'b']"), identity("clients = ['b', 'c']")),
            "registry.\"a.io\".identity[1]",
            4,
            "every repository for the client b stands twice",
        ),
    ] {
        each_is_refused(&[(text.as_str(), key, line, part)]);
    }
    let both = format!("{}\nrepositories = ['x']\n{}", identity("clients = ['a']"), identity("repositories = ['x']"));
    assert!(load(&both).is_ok(), "one for the client, one for all");
    let localhost = load("[[listener]]\naddress = 'localhost:1'\nclients = {}").unwrap_err();
    assert_eq!(localhost.len(), 1, "told once for both addresses: {localhost:#?}");
}
