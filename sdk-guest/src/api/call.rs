//! One request to a service, put together from a path with variables and arguments, and its answer.
//! A GET is sent once more when the service asks for a short wait; nothing else is sent twice.
//! Must not follow pages: `pages` does.

use std::io::Read;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::keep::{self, Kept};
use super::path::{filled, spelled};
use super::{Api, ApiError, Kind, wait};
use crate::http::{self, HttpError};

/// The longest wait that a service asks for and a call waits itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes of an unsuccessful answer that are looked at for the service's words.
const REFUSAL: u64 = 64 * 1024;

/// A request that is being put together. In its path `{name}` is an argument as one segment, `{+name}` one that keeps
/// its slashes; arguments that the path does not use go into the query of a GET or DELETE, and into a JSON body of
/// anything else. A path that begins with `http` is a whole URL.
#[derive(Debug, Clone)]
#[must_use = "a request is sent by `value`, `read`, `reply`, `stream` or `pages`"]
pub struct Call<'a> {
    api: &'a Api,
    method: &'static str,
    path: &'a str,
    arguments: Map<String, Value>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Option<(&'static str, Vec<u8>)>,
    wrong: Option<String>,
    timeout: Duration,
}

/// A whole answer that is a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its headers that are text; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
    service: &'static str,
}

impl Reply {
    /// The first header of this name, which is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The body read as JSON.
    ///
    /// # Errors
    /// [`Kind::Unreadable`].
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| ApiError::new(self.service, Kind::Unreadable, error))
    }
}

impl<'a> Call<'a> {
    pub(super) fn new(api: &'a Api, method: &'static str, path: &'a str) -> Self {
        Self {
            api,
            method,
            path,
            arguments: Map::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            wrong: None,
            timeout: api.timeout,
        }
    }

    /// The service that is asked.
    pub(super) const fn api(&self) -> &'a Api {
        self.api
    }

    /// Adds the fields of a struct or map as arguments; those that are `null` are left out.
    pub fn args<T: Serialize + ?Sized>(mut self, fields: &T) -> Self {
        match serde_json::to_value(fields) {
            Ok(Value::Object(map)) => {
                self.arguments.extend(map.into_iter().filter(|(_, value)| !value.is_null()));
            }
            Ok(_) => self.wrong = Some("the arguments are not an object".into()),
            Err(error) => self.wrong = Some(error.to_string()),
        }
        self
    }

    /// Adds an argument, in the place of one of this name.
    pub fn arg<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        match serde_json::to_value(value) {
            Ok(Value::Null) => drop(self.arguments.shift_remove(name)),
            Ok(value) => drop(self.arguments.insert(name.to_owned(), value)),
            Err(error) => self.wrong = Some(error.to_string()),
        }
        self
    }

    /// Gives an argument another name, as the service calls it.
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        if let Some(value) = self.arguments.shift_remove(from) {
            self.arguments.insert(to.to_owned(), value);
        }
        self
    }

    /// Adds a pair to the query, whatever the method.
    pub fn query(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The most time for this request and its answer.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends this as JSON; arguments that the path does not use go into the query then.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => self.body = Some(("application/json", bytes)),
            Err(error) => self.wrong = Some(error.to_string()),
        }
        self
    }

    /// Sends the request; gives the answer as JSON.
    ///
    /// # Errors
    /// Those of [`Call::reply`], and [`Kind::Unreadable`].
    pub fn value(self) -> Result<Value, ApiError> {
        self.read()
    }

    /// Sends the request; gives the answer as a type.
    ///
    /// # Errors
    /// Those of [`Call::reply`], and [`Kind::Unreadable`].
    pub fn read<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        self.reply()?.read()
    }

    /// Sends the request; gives a whole answer that is a success. An answer that is kept and fresh, or that the
    /// service confirms, is given from `state` ([`Api::keep`]).
    ///
    /// # Errors
    /// Any [`ApiError`].
    pub fn reply(self) -> Result<Reply, ApiError> {
        let (api, url) = (self.api, self.url()?);
        let Some(fresh) = api.fresh.filter(|_| self.method == "GET") else {
            return whole(api, self.answered(None)?);
        };
        let kept = keep::load(&url);
        let age = |kept: &Kept| wait::now().saturating_sub(kept.at);
        if let Some(kept) = kept.as_ref().filter(|kept| age(kept) < fresh.as_secs()) {
            return Ok(given(api, kept));
        }
        let answer = self.answered(kept.as_ref().and_then(|kept| kept.etag.as_deref()))?;
        if let (304, Some(mut kept)) = (answer.status(), kept) {
            kept.at = wait::now();
            if !fresh.is_zero() {
                keep::store(&url, &kept);
            }
            return Ok(given(api, &kept));
        }
        let reply = whole(api, answer)?;
        let etag = reply.header("etag").map(str::to_owned);
        // What is not what a service sends, such as the page of a proxy in between, must not stay.
        let body = std::str::from_utf8(&reply.body).ok();
        let body = body.filter(|body| serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok());
        if let (true, Some(body)) = (etag.is_some() || !fresh.is_zero(), body) {
            let kept = Kept { at: wait::now(), etag, headers: reply.headers.clone(), body: body.to_owned() };
            keep::store(&url, &kept);
        }
        Ok(reply)
    }

    /// Sends the request; gives the body of a success as it comes. Nothing is kept.
    ///
    /// # Errors
    /// Any [`ApiError`]; what is read later fails with an [`HttpError`] in the error.
    pub fn stream(self) -> Result<impl Read, ApiError> {
        Ok(self.answered(None)?.into_reader())
    }

    /// The URL with its query.
    fn url(&self) -> Result<String, ApiError> {
        let invalid = |why: String| ApiError::new(self.api.service, Kind::Invalid, why);
        if let Some(why) = &self.wrong {
            return Err(invalid(why.clone()));
        }
        let (path, mut query) = self.parts().map_err(invalid)?;
        query.extend(self.query.iter().cloned());
        let whole = path.starts_with("http://") || path.starts_with("https://");
        let mut url = if whole { path } else { format!("{}{path}", self.api.base) };
        if !query.is_empty() {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish());
        }
        Ok(url)
    }

    /// The path, and the arguments that belong into the query.
    fn parts(&self) -> Result<(String, Vec<(String, String)>), String> {
        let mut left = self.arguments.clone();
        let path = filled(self.path, &mut left)?;
        if self.has_argument_body() {
            return Ok((path, Vec::new()));
        }
        let query = left.iter().filter_map(|(name, value)| Some((name.clone(), spelled(value)?)));
        Ok((path, query.collect()))
    }

    /// Whether what the path does not use is the body.
    fn has_argument_body(&self) -> bool {
        self.body.is_none() && !matches!(self.method, "GET" | "DELETE")
    }

    /// Sends it, once more after a short wait if that may be, until there is a success or a 304.
    fn answered(&self, etag: Option<&str>) -> Result<http::Response, ApiError> {
        let service = self.api.service;
        if self.api.fresh.is_some()
            && let Some(wait) = wait::remembered()
        {
            return Err(ApiError::limited(service, wait));
        }
        let mut may_wait = self.method == "GET";
        loop {
            let answer = self.request(etag)?.call().map_err(|error| ApiError::transport(service, &error))?;
            if answer.is_success() || (answer.status() == 304 && etag.is_some()) {
                return Ok(answer);
            }
            let error = self.refused(answer);
            match error.wait() {
                Some(wait) if wait <= PATIENCE && may_wait && asks_again(&error) => std::thread::sleep(wait),
                Some(wait) => {
                    if self.api.fresh.is_some() && error.kind() == Kind::Limited {
                        wait::remember(wait);
                    }
                    return Err(error);
                }
                None => return Err(error),
            }
            may_wait = false;
        }
    }

    fn request(&self, etag: Option<&str>) -> Result<http::Request, ApiError> {
        let mut request = http::request(self.method, self.url()?).timeout(self.timeout).limit(self.api.limit);
        for (name, value) in &self.api.headers {
            request = request.header(*name, value.as_str());
        }
        for (name, value) in &self.headers {
            request = request.header(name.as_str(), value.as_str());
        }
        if let Some(etag) = etag {
            request = request.header("if-none-match", etag);
        }
        if let Some((kind, bytes)) = &self.body {
            return Ok(request.header("content-type", *kind).body(bytes.clone()));
        }
        if self.has_argument_body() {
            let mut left = self.arguments.clone();
            filled(self.path, &mut left)
                .map_err(|why| ApiError::new(self.api.service, Kind::Invalid, why))?;
            if !left.is_empty() {
                request = request.json(&left);
            }
        }
        Ok(request)
    }

    /// The error that an answer stands for.
    fn refused(&self, answer: http::Response) -> ApiError {
        let (status, headers) = (answer.status(), text_headers(&answer));
        let mut body = Vec::new();
        // What cannot be read is no words; the status stands all the same.
        let _ = answer.into_reader().take(REFUSAL).read_to_end(&mut body);
        ApiError::status(self.api.service, status, |name| find(&headers, name), &body)
    }
}

