//! HTTP (placeholder until written below).
/// x
#[derive(Debug)]
pub enum HttpError { /// d
 Denied { /// h
 host: String } }
impl std::fmt::Display for HttpError { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("x") } }
impl std::error::Error for HttpError {}
