//! A TLS front in memory: a reverse proxy that ends TLS and forwards to a simulated server, which knows nothing of it.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio_rustls::TlsAcceptor;

use super::network::Network;
use super::simulation::Sim;
use super::wire::Socket;

impl Sim {
    /// Starts a front at `address`, a `host:port`, that forwards every connection to `target`, the name of a simulated
    /// server. The requests keep the front's `Host`. Returns the front's certificate as PEM.
    pub fn start_tls_front(&self, address: &str, target: &str) -> String {
        let (host, _) = address.rsplit_once(':').expect("a front has a port");
        let mut params = CertificateParams::new(vec![host.to_owned()]).expect("the host is a name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be generated");
        let certificate = params.self_signed(&key).expect("the certificate can be signed");
        let private_key = PrivateKeyDer::try_from(key.serialize_der()).expect("the key can be read");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has the usual versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private_key)
            .expect("the certificate has this key");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let mut listener = self.network().listen_in_memory(address);
        let (network, target) = (self.network().clone(), target.to_owned());
        let accepting = tokio::spawn(async move {
            while let Some(Socket::Memory(stream)) = listener.accept().await {
                let (acceptor, network, target) = (acceptor.clone(), network.clone(), target.clone());
                tokio::spawn(async move {
                    // An error here is a client that does not trust the front, or a connection that ends.
                    let Ok(mut client) = acceptor.accept(stream).await else { return };
                    let mut server = connect(&network, &target);
                    drop(copy_bidirectional(&mut client, &mut server).await);
                });
            }
        });
        self.world().add_task(accepting.abort_handle());
        certificate.pem()
    }
}

fn connect(network: &Network, target: &str) -> tokio::io::DuplexStream {
    network.connect(target, 80).expect("the server behind the front is running")
}
