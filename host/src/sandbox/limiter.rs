//! The aggregate bound on memory and tables of one call: wasmtime's own `StoreLimits` counts each
//! memory alone, so that forty memories get forty times the limit.

use wasmtime::{ResourceLimiter, Result};

use crate::grants::Limits;

/// What a call has and may have. Also runs for initial sizes, before the guest's first instruction.
#[derive(Debug)]
pub(super) struct Limiter {
    memory: usize,
    max_memory: usize,
    tables: usize,
    max_tables: usize,
    counts: [usize; 3],
    refused: Option<Refused>,
}

/// What was refused last; tells a guest's trap on a failed `memory.grow` from any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Memory,
    Table,
}

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            memory: 0,
            max_memory: limits.memory,
            tables: 0,
            max_tables: limits.table_elements,
            counts: [limits.instances, limits.memories, limits.tables],
            refused: None,
        }
    }

    /// Bytes of memory now, which is the most there were: memories never shrink.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    pub(super) fn refused(&self) -> Option<Refused> {
        self.refused
    }
}

/// Adds the growth to what is used, if the bound allows.
fn grow(used: &mut usize, bound: usize, current: usize, desired: usize) -> bool {
    let grown = used.saturating_add(desired.saturating_sub(current));
    if grown > bound {
        return false;
    }
    *used = grown;
    true
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let bound = guarded!("memory", self.max_memory, without usize::MAX);
        let allowed = grow(&mut self.memory, bound, current, desired);
        if !allowed {
            self.refused = Some(Refused::Memory);
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let bound = guarded!("tables", self.max_tables, without usize::MAX);
        let allowed = grow(&mut self.tables, bound, current, desired);
        if !allowed {
            self.refused = Some(Refused::Table);
        }
        Ok(allowed)
    }

    fn instances(&self) -> usize {
        self.counts[0]
    }

    fn memories(&self) -> usize {
        self.counts[1]
    }

    fn tables(&self) -> usize {
        self.counts[2]
    }
}
