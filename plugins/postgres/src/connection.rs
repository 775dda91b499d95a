//! A connection to PostgreSQL: the protocol's messages (version 3.0) over one TCP stream, one statement at a time.
//! Needs the server's address granted. Only the extended protocol runs what a caller wrote: the server takes one statement
//! there and no more, so nothing can be put behind it.
//! Must not keep more of an answer than its bounds.

use std::borrow::Cow;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use kennel_sdk::prelude::*;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::{DataRowBody, Header, Message, RowDescriptionBody};
use postgres_protocol::message::frontend;

use crate::failure::{Failure, ServerError};
use crate::settings::{Bounds, Server};

/// How long one address may take to answer.
const DIAL: Duration = Duration::from_secs(10);
/// What the server has beyond a statement's time to say that it ran out.
const GRACE: Duration = Duration::from_secs(5);
/// The largest message that is taken. It and the row made of it must fit the memory of a call.
const MAX_MESSAGE: usize = 16 << 20;
/// Bytes read at once.
const CHUNK: usize = 16 << 10;

/// A column of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// `pg_type.oid`.
    pub(crate) type_oid: u32,
}

/// A statement that the server has understood.
pub(crate) struct Statement {
    name: String,
    pub(crate) columns: Vec<Column>,
    /// How many `$1`, `$2` … it has.
    pub(crate) parameters: usize,
}

/// Why an answer has fewer rows than there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Rows,
    Bytes,
}

/// The rows of a statement.
pub(crate) struct Answer<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) cut: Option<Cut>,
}

/// The texts of a row; none for null.
pub(crate) type Row<'a> = [Option<Cow<'a, str>>];

pub(crate) struct Connection {
    stream: TcpStream,
    /// `HOST:PORT`, for messages.
    pub(crate) at: String,
    input: BytesMut,
    pub(crate) output: BytesMut,
    statements: u32,
}

