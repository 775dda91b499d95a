//! The aggregate bound on memory and tables of one call: wasmtime's own `StoreLimits` counts each
//! memory alone, so that forty memories get forty times the limit. A guest that grows gives way to others as it goes.

use wasmtime::{ResourceLimiterAsync, Result};

use super::border::GiveWay;
use crate::grants::Limits;

/// Bytes that a guest's memory may grow between two yields. Fuel does not see what growing costs the system, which maps,
/// zeroes and takes back each page: some milliseconds for 64 MiB, in which others would wait.
const GROWTH_SLICE: usize = 4 << 20;

/// What a call has and may have. Also runs for initial sizes, before the guest's first instruction.
#[derive(Debug)]
pub(super) struct Limiter {
    memory: usize,
    max_memory: usize,
    tables: usize,
    max_tables: usize,
    counts: [usize; 3],
    /// Bytes grown since the guest last gave way for it.
    since: usize,
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
            since: 0,
            refused: None,
        }
    }

    /// For one more call of the same instance, which has what it has.
    pub(super) fn again(&mut self) {
        self.since = 0;
        self.refused = None;
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

#[wasmtime_wasi::async_trait]
impl ResourceLimiterAsync for Limiter {
    async fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let bound = guarded!("memory", self.max_memory, without usize::MAX);
        let allowed = grow(&mut self.memory, bound, current, desired);
        if !allowed {
            self.refused = Some(Refused::Memory);
        } else if current > 0 {
            // What it begins with is the same for every call, and mapped at once.
            self.since += desired.saturating_sub(current);
            if guarded!("growth-yield", self.since >= GROWTH_SLICE) {
                self.since = 0;
                GiveWay::default().await;
            }
        }
        Ok(allowed)
    }

    async fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::FutureExt as _;

    use super::*;
    use crate::sandbox::capability::test_limits;

    /// A guest that grows leaves the thread to others as it goes; one that begins large does not.
    #[test]
    fn growing_gives_way() {
        const MIB: usize = 1 << 20;
        let mut limiter = Limiter::new(&Limits { memory: 64 * MIB, ..test_limits() });
        let begins = limiter.memory_growing(0, 16 * MIB, None).now_or_never();
        assert!(begins.unwrap().unwrap());
        let mut gave_way = 0;
        for size in 16..64 {
            let grown = limiter.memory_growing(size * MIB, (size + 1) * MIB, None);
            gave_way += usize::from(grown.now_or_never().is_none());
        }
        assert_eq!(gave_way, 12);
        assert_eq!(limiter.memory(), 64 * MIB);
    }
}
