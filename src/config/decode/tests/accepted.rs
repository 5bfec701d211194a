//! Valid configurations, and the values they decode to.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::load;
use crate::base::client_name::ClientName;
use crate::base::host::RegistryHost;
use crate::base::secret::Secret;
use crate::config::cloud::Cloud;
use crate::config::model::{ClientRule, CredentialSource, Listener, SecretSource, ValueSource};
use crate::oci::operation::Access;

#[test]
fn an_empty_file_gives_the_defaults() {
    let config = load("").unwrap();
    let listeners: Vec<_> = config.listeners.iter().map(|l| (l.address.to_string(), l.optional)).collect();
    assert_eq!(listeners, [("127.0.0.1:5050".to_owned(), false), ("[::1]:5050".to_owned(), true)]);
    assert!(config.admin.is_none() && config.registries.is_empty());
    assert_eq!(config.default_registry.as_str(), "docker.io");
    assert_eq!(config.defaults.allow.iter().copied().collect::<Vec<_>>(), [Access::Pull]);
    assert_eq!(config.defaults.credential, CredentialSource::Anonymous);
    assert_eq!((config.upload_keys.len(), config.upload_spool), (0, 64 << 20));
}

#[test]
fn every_section_of_a_full_file_is_decoded() {
    let config = load(
        r#"
        default_registry = "ghcr.io"
        credential = { source = "docker" }
        [timeouts]
        connect = "2s"
        [[listener]]
        address = "localhost:5050"
        registry = "index.docker.io"
        hosts = ["Regpass"]
        [admin]
        [registry."*"]
        [registry."*.corp.example"]
        [registry."*.eu.corp.example"]
        [registry."ghcr.io"]
        url = "https://ghcr.io"
        alias = "gh"
        allow = ["pull", "push"]
        repositories = { push = ["acme/*"] }
        hosts = ["ghcr.corp.example"]
        credential = { source = "password", username = "u", password = { env = "SET" } }
        redirects = "pass"
        realm_hosts = ["token.example.com:8443"]
        upload_hosts = ["Uploads.example.com", "http://10.0.0.7:5000"]
        vendor_api = "https://github.corp.example/api/v3"
        ca = "ca.pem"
        client_certificate = { certificate = "/c.pem", key = "/k.pem" }
        [[registry."ghcr.io".identity]]
        repositories = ["acme/**"]
        credential = { source = "helper", name = "pass" }
        "#,
    )
    .unwrap();
    assert_eq!(config.timeouts.connect, Duration::from_secs(2));
    assert_eq!(config.timeouts.token, Duration::from_secs(10));
    let patterns: Vec<String> = config.registries.iter().map(|registry| registry.pattern.to_string()).collect();
    assert_eq!(patterns, ["ghcr.io", "*.eu.corp.example", "*.corp.example", "*"]);
    let listener = &config.listeners[0];
    assert_eq!(listener.registry.as_ref().map(RegistryHost::as_str), Some("docker.io"));
    assert!(listener.hosts.contains("regpass") && !listener.optional && config.listeners[1].optional);
    assert_eq!(config.admin.unwrap().listener.address.to_string(), "127.0.0.1:5051");
    let ghcr = &config.registries[0];
    assert_eq!(ghcr.repositories.0.keys().copied().collect::<Vec<_>>(), [Access::Push]);
    let hosts: Vec<String> = ghcr.realm_hosts.iter().chain(&ghcr.upload_hosts).map(ToString::to_string).collect();
    assert_eq!(hosts, ["token.example.com:8443", "uploads.example.com", "http://10.0.0.7:5000"]);
    assert_eq!(ghcr.vendor_api.as_ref().unwrap().to_string(), "https://github.corp.example/api/v3");
    assert_eq!(ghcr.ca.as_deref(), Some(Path::new("/etc/regpass/ca.pem")), "relative to the file");
    assert!(
        matches!(&ghcr.credential, CredentialSource::Password { password: SecretSource::Value { secret, source: ValueSource::Variable(name) }, .. }
        if secret.expose() == "hunter2" && &**name == "SET")
    );
    assert_eq!(config.registries[1].credential, CredentialSource::Docker { file: None }, "the default credential");
    assert_eq!(config.registries[1].allow, config.defaults.allow);
}

#[test]
fn a_missing_secret_file_is_no_problem_of_the_configuration() {
    assert!(load("credential = { source = 'bearer', token = { file = '/nowhere' } }").is_ok());
}

