//! placeholder until branch http is merged
use std::sync::Arc;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks};
use super::{Configure, ConfigureError};
use crate::grants::Limits;
use crate::sandbox::{CallState, Counters};
pub fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> { wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker) }
pub struct Configured;
impl Configured {
    pub fn configure(_: &Configure<'_>) -> Result<Self, ConfigureError> { Ok(Self) }
    pub fn begin(&self, _: &Limits, _: &Arc<Counters>, _: std::time::Instant) -> Call { Call { ctx: WasiHttpCtx::new(), hooks: Deny } }
}
struct Deny;
impl WasiHttpHooks for Deny {
    fn send_request(&mut self, _: http::Request<wasmtime_wasi_http::WasiBody>, _: Option<wasmtime_wasi_http::RequestOptions>, _: Box<dyn std::future::Future<Output = Result<(), wasmtime_wasi_http::Error>> + Send>) -> Box<dyn std::future::Future<Output = Result<(http::Response<wasmtime_wasi_http::WasiBody>, Box<dyn std::future::Future<Output = Result<(), wasmtime_wasi_http::Error>> + Send>), wasmtime_wasi_http::Error>> + Send> {
        Box::new(async { Err(wasmtime_wasi_http::Error::HttpRequestDenied) })
    }
}
pub struct Call { ctx: WasiHttpCtx, hooks: Deny }
impl Call {
    pub fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> WasiHttpCtxView<'a> { WasiHttpCtxView { ctx: &mut self.ctx, table, hooks: &mut self.hooks } }
    pub fn take_denials(&mut self) -> Vec<String> { Vec::new() }
}