impl Connection {
    /// Dials each address of the server in turn. Nothing is said yet.
    pub(crate) fn dial(server: &Server) -> Result<Self> {
        let at = format!("{}:{}", server.host, server.port);
        let cannot = |error: std::io::Error| {
            Error::from(error).context(format!("cannot connect to PostgreSQL at {at}"))
        };
        let addresses = (server.host.as_str(), server.port).to_socket_addrs().map_err(cannot)?;
        let mut last = std::io::Error::other("the name has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, DIAL).and_then(connected) {
                Ok(stream) => {
                    let (input, output) = (BytesMut::new(), BytesMut::new());
                    return Ok(Self { stream, at, input, output, statements: 0 });
                }
                Err(error) => last = error,
            }
        }
        Err(cannot(last))
    }

    /// Whether the server is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.stream.peer_addr().is_ok_and(|address| address.ip().is_loopback())
    }

    /// Gives up when the server says nothing for longer than its statement may take.
    pub(crate) fn patience(&self, statement: Duration) -> Result<()> {
        self.stream.set_read_timeout(Some(statement + GRACE)).context("the socket takes no time limit")
    }

    fn broken(&self, error: &std::io::Error) -> Failure {
        use std::io::ErrorKind::{TimedOut, WouldBlock};
        Failure::other(match error.kind() {
            TimedOut | WouldBlock => format!("PostgreSQL at {} did not answer in time; try again", self.at),
            _ => format!("the connection to PostgreSQL at {} broke ({error}); try again", self.at),
        })
    }

    /// Sends what was written to `output`.
    pub(crate) fn send(&mut self) -> Result<(), Failure> {
        let output = self.output.split();
        self.stream.write_all(&output).map_err(|error| self.broken(&error))
    }

    /// The next message that is an answer: notices and the like are passed over.
    pub(crate) fn receive(&mut self) -> Result<Message, Failure> {
        loop {
            if let Some(header) = Header::parse(&self.input).map_err(|error| self.broken(&error))? {
                let length = usize::try_from(header.len()).unwrap_or(usize::MAX);
                if length > MAX_MESSAGE {
                    return Err(Failure::other(format!(
                        "a row of the answer has {length} bytes, more than the {MAX_MESSAGE} that are taken; select less of it"
                    )));
                }
            }
            match Message::parse(&mut self.input).map_err(|error| self.broken(&error))? {
                Some(
                    Message::NoticeResponse(_)
                    | Message::NotificationResponse(_)
                    | Message::ParameterStatus(_),
                ) => {}
                Some(message) => return Ok(message),
                None => {
                    let mut chunk = [0; CHUNK];
                    let count = self.stream.read(&mut chunk).map_err(|error| self.broken(&error))?;
                    let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else {
                        return Err(self.broken(&std::io::Error::other("the server closed it")));
                    };
                    self.input.extend_from_slice(read);
                }
            }
        }
    }

    /// Receives until the server is ready for more, giving each message to `each`. Its error comes back when it is ready again,
    /// or at once when it hangs up.
    fn until_ready(&mut self, mut each: impl FnMut(Message) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut failed = None;
        loop {
            match (self.receive(), &failed) {
                (Ok(Message::ErrorResponse(body)), _) => failed = Some(ServerError::read(&body)),
                (Ok(Message::ReadyForQuery(_)), _) => break,
                (Ok(message), _) => each(message)?,
                (Err(_), Some(_)) => break,
                (Err(failure), None) => return Err(failure),
            }
        }
        failed.map_or(Ok(()), |error| Err(Failure::Server(error)))
    }

    /// Runs statements of this plugin's own that answer nothing.
    pub(crate) fn run(&mut self, sql: &str) -> Result<(), Failure> {
        frontend::query(sql, &mut self.output)?;
        self.send()?;
        self.until_ready(|_| Ok(()))
    }

    /// Has the server understand one statement. It holds the locks of what the statement names from here on.
    pub(crate) fn prepare(&mut self, sql: &str) -> Result<Statement, Failure> {
        let name = format!("s{}", self.statements);
        self.statements += 1;
        frontend::parse(&name, sql, [], &mut self.output)
            .and_then(|()| frontend::describe(b'S', &name, &mut self.output))
            .context("the statement cannot be sent")?;
        frontend::sync(&mut self.output);
        self.send()?;
        let (mut columns, mut parameters) = (Vec::new(), 0);
        self.until_ready(|message| {
            match message {
                Message::RowDescription(body) => columns = read_columns(&body)?,
                Message::ParameterDescription(body) => parameters = body.parameters().count()?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(Statement { name, columns, parameters })
    }

    /// Runs a statement with these values. `keep` makes of each row what is kept, and says how many bytes it is.
    /// When the bytes are used up the connection is of no more use.
    pub(crate) fn execute<T>(
        &mut self,
        statement: &Statement,
        values: &[Option<&str>],
        bounds: Bounds,
        mut keep: impl FnMut(&[Column], &Row<'_>) -> Result<(T, usize), Failure>,
    ) -> Result<Answer<T>, Failure> {
        let write = |value: &Option<&str>, output: &mut BytesMut| {
            output.extend_from_slice(value.unwrap_or("").as_bytes());
            Ok(if value.is_some() { IsNull::No } else { IsNull::Yes })
        };
        frontend::bind("", &statement.name, [], values, write, [], &mut self.output)
            .map_err(|_| Failure::other("the values of the statement cannot be sent: they are too large"))?;
        // One more than is kept tells whether there are more.
        let most = i32::try_from(bounds.rows).unwrap_or(i32::MAX - 1) + 1;
        frontend::execute("", most, &mut self.output)?;
        frontend::sync(&mut self.output);
        self.send()?;
        let (mut rows, mut bytes, mut cut) = (Vec::new(), 0, None);
        let ended = self.until_ready(|message| match message {
            Message::DataRow(_) if rows.len() >= bounds.rows as usize => {
                cut = Some(Cut::Rows);
                Ok(())
            }
            Message::DataRow(body) => {
                let (row, size) = keep(&statement.columns, &texts(&body)?)?;
                bytes += size;
                if bytes > bounds.bytes as usize {
                    cut = Some(Cut::Bytes);
                    // Nothing reads on: what the server still sends would only cost time.
                    return Err(Failure::other("the bytes of the answer are used up"));
                }
                rows.push(row);
                Ok(())
            }
            Message::CopyInResponse(_) | Message::CopyOutResponse(_) => {
                Err(Failure::other("COPY between server and client is not possible here; use SELECT"))
            }
            _ => Ok(()),
        });
        if cut != Some(Cut::Bytes) {
            ended?;
        }
        Ok(Answer { rows, cut })
    }

    /// Prepares and runs a statement of this plugin's own, and gives all its texts.
    pub(crate) fn texts(
        &mut self,
        sql: &str,
        values: &[Option<&str>],
        bounds: Bounds,
    ) -> Result<Answer<Vec<Option<String>>>, Failure> {
        let statement = self.prepare(sql)?;
        self.execute(&statement, values, bounds, |_, row| {
            let row: Vec<_> = row.iter().map(|text| text.as_deref().map(ToOwned::to_owned)).collect();
            let size = row.iter().flatten().map(String::len).sum();
            Ok((row, size))
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The server rolls back what is open, and logs a client that left without a word.
        self.output.clear();
        frontend::terminate(&mut self.output);
        let output = self.output.split();
        let _ = self.stream.write_all(&output);
    }
}

/// A refused connection is told as such. wasi-libc says of a socket that was refused while one waited for it that it is
/// ready, and keeps the reason.
fn connected(stream: TcpStream) -> std::io::Result<TcpStream> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    stream.peer_addr()?;
    Ok(stream)
}

fn read_columns(body: &RowDescriptionBody) -> Result<Vec<Column>, Failure> {
    let columns =
        body.fields().map(|field| Ok(Column { name: field.name().to_owned(), type_oid: field.type_oid() }));
    Ok(columns.collect()?)
}

/// A database without an encoding (`SQL_ASCII`) may hold bytes that are no UTF-8; these are replaced.
fn texts(body: &DataRowBody) -> Result<Vec<Option<Cow<'_, str>>>, Failure> {
    let buffer = body.buffer();
    let text = |range: Option<std::ops::Range<usize>>| {
        Ok(range.map(|range| String::from_utf8_lossy(buffer.get(range).unwrap_or_default())))
    };
    Ok(body.ranges().map(text).collect()?)
}
