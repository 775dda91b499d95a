//! Whom a TLS connection trusts: the certificate authorities of this machine, loaded at the first use.
//! Must not know hosts or grants, and has no way to trust less strictly.

use std::io;
use std::sync::{Arc, LazyLock};

use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;

/// The settings of TLS clients, made when the first connection needs them.
#[derive(Default)]
pub(super) struct Trust {
    config: OnceCell<Arc<ClientConfig>>,
}

/// One for the process: reading the machine's certificates takes milliseconds and hundreds of KiB.
pub(super) fn platform() -> Arc<Trust> {
    static PLATFORM: LazyLock<Arc<Trust>> = LazyLock::new(Arc::default);
    PLATFORM.clone()
}

impl Trust {
    /// The settings.
    ///
    /// # Errors
    /// When this machine has no certificate that can be read; it is tried again at the next request.
    pub(super) async fn config(&self) -> io::Result<Arc<ClientConfig>> {
        let load = || async {
            let roots = tokio::task::spawn_blocking(load_roots).await.map_err(io::Error::other)??;
            Ok::<_, io::Error>(Arc::new(config(roots)?))
        };
        self.config.get_or_try_init(load).await.cloned()
    }

    /// These settings and no others.
    #[cfg(test)]
    pub(super) fn only(roots: RootCertStore) -> io::Result<Self> {
        Ok(Self { config: OnceCell::new_with(Some(Arc::new(config(roots)?))) })
    }
}

/// The files that `SSL_CERT_FILE` and `SSL_CERT_DIR` name, or else the system's own.
fn load_roots() -> io::Result<RootCertStore> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (kept, odd) = roots.add_parsable_certificates(loaded.certs);
    if odd > 0 {
        tracing::debug!(kept, odd, "some certificates of this machine could not be read");
    }
    if roots.is_empty() {
        let why = loaded.errors.first().map_or_else(|| "none were found".to_owned(), ToString::to_string);
        return Err(io::Error::other(format!("no certificate authorities on this machine: {why}")));
    }
    Ok(roots)
}

fn config(roots: RootCertStore) -> io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
