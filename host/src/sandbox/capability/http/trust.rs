//! Whom a TLS connection trusts: the certificate authorities of this machine, loaded at the first use, and those a
//! person configured. Must not know hosts or grants, and has no way to trust less strictly.

use std::io;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{Mutex, OnceCell};

/// TLS sessions a plugin may resume.
const SESSIONS: usize = 16;

/// The settings of one plugin's TLS connections, made when the first needs them. Sessions are the plugin's own.
#[derive(Default)]
pub(super) struct Trust {
    authorities: Vec<Vec<u8>>,
    config: OnceCell<Arc<ClientConfig>>,
}

/// What the plugins' settings are made of, with the authorities that were configured then. One for the process:
/// reading the machine's certificates takes milliseconds and hundreds of KiB.
static BASE: Mutex<Option<(Vec<Vec<u8>>, ClientConfig)>> = Mutex::const_new(None);

impl Trust {
    /// In the machine's authorities and these, as DER.
    pub(super) fn with(authorities: &[Vec<u8>]) -> Self {
        Self { authorities: authorities.to_vec(), config: OnceCell::new() }
    }

    /// The settings.
    ///
    /// # Errors
    /// When there is no certificate that can be read; it is tried again at the next request.
    pub(super) async fn config(&self) -> io::Result<Arc<ClientConfig>> {
        let load = || async {
            let mut config = self.base().await?;
            config.resumption = Resumption::in_memory_sessions(SESSIONS);
            Ok::<_, io::Error>(Arc::new(config))
        };
        self.config.get_or_try_init(load).await.cloned()
    }

    async fn base(&self) -> io::Result<ClientConfig> {
        let mut base = BASE.lock().await;
        if let Some((authorities, config)) = &*base
            && *authorities == self.authorities
        {
            return Ok(config.clone());
        }
        let authorities = self.authorities.clone();
        let roots = tokio::task::spawn_blocking(move || load_roots(&authorities)).await;
        let made = config(roots.map_err(io::Error::other)??)?;
        *base = Some((self.authorities.clone(), made.clone()));
        Ok(made)
    }

    /// These settings and no others.
    #[cfg(test)]
    pub(super) fn only(roots: RootCertStore) -> io::Result<Self> {
        Ok(Self { authorities: Vec::new(), config: OnceCell::new_with(Some(Arc::new(config(roots)?))) })
    }
}

/// The files that `SSL_CERT_FILE` and `SSL_CERT_DIR` name, or else the system's own; and `authorities`.
fn load_roots(authorities: &[Vec<u8>]) -> io::Result<RootCertStore> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (kept, odd) = roots.add_parsable_certificates(loaded.certs);
    if odd > 0 {
        tracing::debug!(kept, odd, "some certificates of this machine could not be read");
    }
    for authority in authorities {
        roots.add(CertificateDer::from(authority.as_slice())).map_err(io::Error::other)?;
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
