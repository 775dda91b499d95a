//! The plugins for web APIs through the binary, each against a real server on loopback that answers as its service does:
//! what is asked, what is told, every failure, and that each needs every grant that it asks for. One binary, because
//! they share all but their services.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod aws_kb_retrieval;
mod brave_search;
mod everart;
mod flux;
mod gdrive;
mod github;
mod gitlab;
mod google_maps;
mod openai;
mod sentry;
mod slack;
mod weather;
