//! Signs requests for AWS with signature version 4. The body is read whole first, within the plugin's own bound,
//! because its digest is signed. Decides nothing.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::{BodyExt as _, Full};
use secrecy::ExposeSecret as _;
use wasmtime_wasi_http::{Error, WasiBody};

use super::{Fault, Refusal};
use crate::grants::{AwsSigV4, HttpOperation, HttpScheme};
use crate::sandbox::capability::http::client::Bounds;
use crate::sandbox::capability::secrets::Held;

/// Fields that the signature sets.
const OURS: [&str; 4] = ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];

/// The request with a body that was read whole, signed.
pub(super) async fn signed(
    request: Request<WasiBody>,
    operation: &HttpOperation,
    held: &Held,
    aws: &AwsSigV4,
    bounds: Bounds,
) -> Result<Request<WasiBody>, Fault> {
    let name = &held.grant.name;
    let (mut parts, body) = request.into_parts();
    if let Some(ours) = OURS.iter().find(|ours| parts.headers.contains_key(**ours)) {
        return Err(Refusal::Taken { part: format!("the header {ours}"), name: name.clone() }.into());
    }
    let bytes = whole(body, bounds.request_body).await?;
    let scheme = match operation.scheme() {
        HttpScheme::Http => "http",
        HttpScheme::Https => "https",
    };
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let url = format!("{scheme}://{}{target}", operation.authority());
    let kept = |field: &HeaderName| *field == header::CONTENT_TYPE || field.as_str().starts_with("x-amz-");
    let fields = parts.headers.iter().filter(|(field, _)| kept(field));
    let fields = fields.filter_map(|(field, value)| Some((field.as_str(), value.to_str().ok()?)));
    let made = signature(held, aws, parts.method.as_str(), &url, fields, &bytes, SystemTime::now());
    for (field, value) in made.map_err(|why| Refusal::Sign { name: name.clone(), why })? {
        let unfit = || Refusal::Unfit(name.clone());
        let mut value = HeaderValue::try_from(value).map_err(|_| unfit())?;
        value.set_sensitive(true);
        parts.headers.insert(HeaderName::try_from(field).map_err(|_| unfit())?, value);
    }
    let body = Full::new(bytes).map_err(|never| match never {}).boxed_unsync();
    Ok(Request::from_parts(parts, body))
}

async fn whole(mut body: WasiBody, bound: u64) -> Result<Bytes, Error> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        bytes.extend_from_slice(&data);
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > bound {
            return Err(Error::HttpRequestBodySize(Some(bound)));
        }
    }
    Ok(bytes.into())
}

/// The fields that make a request signed.
fn signature<'f>(
    held: &Held,
    aws: &AwsSigV4,
    method: &'f str,
    url: &'f str,
    fields: impl Iterator<Item = (&'f str, &'f str)>,
    body: &'f [u8],
    time: SystemTime,
) -> Result<Vec<(String, String)>, String> {
    let mut settings = SigningSettings::default();
    if aws.service == "s3" {
        // S3 takes paths as they are, and wants the body's digest as a field.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let session = held.more.as_ref().map(|token| token.expose_secret().to_owned());
    let key = held.value.expose_secret();
    let identity = Credentials::new(&aws.access_key_id, key, session, None, "kennel").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&aws.region)
        .name(&aws.service)
        .time(time)
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?;
    let request = SignableRequest::new(method, url, fields, SignableBody::Bytes(body));
    let signed = request.and_then(|request| sign(request, &params.into()));
    let (instructions, _) = signed.map_err(|error| error.to_string())?.into_parts();
    Ok(instructions.headers().map(|(field, value)| (field.to_owned(), value.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::grants::{SecretGrant, SecretSource, SecretUse};

    /// `get-vanilla`, `post-x-www-form-urlencoded` and `get-vanilla-query-order-key-case` of the "AWS Signature
    /// Version 4 Test Suite" (docs.aws.amazon.com, Signature Version 4).
    #[test]
    fn the_published_vectors() {
        let aws = AwsSigV4 {
            access_key_id: "AKIDEXAMPLE".into(),
            session_token: None,
            region: "us-east-1".into(),
            service: "service".into(),
        };
        let held = Held {
            grant: SecretGrant {
                name: "aws".into(),
                from: SecretSource::Env("X".into()),
                used: SecretUse::Exposed,
            },
            rule: "aws".into(),
            value: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            more: None,
            tokens: tokio::sync::Mutex::default(),
        };
        let form = [("content-type", "application/x-www-form-urlencoded")];
        for (method, url, fields, body, names, signature) in [
            (
                "GET",
                "https://example.amazonaws.com/",
                &[][..],
                "",
                "host;x-amz-date",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "GET",
                "https://example.amazonaws.com/?Param2=value2&Param1=value1",
                &[],
                "",
                "host;x-amz-date",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "POST",
                "https://example.amazonaws.com/",
                &form,
                "Param1=value1",
                "content-type;host;x-amz-date",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ] {
            // 20150830T123600Z.
            let time = UNIX_EPOCH + Duration::from_secs(1_440_938_160);
            let made =
                super::signature(&held, &aws, method, url, fields.iter().copied(), body.as_bytes(), time);
            let made = made.unwrap();
            let (_, authorization) = made.iter().find(|(field, _)| field == "authorization").unwrap();
            assert_eq!(
                authorization,
                &format!(
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                     SignedHeaders={names}, Signature={signature}"
                ),
                "{method} {url}"
            );
        }
    }
}
