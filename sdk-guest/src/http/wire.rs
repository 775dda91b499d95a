//! One request and one answer over `wasi:http` 0.2: bodies streamed, every wait under the deadline.
//! Must not follow redirects or hold limits: `http` does.

use std::io::{self, Read};
use std::time::Instant;

use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions,
    http_error_code,
};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use super::address::Address;
use super::{Body, HttpError};

/// An answer whose body is still to be read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: BodyReader,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }
}

/// Sends a request and waits for the answer's head.
pub(crate) fn send(
    method: &str,
    address: &Address,
    headers: &[(String, Vec<u8>)],
    body: Body,
    deadline: Option<Instant>,
) -> Result<Answer, HttpError> {
    let host = address.authority();
    let wrong = |why: String| HttpError::Request { host: host.to_owned(), why };

    let fields = Fields::new();
    for (name, value) in headers {
        fields.append(name, value).map_err(|error| wrong(format!("the header `{name}`: {error}")))?;
    }
    if let Body::Bytes(bytes) = &body
        && !fields.has("content-length")
    {
        fields
            .append("content-length", bytes.len().to_string().as_bytes())
            .map_err(|error| wrong(format!("the header `content-length`: {error}")))?;
    }
    let request = OutgoingRequest::new(fields);
    request.set_method(&method_named(method)).map_err(|()| wrong(format!("`{method}` is no method")))?;
    request
        .set_scheme(Some(&address.scheme()))
        .and_then(|()| request.set_authority(Some(host)))
        .and_then(|()| request.set_path_with_query(Some(&address.path_with_query())))
        .map_err(|()| wrong("its URL cannot be sent".into()))?;

    let options = RequestOptions::new();
    if let Some(left) = remaining(deadline, host)? {
        // The host's own clocks, so that it can give up a connection that this side only waits for.
        let _ = options.set_connect_timeout(Some(left));
        let _ = options.set_first_byte_timeout(Some(left));
        let _ = options.set_between_bytes_timeout(Some(left));
    }

    let outgoing = request.body().map_err(|()| wrong("its body was taken".into()))?;
    let answer = outgoing_handler::handle(request, Some(options)).map_err(|code| failed(&code, host))?;
    // An answer may come before the body is through (413, 401): its head says more than a broken pipe.
    let sent = send_body(outgoing, body, deadline, host);
    let response = loop {
        match answer.get() {
            Some(Ok(Ok(response))) => break response,
            Some(Ok(Err(code))) => return Err(sent.err().unwrap_or_else(|| failed(&code, host))),
            Some(Err(())) => return Err(transport(host, "the answer was taken")),
            None => wait(&answer.subscribe(), deadline, host)?,
        }
    };
    let status = response.status();
    if let Err(error) = sent
        && status < 300
    {
        return Err(error);
    }
    let headers = response.headers().entries();
    let body = BodyReader::open(response, deadline, host)?;
    Ok(Answer { status, headers, body })
}

fn send_body(
    outgoing: OutgoingBody,
    body: Body,
    deadline: Option<Instant>,
    host: &str,
) -> Result<(), HttpError> {
    let mut reader: Box<dyn Read> = match body {
        Body::Empty => return OutgoingBody::finish(outgoing, None).map_err(|code| failed(&code, host)),
        Body::Bytes(bytes) => Box::new(io::Cursor::new(bytes)),
        Body::Stream(reader) => reader,
    };
    {
        let stream = outgoing.write().map_err(|()| transport(host, "its body was taken"))?;
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let got = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(transport(host, &format!("the body cannot be read: {error}"))),
            };
            write_all(&stream, &buffer[..got], deadline, host)?;
        }
        flush(&stream, deadline, host)?;
    }
    OutgoingBody::finish(outgoing, None).map_err(|code| failed(&code, host))
}

/// Waits until all that was written is on its way.
fn flush(stream: &OutputStream, deadline: Option<Instant>, host: &str) -> Result<(), HttpError> {
    let mut state = stream.flush().map(|()| 0);
    loop {
        match state {
            // Flushed when the stream takes more.
            Ok(0) => wait(&stream.subscribe(), deadline, host)?,
            // The host closes the stream as soon as it has as many bytes as `content-length` says.
            Ok(_) | Err(StreamError::Closed) => return Ok(()),
            Err(error) => return Err(stream_failed(&error, host)),
        }
        state = stream.check_write();
    }
}

