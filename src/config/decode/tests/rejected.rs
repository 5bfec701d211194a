//! Invalid configurations with one problem each.

use super::load;

/// Asserts that each case is rejected with exactly one problem, which has a hint.
///
/// A case is a line of `cases`: `TOML => KEY:LINE: PART`. The TOML text follows `header` in the file, the key of the
/// problem follows `table` in its path, the line counts from the start of the file, and the part is contained in the
/// displayed problem. `\n` is a line break.
#[track_caller]
fn assert_rejected_in(header: &str, table: &str, cases: &str) {
    for case in cases.lines().map(str::trim).filter(|case| !case.is_empty()) {
        let (text, expected) = case.split_once(" => ").expect("a case has an arrow");
        let (location, part) = expected.split_once(": ").expect("a case has a key and a line");
        let (key, line) = location.rsplit_once(':').expect("a case has a line");
        let text = format!("{header}{}", text.replace("\\n", "\n"));
        let problems = load(&text).expect_err(case);
        let [problem] = problems.as_slice() else { panic!("{case}\n{problems:#?}") };
        let location = (problem.key.as_str(), problem.line);
        assert_eq!(location, (format!("{table}{key}").as_str(), line.parse().ok()), "{case}\n{problem}");
        assert!(problem.to_string().contains(&part.replace("\\n", "\n")), "{case}\n{problem}");
        assert!(!problem.hint.is_empty(), "{case}\n{problem}");
    }
}

#[track_caller]
fn assert_rejected(cases: &str) {
    assert_rejected_in("", "", cases);
}

