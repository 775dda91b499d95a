//! The DevTools protocol: commands and their answers over one WebSocket, with what is heard in between put aside.
//! Several commands may be under way at once; dialogs that a page opens are closed, because nothing goes on behind one.
//! Must not know what the commands do.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Instant;

use kennel_sdk::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

use crate::address::Address;
use crate::discovery;
use crate::heard::Heard;
use crate::javascript::without_lone_surrogates;
use crate::timed::Timed;

/// The most bytes of one message of the browser; it holds a screenshot or a script's result as JSON.
const MOST: usize = 8 << 20;

/// A connection to a browser.
pub(crate) struct DevTools {
    socket: WebSocket<Timed>,
    address: Address,
    /// The browser's name for this run of it.
    pub(crate) browser: String,
    /// The session with the page, once there is one.
    session: Option<String>,
    last: u64,
    /// Answers that came before they were waited for.
    answers: HashMap<u64, Answer>,
    /// Commands whose answers nobody waits for.
    unwatched: Vec<u64>,
    pub(crate) heard: Heard,
}

/// A result, or why not.
type Answer = std::result::Result<Box<RawValue>, String>;

/// A command under way.
#[must_use = "its answer is to be waited for"]
pub(crate) struct Sent {
    id: u64,
    method: &'static str,
}

#[derive(Deserialize)]
struct Incoming<'a> {
    id: Option<u64>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<Refusal>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
}

impl DevTools {
    /// Connects to the browser, and gives up at `ends`.
    ///
    /// # Errors
    /// [`Error::Denied`] when the address is not granted, [`Error::Failed`] when no browser answers there.
    pub(crate) fn connect(address: Address, ends: Instant) -> Result<Self> {
        let at = format!("the browser at {address}");
        let mut asked = dial(&address, ends)?;
        let browser = discovery::socket_path(&mut asked, &address).context(&at)?;
        drop(asked);
        let config = WebSocketConfig::default().max_message_size(Some(MOST)).max_frame_size(Some(MOST));
        let url = format!("ws://{}{browser}", address.authority());
        let stream = dial(&address, ends)?;
        let (socket, _) = tungstenite::client::client_with_config(url.as_str(), stream, Some(config))
            .map_err(|error| Error::failed(format!("{at} took no WebSocket: {error}")))?;
        Ok(Self {
            socket,
            address,
            browser,
            session: None,
            last: 0,
            answers: HashMap::new(),
            unwatched: Vec::new(),
            heard: Heard::default(),
        })
    }

    /// From now on commands are the page's.
    pub(crate) fn talk_to(&mut self, session: String) {
        self.session = Some(session);
    }

    /// Gives up at this time instead.
    pub(crate) fn set_end(&mut self, ends: Instant) {
        self.socket.get_mut().set_end(ends);
    }

    /// Sends a command and waits for its result.
    ///
    /// # Errors
    /// [`Error::Failed`]: the browser refused, is gone, or did not answer in time.
    pub(crate) fn command<T: DeserializeOwned>(&mut self, method: &'static str, params: Value) -> Result<T> {
        let sent = self.send(method, params)?;
        self.answer(sent)
    }

    /// Sends a command without waiting.
    ///
    /// # Errors
    /// [`Error::Failed`] when the browser is gone.
    pub(crate) fn send(&mut self, method: &'static str, params: Value) -> Result<Sent> {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if let (Some(session), Some(fields)) = (&self.session, message.as_object_mut()) {
            fields.insert("sessionId".to_owned(), session.as_str().into());
        }
        self.socket.send(Message::text(message.to_string())).map_err(|error| self.broken(&error))?;
        Ok(Sent { id: self.last, method })
    }

    /// Waits for the result of a command.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub(crate) fn answer<T: DeserializeOwned>(&mut self, sent: Sent) -> Result<T> {
        loop {
            if let Some(answer) = self.answers.remove(&sent.id) {
                let result = answer
                    .map_err(|why| Error::failed(format!("Protocol error ({}): {why}", sent.method)))?;
                return serde_json::from_str(result.get())
                    .context(format_args!("the browser's answer to {}", sent.method));
            }
            self.listen()?;
        }
    }

    /// Waits for one message and takes it in.
    ///
    /// # Errors
    /// [`Error::Failed`] when there is none in time, and when the page or the browser ended.
    pub(crate) fn listen(&mut self) -> Result<()> {
        if let Some(end) = self.heard.end {
            bail!("{end} in the browser at {}; navigate again", self.address);
        }
        let message = self.socket.read().map_err(|error| self.broken(&error))?;
        if let Message::Text(text) = message
            && !self.heard.is_too_much(&text)
        {
            self.take(&text)?;
        }
        if let Some(accept) = self.heard.dialog.take() {
            let sent = self.send("Page.handleJavaScriptDialog", json!({ "accept": accept }))?;
            self.unwatched.push(sent.id);
        }
        Ok(())
    }

    fn take(&mut self, text: &str) -> Result<()> {
        let whole = without_lone_surrogates(text);
        let message: Incoming<'_> = serde_json::from_str(&whole)
            .context(format_args!("the browser at {} speaks no DevTools", self.address))?;
        if let Some(id) = message.id {
            if let Some(at) = self.unwatched.iter().position(|unwatched| *unwatched == id) {
                self.unwatched.swap_remove(at);
                return Ok(());
            }
            let answer = match (message.error, message.result) {
                (Some(refusal), _) => Err(refusal.message),
                (None, Some(result)) => Ok(result.to_owned()),
                (None, None) => Err("an answer with neither result nor error".to_owned()),
            };
            self.answers.insert(id, answer);
        } else if let (Some(method), Some(params)) = (message.method, message.params) {
            self.heard.event(&method, params);
        }
        Ok(())
    }

    /// What the end of the connection means.
    fn broken(&self, error: &tungstenite::Error) -> Error {
        let at = &self.address;
        match error {
            tungstenite::Error::Io(io) if io.kind() == ErrorKind::TimedOut => {
                Error::failed(format!("the browser at {at} did not answer within the call's time"))
            }
            tungstenite::Error::Capacity(_) => Error::failed(format!(
                "the browser at {at} sent a message of more than {} MiB: ask for less at once",
                MOST >> 20
            )),
            tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
                Error::failed(format!("the browser at {at} closed the connection: is it still running?"))
            }
            other => Error::failed(format!(
                "the connection to the browser at {at} broke: {other}; is it still running?"
            )),
        }
    }
}

fn dial(address: &Address, ends: Instant) -> Result<Timed> {
    let stream = TcpStream::connect(address.to_dial()).map_err(|error| match error.kind() {
        // The host says what would have to be granted.
        ErrorKind::PermissionDenied => {
            Error::from(error).context(format_args!("the browser at {address} cannot be reached"))
        }
        _ => Error::failed(format!(
            "no browser answers at {address}: {error}; start Chromium with --remote-debugging-port, or name its place in the setting `address`"
        )),
    })?;
    Timed::new(stream, ends).context(format_args!("the connection to the browser at {address}"))
}