fn write_all(
    stream: &OutputStream,
    mut bytes: &[u8],
    deadline: Option<Instant>,
    host: &str,
) -> Result<(), HttpError> {
    while !bytes.is_empty() {
        let room = stream.check_write().map_err(|error| stream_failed(&error, host))?;
        let most = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        if most == 0 {
            wait(&stream.subscribe(), deadline, host)?;
            continue;
        }
        let (now, later) = bytes.split_at(most);
        stream.write(now).map_err(|error| stream_failed(&error, host))?;
        bytes = later;
    }
    Ok(())
}

/// The body of an answer. Fields are dropped in this order, as `wasi:http` wants: children first.
#[derive(Debug)]
pub(crate) struct BodyReader {
    stream: InputStream,
    _body: IncomingBody,
    _response: IncomingResponse,
    deadline: Option<Instant>,
    host: String,
}

impl BodyReader {
    fn open(response: IncomingResponse, deadline: Option<Instant>, host: &str) -> Result<Self, HttpError> {
        let body = response.consume().map_err(|()| transport(host, "the answer's body was taken"))?;
        let stream = body.stream().map_err(|()| transport(host, "the answer's body was taken"))?;
        Ok(Self { stream, _body: body, _response: response, deadline, host: host.to_owned() })
    }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.stream.read(buffer.len() as u64) {
                Ok(bytes) if bytes.is_empty() => {
                    wait(&self.stream.subscribe(), self.deadline, &self.host).map_err(io::Error::other)?;
                }
                Ok(bytes) => {
                    let (filled, _) = buffer.split_at_mut(bytes.len());
                    filled.copy_from_slice(&bytes);
                    return Ok(bytes.len());
                }
                Err(StreamError::Closed) => return Ok(0),
                Err(error) => return Err(io::Error::other(stream_failed(&error, &self.host))),
            }
        }
    }
}

/// The time left, in nanoseconds; none without a deadline.
fn remaining(deadline: Option<Instant>, host: &str) -> Result<Option<u64>, HttpError> {
    let Some(deadline) = deadline else { return Ok(None) };
    match deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        Some(left) => Ok(Some(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX))),
        None => Err(HttpError::Timeout { host: host.to_owned() }),
    }
}

/// Waits until something is ready or the deadline passes.
fn wait(ready: &Pollable, deadline: Option<Instant>, host: &str) -> Result<(), HttpError> {
    match remaining(deadline, host)? {
        None => ready.block(),
        Some(left) => {
            let timer = monotonic_clock::subscribe_duration(left);
            // Index 0 is `ready`; when only the timer is, the next look at the clock says so.
            poll(&[ready, &timer]);
        }
    }
    Ok(())
}

fn method_named(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn transport(host: &str, why: &str) -> HttpError {
    HttpError::Transport { host: host.to_owned(), why: why.to_owned() }
}

fn stream_failed(error: &StreamError, host: &str) -> HttpError {
    match error {
        StreamError::Closed => transport(host, "the connection was closed"),
        StreamError::LastOperationFailed(error) => match http_error_code(error) {
            Some(code) => failed(&code, host),
            None => transport(host, &error.to_debug_string()),
        },
    }
}

fn failed(code: &ErrorCode, host: &str) -> HttpError {
    let why = match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
            return HttpError::Denied { host: host.to_owned() };
        }
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => return HttpError::Timeout { host: host.to_owned() },
        ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => "its name cannot be resolved".to_owned(),
        ErrorCode::ConnectionRefused => "the connection was refused".to_owned(),
        ErrorCode::ConnectionTerminated => "the connection was closed".to_owned(),
        ErrorCode::TlsCertificateError => "its certificate is not trusted".to_owned(),
        ErrorCode::InternalError(Some(text)) => text.clone(),
        other => format!("{other:?}"),
    };
    HttpError::Transport { host: host.to_owned(), why }
}