#[test]
fn unknown_keys_are_rejected() {
    assert_rejected(
        r#"
        alow = ['pull'] => alow:1: did you mean `allow`?
        tls = {} => tls:1: the keys of this table are `default_registry`, `
        \n[[listener]]\naddress = '127.0.0.1:1'\nclient = {} => listener[0].client:4: did you mean `clients`?
        \n[[listener]]\naddress = '127.0.0.1:1'\nallow = [] => listener[0].allow:4: unknown key
        [admin]\nhost = [] => admin.host:2: did you mean `hosts`?
        [registry.'a.io']\nupload_host = [] => registry."a.io".upload_host:2: did you mean `upload_hosts`?
        [registry.ghcr.io]\nallow = [] => registry.ghcr:1: put the host name in quotes: `[registry."registry.example.com"]`
        "#,
    );
}

#[test]
fn values_of_the_wrong_type_are_rejected() {
    assert_rejected(
        r#"
        allow = 'pull' => allow:1: expected a list in brackets, found a string\n  write `allow = ["pull"]`
        allow = [1] => allow[0]:1: expected a string in quotes, found a number
        default_registry = true => default_registry:1: expected a string in quotes, found a boolean
        [timeouts]\nconnect = 5 => timeouts.connect:2: write `connect = "5s"`
        admin = '127.0.0.1:5051' => admin:1: write `admin = { address = "
        [listener]\naddress = '127.0.0.1:1' => listener:1: `[[listener]]`
        [admin]\ninsecure_open = 'yes' => admin.insecure_open:2: expected true or false, found a string
        [registry.'a.io'.identity]\n => registry."a.io".identity:1: `[[registry."a.io".identity]]`
        registry = 1979-05-27 => registry:1: expected a table, found a date
        "#,
    );
}

#[test]
fn invalid_values_of_top_level_keys_are_rejected() {
    assert_rejected(
        r#"
        allow = ['pull', 'write'] => allow[1]:1: expected `pull`, `push` or `delete`
        default_registry = 'https://ghcr.io' => default_registry:1: without scheme
        default_registry = 'a.io' => default_registry:1: `[registry."a.io"]`
        [timeouts]\ntoken = '0s' => timeouts.token:2: the duration is zero
        [timeouts]\nbody_idle = '1h' => timeouts.body_idle:2: longer than ten minutes
        [timeouts]\nresponse_head = 'soon' => timeouts.response_head:2: write `response_head = "30s"`
        "#,
    );
}

#[test]
fn invalid_listeners_are_rejected() {
    assert_rejected(
        r#"
        [[listener]]\nregistry = 'ghcr.io' => listener[0]:1: add `address = "
        [[listener]]\naddress = '5050' => listener[0].address:2: "127.0.0.1:5050"
        [[listener]]\naddress = 'unix:x' => listener[0].address:2: unix:/run/regpass.sock
        [[listener]]\naddress = '0.0.0.0:1' => listener[0].address:2: `clients = { htpasswd = "
        [[listener]]\naddress = '0.0.0.0:1' => listener[0].address:2: `insecure_open = true` beside the address, or the flag `--insecure-open`
        [admin]\naddress = '[::]:1' => admin.address:2: `--insecure-open`
        "#,
    );
    assert_rejected_in(
        "[[listener]]\naddress = '127.0.0.1:1'\n",
        "listener[0]",
        r#"
        registry = 'a.io' => .registry:3: neither well-known nor configured
        hosts = ['a:1'] => .hosts[0]:3: the host name has a port
        clients = {} => .clients:3: the table names no rule\n  write `clients = { htpasswd = "
        clients = 'htpasswd' => .clients:3: expected a table, found a string
        clients = { htpasswd = '/h', bearer = 'b' } => .clients:3: more than one rule, and rules cannot be combined
        clients = { htpaswd = '/h' } => .clients.htpaswd:3: did you mean `htpasswd`?
        clients = { bearer = '' } => .clients.bearer:3: the value is empty
        clients = { bearer = { env = 'UNSET' } } => .clients.bearer.env:3: variable `UNSET` is unset or empty
        clients = { mtls_ca = '/ca' } => .clients.mtls_ca:3: add `tls = { certificate
        tls = { certificate = '/c', key = '/k' }\nmode = '0600' => .mode:4: only a unix socket can have `mode`
        uids = [0] => .uids:3: only a unix socket can have `uids`
        tls = { certificate = '/c' } => .tls:3: add `key = "
        "#,
    );
    let localhost = load("[[listener]]\naddress = 'localhost:1'\nclients = {}").unwrap_err();
    assert_eq!(localhost.len(), 1, "one problem, although localhost is two addresses: {localhost:#?}");
}

#[test]
fn invalid_unix_sockets_are_rejected() {
    assert_rejected_in(
        "[[listener]]\naddress = 'unix:/r.sock'\n",
        "listener[0]",
        r#"
        mode = '0o600' => .mode:3: `mode = "0660"`
        mode = 600 => .mode:3: expected a string in quotes, found a number
        uids = [] => .uids:3: no user could use the listener
        uids = ['root'] => .uids[0]:3: expected a whole number, found a string
        uids = [-1] => .uids[0]:3: the number is negative
        uids = [4294967296] => .uids[0]:3: larger than any user id
        "#,
    );
    assert_rejected(r"[[listener]]\naddress = 'unix:/r.sock'\nmode = 0600 => :3: invalid TOML");
}

#[test]
fn invalid_registries_are_rejected() {
    assert_rejected_in(
        "[registry.'a.io']\n",
        "registry.\"a.io\"",
        r#"
        url = 'https://a.io/v2/' => .url:2: more than scheme
        url = 'https://u:hunter2@a.io' => .url:2: user information
        url = 'a.io' => .url:2: write `url = "http
        alias = 'a.b' => .alias:2: one word
        alias = 'v2' => .alias:2: choose another
        profile = 'hub' => .profile:2: `docker-hub`, `ecr`, `ecr-public`, `elastic`
        redirects = 'no' => .redirects:2: expected `follow` or `pass`
        realm_hosts = ['t.io/token'] => .realm_hosts[0]:2: without a path
        realm_hosts = ['https://t.io/x'] => .realm_hosts[0]:2: more than scheme
        vendor_api = 'http://api.example/v3' => .vendor_api:2: plain http
        vendor_api = 'https://x:hunter2@api.example' => .vendor_api:2: remove the user name and password
        vendor_api = 'https://api.example/v3?x=1' => .vendor_api:2: a query or a fragment
        vendor_api = 'api.example' => .vendor_api:2: not an absolute URL
        hub_remotes = ['/hub'] => .hub_remotes[0]:2: or `"/"` for the whole
        upload_hosts = ['u.io', '*.u.io'] => .upload_hosts[1]:2: wildcard
        upload_hosts = ['https://x:hunter2@u.io'] => .upload_hosts[0]:2: remove the user name and password
        upload_hosts = ['ftp://u.io'] => .upload_hosts[0]:2: write `upload_hosts = [
        upload_hosts = 'u.io' => .upload_hosts:2: expected a list in brackets, found a string
        hosts = ['https://t.io'] => .hosts[0]:2: without scheme
        repositories = ['A/**'] => .repositories[0]:2: invalid repository pattern
        repositories = { pul = [] } => .repositories.pul:2: did you mean `pull`?
        ca = '~/ca.pem' => .ca:2: only a shell expands
        client_certificate = { key = 'k' } => .client_certificate:2: the key `certificate` is missing
        credential = { source = 'google' } => .credential:2: `profile = "google"`
        "#,
    );
    assert_rejected(
        r#"
        [registry.'docker.io']\nrepositories = ['python'] => registry."docker.io".repositories[0]:2: `"library/python"`
        [registry.'u:p@a.io'] => registry:1: not a host name
        [registry.'*.a.io']\nurl = 'https://a.io' => registry."*.a.io".url:2: many registries
        "#,
    );
}

#[test]
fn a_table_for_any_host_has_no_names_and_no_fixed_credential() {
    assert_rejected_in(
        "[registry.'*']\n",
        "registry.\"*\"",
        "
        alias = 'a' => .alias:2: many registries
        hosts = ['a'] => .hosts:2: many registries
        credential = { source = 'google' } => .credential:2: any host that a client names
        credential = { source = 'bearer', token = 'x' } => .credential:2: any host that a client names
        credential = { source = 'ecr', region = 'eu-west-2' } => .credential:2: any host that a client names
        ",
    );
    assert_rejected(
        r#"credential = { source = 'bearer', token = 'x' }\n[registry.'*'] => registry."*":2: any host that a client names"#,
    );
}

#[test]
fn invalid_identities_are_rejected() {
    assert_rejected_in(
        "[[registry.'a.io'.identity]]\ncredential = { source = 'docker' }\n",
        "registry.\"a.io\".identity",
        r"
        repositories = ['a', 'a'] => [0].repositories:3: two identities of this registry are for `a`
        clients = [] => [0].clients:3: never used
        clients = ['uid:root'] => [0].clients[0]:3: invalid client name
        ",
    );
    assert_rejected(
        r#"
        [[registry.'a.io'.identity]]\ncredential = { source = 'docker' } => registry."a.io".identity[0]:1: add `repositories = [
        [[registry.'a.io'.identity]]\nrepositories = ['a/**'] => registry."a.io".identity[0]:1: the key `credential` is missing
        [[registry.'gcr.io'.identity]]\nrepositories = ['a/**']\ncredential = { source = 'azure' } => registry."gcr.io".identity[0].credential:3: `profile = "acr"`
        "#,
    );
    let identity = |text: &str| format!("[[registry.'a.io'.identity]]\ncredential = {{ source = 'docker' }}\n{text}\n");
    assert_rejected_in(
        &(identity("clients = ['a', 'b']") + &identity("clients = ['b', 'c']")),
        "registry.\"a.io\".identity[1]",
        "# => :4: for every repository for the client `b`",
    );
    let both = identity("clients = ['a']\nrepositories = ['x']") + &identity("repositories = ['x']");
    assert!(load(&both).is_ok(), "one identity for the client, one for all clients");
}

#[test]
fn invalid_upload_settings_are_rejected() {
    assert_rejected(
        r#"
        upload_key = [] => upload_key:1: remove `upload_key`, so that each process uses a random key
        upload_key = [] => upload_key:1: openssl rand -base64 32
        upload_key = '' => upload_key:1: shorter than 16 bytes, so it could be guessed\n  make one with: openssl
        upload_key = 'fifteen bytes..' => upload_key:1: openssl rand -base64 32
        upload_key = ['sixteen bytes...', ''] => upload_key[1]:1: openssl rand -base64 32
        upload_key = { env = 'SET' } => upload_key:1: openssl rand -base64 32
        upload_key = [{ env = 'SET' }] => upload_key[0]:1: shorter than 16 bytes
        upload_key = { env = 'EMPTY' } => upload_key.env:1: variable `EMPTY` is unset or empty
        upload_key = [{ env = 'UNSET' }] => upload_key[0].env:1: variable `UNSET` is unset or empty
        upload_key = [{ file = '' }] => upload_key[0].file:1: the path is empty
        upload_key = [{ path = 'k', file = 'k' }] => upload_key[0].path:1: the keys of this table are `env`, `file`
        upload_key = [{}] => upload_key[0]:1: neither `env` nor `file`
        upload_key = 5 => upload_key:1: write `upload_key = [{ file = "
        upload_spool = 'much' => upload_spool:1: invalid size\n  write `upload_spool = "64MiB"`
        upload_spool = '-1MiB' => upload_spool:1: invalid size
        upload_spool = -1 => upload_spool:1: the number is negative
        upload_spool = 1.5 => upload_spool:1: expected a whole number, found a number
        upload_spool = true => upload_spool:1: write `upload_spool = "64MiB"`
        upload_spool = '2TiB' => upload_spool:1: larger than 1 TiB
        upload_spool = '99999999999999999999EiB' => upload_spool:1: larger than 1 TiB
        upload_spool = 9223372036854775807 => upload_spool:1: larger than 1 TiB
        upload_spool = 99999999999999999999 => upload_spool:1: too large
        "#,
    );
}

#[test]
fn invalid_credentials_are_rejected() {
    assert_rejected(
        r#"
        credential = 'docker' => credential:1: write `credential = { source = "docker" }`
        credential = {} => credential:1: `anonymous`, `password`, `identity`, `bearer`, `docker`, `helper`
        credential = { source = 'vault' } => credential.source:1: the sources are `anonymous`
        credential = { source = 'pasword' } => credential.source:1: did you mean `password`?
        credential = { source = 'docker', path = 'x' } => credential.path:1: `source`, `file`
        credential = { source = 'password', username = 'u' } => credential:1: add `password = { env = "
        credential = { source = 'bearer', token = '' } => credential.token:1: the value is empty
        credential = { source = 'bearer', token = 5 } => credential.token:1: write `token = { env = "
        credential = { source = 'bearer', token = {} } => credential.token:1: neither `env` nor `file`
        credential = { source = 'bearer', token = { env = 'SET', file = 'x' } } => credential.token:1: both `env` and `file`
        credential = { source = 'bearer', token = { env = 'UNSET' } } => credential.token.env:1: variable `UNSET` is unset or empty
        credential = { source = 'bearer', token = { env = 'EMPTY' } } => credential.token.env:1: variable `EMPTY` is unset or empty
        credential = { source = 'bearer', token = { env = 'LINE_END' } } => credential.token.env:1: variable `LINE_END` is unset or empty
        credential = { source = 'bearer', token = { env = 'hunter-2' } } => credential.token.env:1: invalid name of an environment variable
        credential = { source = 'helper', name = '../sh' } => credential.name:1: docker-credential-
        credential = { source = 'helper', name = 'pass', timeout = '0s' } => credential.timeout:1: zero
        credential = { source = 'ecr', regio = 'x' } => credential.regio:1: did you mean `region`?
        credential = { source = 'ecr', region = 'EU.West' } => credential.region:1: invalid AWS region\n  write `region = "eu-west-2"`
        credential = { source = 'ecr', region = 'a/b.evil' } => credential.region:1: invalid AWS region
        credential = { source = 'ecr', profile = '[x]' } => credential.profile:1: write `profile = "dev"`
        credential = { source = 'ecr', profile = '' } => credential.profile:1: invalid name of an AWS profile
        credential = { source = 'ecr', role = 'puller' } => credential.role:1: write `role = "arn:aws:iam::
        credential = { source = 'ecr', role = 'arn:aws:iam::1:role/x' } => credential.role:1: invalid ARN of an IAM role
        credential = { source = 'ecr', role = 'arn:aws:iam::123456789012:user/x' } => credential.role:1: invalid ARN
        credential = { source = 'ecr', role = 5 } => credential.role:1: expected a string
        credential = { source = 'google', file = 'x' } => credential.file:1: `source`, `key_file`
        credential = { source = 'google', key_file = '~/key.json' } => credential.key_file:1: absolute path
        credential = { source = 'azure', tenant = '../x' } => credential.tenant:1: invalid identifier
        credential = { source = 'azure', client_id = 'a&b' } => credential.client_id:1: invalid identifier
        "#,
    );
}

#[test]
fn names_and_addresses_that_two_tables_claim_are_rejected() {
    assert_rejected(
        r#"
        [registry.'docker.io']\n[registry.'index.docker.io'] => registry."index.docker.io":2: `registry."docker.io"` is for the same registry
        [registry.'A.io']\n[registry.'a.io:443'] => registry."a.io:443":2: is for the same registry, `a.io`
        [registry.'a.io']\nalias = 'a'\n[registry.'b.io']\nalias = 'a' => registry."b.io".alias:4: `registry."a.io"` already has this alias
        [registry.'a.io']\nhosts = ['r']\n[registry.'b.io']\nhosts = ['R'] => registry."b.io".hosts[0]:4: `registry."a.io"` already has the host name `r`
        [[listener]]\naddress = '127.0.0.1:1'\nhosts = ['r']\n[registry.'a.io']\nhosts = ['r'] => listener[0].hosts[0]:3: one of the `hosts` of the registry `a.io`
        [[listener]]\naddress = '127.0.0.1:1'\n[[listener]]\naddress = 'localhost:1' => listener[1].address:4: two listeners have the address `127.0.0.1:1`
        allow = []\nallow = [] => :2: duplicate key
        "#,
    );
    assert!(load("[[listener]]\naddress = '127.0.0.1:0'\n[[listener]]\naddress = '127.0.0.1:0'").is_ok());
}