/// Whether the service itself asks to come again.
fn asks_again(error: &ApiError) -> bool {
    error.kind() == Kind::Limited || error.status_code() == Some(503)
}

fn whole(api: &Api, answer: http::Response) -> Result<Reply, ApiError> {
    let headers = text_headers(&answer);
    let body = answer.bytes().map_err(|error: HttpError| ApiError::transport(api.service, &error))?;
    Ok(Reply { headers, body, service: api.service })
}

fn given(api: &Api, kept: &Kept) -> Reply {
    Reply { headers: kept.headers.clone(), body: kept.body.clone().into_bytes(), service: api.service }
}

fn text_headers(answer: &http::Response) -> Vec<(String, String)> {
    let text = |(name, value): &(String, Vec<u8>)| {
        Some((name.to_ascii_lowercase(), std::str::from_utf8(value).ok()?.to_owned()))
    };
    answer.headers().iter().filter_map(text).collect()
}

fn find<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_go_where_they_belong() {
        let api = Api::at("GitHub", "https://api.github.com/");
        let arguments = json!({"owner": "ada", "labels": ["a", "b c"], "page": 2, "sha": null});
        let get = api.get("/repos/{owner}/issues").args(&arguments).query("x", 1);
        assert_eq!(get.url().unwrap(), "https://api.github.com/repos/ada/issues?labels=a%2Cb+c&page=2&x=1");
        let post = api.post("/repos/{owner}/issues").args(&arguments).renamed("page", "number");
        assert_eq!(post.url().unwrap(), "https://api.github.com/repos/ada/issues");
        let with_body = api.post("/x").args(&json!({"a": 1})).json(&json!({}));
        assert_eq!(with_body.url().unwrap(), "https://api.github.com/x?a=1");
        assert_eq!(api.get("https://h/y?z").arg("a", "b").url().unwrap(), "https://h/y?z&a=b");
    }

    #[test]
    fn what_cannot_be_asked_is_said() {
        let api = Api::at("GitHub", "https://h");
        let error = api.get("/repos/{owner}").arg("owner", "..").url().unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert_eq!(error.to_string(), "`owner` cannot be \"..\"; change the arguments");
        assert!(api.get("/").args(&[1]).url().is_err());
    }
}
