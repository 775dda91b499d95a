//! The beginning of a connection: who asks for which database, and the proof that it is them (protocol, 55.2.1).
//! SCRAM-SHA-256 and MD5 never send the password; a password in the clear goes to this machine only.
//! Must not print a password.

use fallible_iterator::FallibleIterator as _;
use kennel_sdk::prelude::*;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;

use crate::connection::Connection;
use crate::failure::{Failure, ServerError};
use crate::settings::Server;

/// Connects and logs in; the server is ready for statements then.
pub(crate) fn login(server: &Server) -> Result<Connection, Failure> {
    let mut connection = Connection::dial(server)?;
    let parameters = [
        ("user", server.user.as_str()),
        ("database", server.database.as_str()),
        ("client_encoding", "UTF8"),
        ("application_name", "kennel"),
    ];
    frontend::startup_message(parameters, &mut connection.output)?;
    connection.send()?;
    loop {
        match connection.receive()? {
            Message::AuthenticationOk | Message::BackendKeyData(_) => {}
            Message::ReadyForQuery(_) => return Ok(connection),
            Message::AuthenticationMd5Password(body) => {
                let hash = md5_hash(server.user.as_bytes(), password(server)?, body.salt());
                frontend::password_message(hash.as_bytes(), &mut connection.output)?;
                connection.send()?;
            }
            Message::AuthenticationCleartextPassword if connection.is_local() => {
                frontend::password_message(password(server)?, &mut connection.output)?;
                connection.send()?;
            }
            Message::AuthenticationCleartextPassword => {
                return Err(Failure::other(format!(
                    "PostgreSQL at {} asks for the password in the clear, over a network without encryption; have its \
                     pg_hba.conf ask for scram-sha-256",
                    connection.at
                )));
            }
            Message::AuthenticationSasl(body) => scram(&mut connection, server, &body)?,
            Message::ErrorResponse(body) => return Err(Failure::Server(ServerError::read(&body))),
            _ => {
                return Err(Failure::other(format!(
                    "PostgreSQL at {} asks for a proof that this plugin cannot give; have its pg_hba.conf ask for scram-sha-256",
                    connection.at
                )));
            }
        }
    }
}

fn password(server: &Server) -> Result<&[u8]> {
    server.password.as_deref().map(str::as_bytes).ok_or_else(|| {
        Error::failed(format!(
            "PostgreSQL asks for the password of `{}` and there is none: grant the secret PGPASSWORD with `expose = true`",
            server.user
        ))
    })
}

/// SCRAM-SHA-256 (RFC 7677): both sides prove that they know the password, or what was made of it.
fn scram(connection: &mut Connection, server: &Server, body: &AuthenticationSaslBody) -> Result<(), Failure> {
    if !body.mechanisms().any(|mechanism| Ok(mechanism == SCRAM_SHA_256))? {
        return Err(Failure::other(format!(
            "PostgreSQL at {} knows no SCRAM-SHA-256; have its pg_hba.conf ask for scram-sha-256",
            connection.at
        )));
    }
    let mut scram = ScramSha256::new(password(server)?, ChannelBinding::unsupported());
    frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut connection.output)?;
    connection.send()?;
    let wrong = |error: std::io::Error| {
        let error = Error::failed(error);
        Failure::Other(
            error.context("the server's side of the log-in does not hold, so it may be somebody else's"),
        )
    };
    match connection.receive()? {
        Message::AuthenticationSaslContinue(body) => scram.update(body.data()).map_err(wrong)?,
        Message::ErrorResponse(body) => return Err(Failure::Server(ServerError::read(&body))),
        _ => return Err(wrong(std::io::Error::other("it skipped a step"))),
    }
    frontend::sasl_response(scram.message(), &mut connection.output)?;
    connection.send()?;
    match connection.receive()? {
        Message::AuthenticationSaslFinal(body) => scram.finish(body.data()).map_err(wrong),
        Message::ErrorResponse(body) => Err(Failure::Server(ServerError::read(&body))),
        _ => Err(wrong(std::io::Error::other("it gave no proof"))),
    }
}
