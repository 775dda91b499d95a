//! The data of one call's store: the part of each capability that belongs to this call.

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use super::capability::{commands, files, host, http, sockets, state};
use super::limiter::Limiter;

/// The store's data. Each capability sees its own part of it.
pub struct CallState {
    pub(super) table: ResourceTable,
    pub(super) wasi: WasiCtx,
    pub(super) files: files::Call,
    pub(super) http: http::Call,
    pub(super) sockets: sockets::Call,
    pub(super) state: state::Call,
    pub(super) commands: commands::Call,
    pub(super) host: host::Call,
    pub(super) limiter: Limiter,
    /// Fuel left when the guest last gave way in a host call.
    pub(super) fuel_at_yield: u64,
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for CallState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.http.view(&mut self.table)
    }
}