#[test]
fn cloud_sources_are_accepted_for_their_own_registries() {
    let azure = |tenant: Option<&str>, client_id: Option<&str>| {
        CredentialSource::Cloud(Cloud::Azure { tenant: tenant.map(Into::into), client_id: client_id.map(Into::into) })
    };
    let google = |file: Option<&str>| CredentialSource::Cloud(Cloud::Google { key_file: file.map(Into::into) });
    for (host, text, source) in [
        ("eu.gcr.io", "source = 'google'", google(None)),
        ("europe-docker.pkg.dev", "source = 'google', key_file = 'key.json'", google(Some("/etc/regpass/key.json"))),
        ("team.azurecr.io", "source = 'azure'", azure(None, None)),
        ("team.azurecr.cn", "source = 'azure', tenant = 'a.onmicrosoft.com'", azure(Some("a.onmicrosoft.com"), None)),
        ("*.azurecr.io", "source = 'azure', client_id = '0-1-2'", azure(None, Some("0-1-2"))),
    ] {
        let config = load(&format!("[registry.'{host}']\ncredential = {{ {text} }}")).unwrap();
        assert_eq!(config.registries[0].credential, source, "{host}");
    }
    assert!(load("[registry.'images.corp']\nprofile = 'google'\ncredential = { source = 'google' }").is_ok());
    assert!(
        load("credential = { source = 'azure' }\n[registry.'a.io']").is_ok(),
        "a default credential skips registries it does not fit"
    );
}

#[test]
fn upload_key_is_one_secret_or_a_list() {
    let literal = |text: &str| SecretSource::Value { secret: Secret::new(text), source: ValueSource::Literal };
    let file = SecretSource::File("/etc/regpass/key".into());
    for (text, keys) in [
        ("'sixteen bytes...'", vec![literal("sixteen bytes...")]),
        ("{ file = 'key' }", vec![file.clone()]),
        ("[{ file = '/etc/regpass/key' }, 'sixteen bytes...']", vec![file, literal("sixteen bytes...")]),
    ] {
        assert_eq!(load(&format!("upload_key = {text}")).unwrap().upload_keys, keys, "{text}");
    }
}

#[test]
fn upload_spool_is_a_number_of_bytes_or_a_size() {
    for (text, bytes) in
        [("0", 0), ("1_000", 1000), ("0x10", 16), ("'0'", 0), ("'100 kB'", 100_000), ("'1TiB'", 1 << 40)]
    {
        assert_eq!(load(&format!("upload_spool = {text}")).unwrap().upload_spool, bytes, "{text}");
    }
}

#[test]
fn a_table_under_another_name_of_a_registry_configures_it() {
    let config = load("[registry.'index.docker.io']\nallow = []").unwrap();
    assert_eq!(config.registries[0].pattern.to_string(), "docker.io");
}

#[test]
fn listeners_have_client_rules_and_defaults() {
    let config = load(
        "[[listener]]\naddress = 'unix:/run/r.sock'\nmode = '660'\nuids = [0, 1000]
         [[listener]]\naddress = 'localhost:1'\nclients = { bearer = { env = 'SET' } }
         [[listener]]\naddress = '0.0.0.0:2'\nclients = { htpasswd = 'users' }
         [[listener]]\naddress = '[::]:3'\ntls = { certificate = 'c', key = '/k' }\nclients = { mtls_ca = 'ca' }
         [admin]\naddress = 'unix:/run/a.sock'
         [[registry.'a.io'.identity]]\nclients = ['alice', 'uid:7', 'bearer']\ncredential = { source = 'anonymous' }",
    )
    .unwrap();
    let [unix, one, other, users, certified] = config.listeners.as_slice() else { panic!("{:?}", config.listeners) };
    assert_eq!((unix.mode, &unix.uids), (0o660, &Some(BTreeSet::from([0, 1000]))));
    assert!(!unix.checks_host() && one.checks_host() && !users.checks_host());
    assert!(
        matches!(&one.clients, Some(ClientRule::Bearer(SecretSource::Value { secret, .. })) if secret.expose() == "hunter2")
    );
    assert_eq!(one.clients, other.clients);
    assert_eq!(users.clients, Some(ClientRule::Htpasswd("/etc/regpass/users".into())), "relative to the file");
    assert_eq!(certified.clients, Some(ClientRule::MutualTls("/etc/regpass/ca".into())));
    let unencrypted: Vec<bool> = config.listeners.iter().map(Listener::has_unencrypted_credentials).collect();
    assert_eq!(unencrypted, [false, false, false, true, false]);
    let files: Vec<String> = config.files().iter().map(|file| file.display().to_string()).collect();
    assert_eq!(
        files,
        ["/etc/regpass/c", "/k", "/etc/regpass/ca"],
        "the htpasswd file is not among them: it is read when it is used"
    );
    let admin = config.admin.unwrap().listener;
    assert_eq!((admin.mode, admin.uids, admin.address.to_string().as_str()), (0o600, None, "unix:/run/a.sock"));
    let identity = &config.registries[0].identities[0];
    assert!(identity.repositories.is_none() && identity.clients.contains(&ClientName::Uid(7)), "{identity:?}");
}

#[test]
fn line_end_of_a_variable_is_not_part_of_the_secret() {
    let text = "credential = { source = 'bearer', token = { env = 'SET_WITH_LINE_END' } }";
    let credential = load(text).unwrap().defaults.credential;
    assert!(
        matches!(&credential, CredentialSource::Bearer { token: SecretSource::Value { secret, .. } } if secret.expose() == "hunter2")
    );
}
