//! Where a request goes: a URL taken apart, joined with a query or a redirect, and compared by origin.
//! Must not decide whether a plugin may go there: the host does.

use iri_string::format::ToDedicatedString;
use iri_string::types::{IriReferenceStr, IriStr, UriReferenceStr, UriStr, UriString};
use wasip2::http::types::Scheme;

use super::HttpError;

/// An absolute `http` or `https` URL without userinfo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    uri: UriString,
}

impl Address {
    /// Reads a URL.
    pub(crate) fn parse(url: &str) -> Result<Self, HttpError> {
        let wrong = |why: &str| HttpError::Url { url: url.to_owned(), why: why.to_owned() };
        let iri =
            IriStr::new(url).map_err(|_| wrong("write an absolute URL, as in https://example.org/path"))?;
        // Percent-encoding is right for paths and queries; a host name would need IDNA.
        if iri.authority_str().is_some_and(|authority| !authority.is_ascii()) {
            return Err(wrong("write the host name in ASCII (`xn--…`)"));
        }
        Self::checked(iri.encode_to_uri().to_dedicated_string()).map_err(wrong)
    }

    fn checked(uri: UriString) -> Result<Self, &'static str> {
        if !matches!(uri.scheme_str().to_ascii_lowercase().as_str(), "http" | "https") {
            return Err("only http and https are spoken");
        }
        match uri.authority_str() {
            None | Some("") => return Err("it has no host"),
            Some(authority) if authority.contains('@') => {
                return Err("put credentials into a header, not into the URL");
            }
            Some(_) => {}
        }
        Ok(Self { uri })
    }

    /// Where a redirect with this `Location` goes.
    pub(crate) fn redirected(&self, location: &str) -> Result<Self, HttpError> {
        let wrong = |why: &str| HttpError::Url { url: location.to_owned(), why: why.to_owned() };
        let reference =
            IriReferenceStr::new(location).map_err(|_| wrong("the server redirects to what is no URL"))?;
        let reference: String = reference.encode_to_uri().to_dedicated_string().into();
        let reference =
            UriReferenceStr::new(&reference).map_err(|_| wrong("the server redirects to what is no URL"))?;
        let target: UriString = reference.resolve_against(self.uri.to_absolute()).to_dedicated_string();
        Self::checked(target).map_err(|why| wrong(&format!("the server redirects there, but {why}")))
    }

    /// The same with these pairs added to its query.
    pub(crate) fn with_query(self, pairs: &[(String, String)]) -> Result<Self, HttpError> {
        if pairs.is_empty() {
            return Ok(self);
        }
        let mut serializer =
            form_urlencoded::Serializer::new(self.uri.query_str().unwrap_or_default().to_owned());
        serializer.extend_pairs(pairs);
        let base = self.uri.as_str();
        let base = &base[..base.find(['?', '#']).unwrap_or(base.len())];
        let url = format!("{base}?{}", serializer.finish());
        let uri = UriStr::new(&url)
            .map_err(|_| HttpError::Url { url: url.clone(), why: "the query makes it no URL".into() })?;
        Ok(Self { uri: uri.to_owned() })
    }

    pub(crate) fn as_str(&self) -> &str {
        self.uri.as_str()
    }

    pub(crate) fn scheme(&self) -> Scheme {
        if self.uri.scheme_str().eq_ignore_ascii_case("https") { Scheme::Https } else { Scheme::Http }
    }

    /// Host and port, as written.
    pub(crate) fn authority(&self) -> &str {
        self.uri.authority_str().unwrap_or_default()
    }

    /// What goes into the request line.
    pub(crate) fn path_with_query(&self) -> String {
        let path = match self.uri.path_str() {
            "" => "/",
            path => path,
        };
        match self.uri.query_str() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        }
    }

    /// Whether credentials for one are for the other: same scheme, host and port (RFC 6454).
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        self.origin() == other.origin()
    }

    fn origin(&self) -> (bool, String) {
        let https = matches!(self.scheme(), Scheme::Https);
        let authority = self.authority().to_ascii_lowercase();
        let default = if https { ":443" } else { ":80" };
        let host = authority.strip_suffix(default).unwrap_or(&authority).trim_end_matches(':');
        (https, host.to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let address = Address::parse("https://Example.org:8443/a%20b/ü?x=1#frag").unwrap();
        assert_eq!(address.authority(), "Example.org:8443");
        assert_eq!(address.path_with_query(), "/a%20b/%C3%BC?x=1");
        assert_eq!(Address::parse("http://h").unwrap().path_with_query(), "/");
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for (url, says) in [
            ("example.org/x", "absolute URL"),
            ("/x", "absolute URL"),
            ("ftp://h/x", "only http"),
            ("http:///x", "no host"),
            ("https://user:pw@h/", "credentials"),
            ("https://müller.de/", "ASCII"),
            ("https://h/a b", "absolute URL"),
            ("https://h/\r\nx", "absolute URL"),
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(says), "{url}: {error}");
        }
    }

    #[test]
    fn queries_are_added() {
        let add = |url: &str, pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            Address::parse(url).unwrap().with_query(&pairs).unwrap().as_str().to_owned()
        };
        assert_eq!(add("https://h/p", &[("q", "a b&c"), ("r", "ü")]), "https://h/p?q=a+b%26c&r=%C3%BC");
        assert_eq!(add("https://h/p?x=1#f", &[("y", "2")]), "https://h/p?x=1&y=2");
    }

    #[test]
    fn redirects_are_resolved_and_origins_compared() {
        let base = Address::parse("https://h/a/b?x").unwrap();
        let to = |location: &str| base.redirected(location);
        assert_eq!(to("../c").unwrap().as_str(), "https://h/c");
        assert_eq!(to("//other/z").unwrap().as_str(), "https://other/z");
        assert!(base.same_origin(&to("https://H:443/q").unwrap()));
        assert!(!base.same_origin(&to("http://h/q").unwrap()));
        assert!(!base.same_origin(&to("https://h:8443/q").unwrap()));
        assert!(!base.same_origin(&to("//h.evil/q").unwrap()));
        assert!(to("file:///etc/passwd").is_err());
        assert!(to("https://a@h/").is_err());
    }
}
