//! `[egress]`: a certificate authority and a proxy for all plugins' HTTP. Reads the authority's file; opens no
//! connection and resolves no name.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use url::Url;

use super::expand::Surroundings;
use super::reader::{Faults, Item, Section};
use crate::grants::{Egress, HostPattern, Proxy, SocketPlace, parse_resolvable};

/// Largest file of certificates read, in bytes; a machine's whole set is about 256 KiB.
const MAX_FILE: u64 = 4 << 20;

/// Reads the section, if there is one.
pub(super) fn read(
    root: &mut Section<'_, '_>,
    surroundings: &Surroundings,
    base: &Path,
    faults: &mut Faults<'_>,
) -> Egress {
    let Some(mut section) = root.section(faults, "egress") else { return Egress::default() };
    let authorities = section.read(faults, "ca-file", |item| {
        let path = surroundings.path(item.text()?, base).map_err(|e| e.to_string())?;
        certificates(&path).map_err(|why| format!("{}: {why}", path.display()))
    });
    let mut proxy = section
        .read(faults, "proxy", |item| proxy(&surroundings.text(item.text()?).map_err(|e| e.to_string())?));
    let resolves = section.read(faults, "proxy-resolves", Item::boolean);
    let except = section.read(faults, "no-proxy", |item| hosts(item));
    if section.item("proxy").is_none() {
        for key in ["proxy-resolves", "no-proxy"] {
            if let Some(item) = section.item(key) {
                faults.add(item.at, &item.key, "there is no `proxy`; add one, or drop this");
            }
        }
    }
    section.finish(faults);
    if let Some(proxy) = &mut proxy {
        proxy.resolves = resolves.unwrap_or_default();
        proxy.except = except.unwrap_or_default();
    }
    Egress { authorities: authorities.unwrap_or_default(), proxy }
}

fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, String> {
    let size = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if size > MAX_FILE {
        return Err(format!("{size} bytes; at most {MAX_FILE} are read"));
    }
    let text = std::fs::read(path).map_err(|e| e.to_string())?;
    let mut roots = RootCertStore::empty();
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate =
            certificate.map_err(|e| format!("certificate {} does not read: {e}", found.len() + 1))?;
        let check = roots.add(certificate.clone());
        check.map_err(|e| format!("certificate {} is no authority: {e}", found.len() + 1))?;
        found.push(certificate.to_vec());
    }
    if found.is_empty() { Err("no certificate in it; it must be PEM".to_owned()) } else { Ok(found) }
}

/// Reads `http[s]://[user:password@]host[:port]`. A fault never repeats the text, which may hold a password.
fn proxy(text: &str) -> Result<Proxy, String> {
    const FORM: &str = "is not a proxy; write for example \"http://proxy.example.org:3128\"";
    let url = Url::parse(text).map_err(|error| format!("{FORM} ({error})"))?;
    let tls = match url.scheme() {
        "http" => false,
        "https" => true,
        other => return Err(format!("{other}:// {FORM}")),
    };
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("has a path or more, so it {FORM}"));
    }
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(FORM.to_owned());
    };
    let place = SocketPlace::parse(&format!("{host}:{port}")).map_err(|_| FORM.to_owned())?;
    let host = place.host.as_host().ok_or(FORM)?;
    let authorization = match (url.username(), url.password()) {
        ("", None) => None,
        (user, password) => {
            let pair = [percent_decoded(user), b":".to_vec(), percent_decoded(password.unwrap_or_default())]
                .concat();
            Some(format!("Basic {}", STANDARD.encode(pair)))
        }
    };
    Ok(Proxy { tls, host, port: place.port, authorization, resolves: false, except: Vec::new() })
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|d| std::str::from_utf8(d).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) if *byte == b'%' => {
                out.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    out
}

fn hosts(item: &Item<'_, '_>) -> Result<Vec<HostPattern>, String> {
    let hosts = item.texts()?.into_iter().map(|text| match text.parse() {
        Ok(address) => Ok(HostPattern::Address(address)),
        Err(_) => match SocketPlace::parse(&format!("{text}:1")) {
            Ok(place) => Ok(place.host),
            Err(_) => parse_resolvable(text).map_err(|e| e.to_string()),
        },
    });
    hosts.collect()
}
