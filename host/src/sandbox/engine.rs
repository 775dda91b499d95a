//! The one engine of a process: how code is compiled and how instances are allocated. Decides
//! nothing about a single call.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroUsize;

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OperatorCost, PoolingAllocationConfig, Result,
    WasmFeatures,
};

/// Instances that can exist at once in the process, and so calls that can run at once.
pub(super) const POOL_SLOTS: u32 = 256;
/// Bytes one linear memory can have at most; no limit can be set higher.
pub const MAX_MEMORY: usize = 256 << 20;
/// Elements one table can have at most.
pub const MAX_TABLE_ELEMENTS: usize = 20_000;
/// Core instances of one component.
pub const MAX_CORE_INSTANCES: u32 = 32;
/// Linear memories of one component.
pub const MAX_MEMORIES: u32 = 4;
/// Tables of one component.
pub const MAX_TABLES: u32 = 16;
/// Bytes of stack that a guest has.
pub(super) const MAX_STACK: usize = 512 << 10;
/// Bytes of the host's own records of an instance.
const MAX_INSTANCE_SIZE: usize = 4 << 20;

/// The bounds that a component must fit, in words.
pub(super) fn bounds() -> String {
    format!(
        "{MAX_MEMORY} bytes, {MAX_TABLE_ELEMENTS} elements, {MAX_CORE_INSTANCES} instances, {MAX_MEMORIES} memories, \
         {MAX_TABLES} tables, {MAX_INSTANCE_SIZE} bytes of an instance"
    )
}

/// Fuel a guest burns between two yields. Yielding every 100 000 units is free (measured: within
/// noise; every 10 000 costs half), and is 5 to 50 µs of guest time.
pub(super) const SLICE_FUEL: u64 = 100_000;

/// A `memory.grow` of one page: about what zeroing the page costs.
const GROW_FUEL_PER_PAGE: u8 = 100;

fn base() -> Config {
    let mut config = Config::new();
    let mut costs = OperatorCost::new();
    costs.variable.memory_grow_per_page = GROW_FUEL_PER_PAGE;
    config
        .consume_fuel(true)
        .operator_cost(costs)
        .memory_init_cow(true)
        .max_wasm_stack(guarded!("stack", MAX_STACK, without 2 * MAX_STACK))
        .async_stack_size(2 << 20)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16))
        // What no plugin language needs is not there to be attacked.
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        // On by default in wasmtime even where its garbage collector is not compiled in: then a call through a type with
        // subtypes ends the process (RUSTSEC-2026-0570).
        .wasm_features(
            WasmFeatures::GC | WasmFeatures::FUNCTION_REFERENCES,
            guarded!("subtypes", false, without true),
        );
    config
}

/// The engine of the serving process: instances come out of a pool.
///
/// # Errors
/// When the machine cannot reserve the pool's address space, which the caller meets with
/// [`on_demand`].
pub fn pooled() -> Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(POOL_SLOTS)
        .total_core_instances(4 * POOL_SLOTS)
        .total_memories(POOL_SLOTS + POOL_SLOTS / 4)
        .total_tables(4 * POOL_SLOTS)
        .total_stacks(POOL_SLOTS)
        .max_core_instances_per_component(MAX_CORE_INSTANCES)
        .max_memories_per_component(MAX_MEMORIES)
        .max_tables_per_component(MAX_TABLES)
        .max_memories_per_module(1)
        .max_tables_per_module(4)
        .max_memory_size(MAX_MEMORY)
        .table_elements(MAX_TABLE_ELEMENTS)
        .max_core_instance_size(MAX_INSTANCE_SIZE)
        .max_component_instance_size(MAX_INSTANCE_SIZE)
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(64 << 10)
        // Tells which pages a call dirtied, so that only those are reset (Linux 6.7 and later).
        .pagemap_scan(Enabled::Auto)
        // What a call dirtied beyond that goes back to the system at once: pages that wait for a batch to fill
        // count in nobody's limit (measured: sixteen calls of 60 MiB held a gigabyte). Small calls never get here.
        .decommit_batch_size(1)
        .max_unused_warm_slots(16);
    let mut config = base();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// The same engine without a pool: for the compiling child, whose address space is bounded, and for
/// machines that cannot reserve the pool. Code compiled for one runs on the other.
///
/// # Errors
/// When the machine's processor is not supported.
pub(super) fn on_demand() -> Result<Engine> {
    Engine::new(&base())
}

/// Names everything that decides whether stored code fits; the same with a pool and without.
pub(super) fn code_key(engine: &Engine) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{}-{:016x}", env!("CARGO_PKG_VERSION"), hasher.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn code_has_one_name_with_a_pool_and_without() {
        assert_eq!(code_key(&pooled().unwrap()), code_key(&on_demand().unwrap()));
    }
}
