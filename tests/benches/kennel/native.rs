//! The yardstick for `kennel serve`: a server of the protocol library with the same tool as a native function.
//! This very program, run again, serves it over Kennel's own transport or over the library's.
//! It must not do anything that a server without plugins would not.

use std::process::{Command, ExitCode};
use std::sync::Arc;

use kennel::mcp::RawArguments;
use kennel::transport::stdio::{Options, serve_service};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolsCapability,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{ServerHandler, ServiceExt as _};
use serde::Deserialize;
use serde_json::json;
use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;

use crate::world;

/// Over what it serves.
#[derive(Clone, Copy)]
pub enum Way {
    Ours,
    Theirs,
}

impl Way {
    fn argument(self) -> &'static str {
        match self {
            Self::Ours => "serve-native-ours",
            Self::Theirs => "serve-native-theirs",
        }
    }

    pub fn of_argument(argument: &str) -> Option<Self> {
        [Self::Ours, Self::Theirs].into_iter().find(|way| way.argument() == argument)
    }

    /// The command that serves so.
    pub fn command(self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(self.argument());
        command
    }
}

struct Native;

#[derive(Deserialize)]
struct Echo {
    text: String,
}

impl ServerHandler for Native {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::default();
        capabilities.tools = Some(ToolsCapability::default());
        ServerConfig::new(capabilities)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema =
            json!({ "type": "object", "properties": { "text": { "type": "string" } }, "required": ["text"] });
        let schema = schema.as_object().unwrap().clone();
        let tool = Tool::new("echo", "Gives back the text it is given.", Arc::new(schema));
        Ok(ListToolsResult::with_all_items(vec![tool]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments: Result<Echo, _> = match context.extensions.get::<RawArguments>() {
            Some(RawArguments(text)) => serde_json::from_str(text),
            None => serde_json::from_value(request.arguments.unwrap_or_default().into()),
        };
        let Echo { text } = arguments.map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
        Ok(CallToolResponse::Complete(CallToolResult::success(vec![ContentBlock::text(text)])))
    }
}

/// Serves until input ends.
pub fn serve(way: Way) -> ExitCode {
    world::runtime().block_on(async {
        match way {
            Way::Ours => {
                let (input, output) = (std::io::stdin(), std::io::stdout());
                let never = std::future::pending();
                serve_service(
                    Native,
                    async {},
                    CancellationToken::new(),
                    input,
                    output,
                    Options::default(),
                    never,
                )
                .await
                .unwrap();
            }
            Way::Theirs => {
                // As the library's own `stdio_pipes` does: opened anew, so that only these are non-blocking.
                let options = pipe::OpenOptions::new();
                let input = options.open_receiver("/proc/self/fd/0").unwrap();
                let output = options.open_sender("/proc/self/fd/1").unwrap();
                let service = Native.serve((input, output)).await.unwrap();
                service.waiting().await.unwrap();
            }
        }
    });
    // As `kennel serve` ends: nothing waits for threads that may sit in a read.
    std::process::exit(0)
}
