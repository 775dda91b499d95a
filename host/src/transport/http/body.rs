//! Reading a request's body, within bounds of size, of time, and of all bodies together. Looks at no byte of it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Bodies up to this many bytes are counted by their connection alone.
const SMALL: usize = 64 << 10;

/// Bytes of larger bodies that may be in memory at once, over all connections.
const LARGE_TOGETHER: usize = 128 << 20;

/// What one permit stands for, in bytes.
const UNIT: usize = 1 << 10;

/// A body, and its place among the large ones for as long as it is worked on.
pub(super) struct Read {
    pub(super) bytes: Vec<u8>,
    pub(super) place: Option<OwnedSemaphorePermit>,
}

/// Why there is no body.
#[derive(Debug)]
pub(super) enum BodyFault {
    /// Too long; its beginning.
    TooLong(Vec<u8>),
    /// It did not come in time, or there was no place for it.
    Late,
    /// The client went away.
    Broken,
}

/// Reads bodies.
pub(super) struct Bodies {
    max: usize,
    time: Duration,
    large: Arc<Semaphore>,
}

impl Bodies {
    pub(super) fn new(max: usize, time: Duration) -> Self {
        let together = LARGE_TOGETHER.max(max) / UNIT + 1;
        Self { max, time, large: Arc::new(Semaphore::new(together)) }
    }

    /// Reads one.
    pub(super) async fn read(&self, mut body: Body) -> Result<Read, BodyFault> {
        let until = Instant::now() + guarded!("body-time", self.time, without Duration::from_secs(3600));
        let mut read = Read { bytes: Vec::new(), place: None };
        loop {
            let frame = timeout_at(until, body.frame()).await.map_err(|_| BodyFault::Late)?;
            let Some(frame) = frame else { break };
            let Ok(data) = frame.map_err(|_| BodyFault::Broken)?.into_data() else { continue };
            if guarded!("body-size", read.bytes.len() + data.len() > self.max) {
                let room = self.max - read.bytes.len();
                read.bytes.extend_from_slice(&data[..room]);
                self.pass_over(body, until).await;
                return Err(BodyFault::TooLong(read.bytes));
            }
            if guarded!("bodies-together", read.place.is_none() && read.bytes.len() + data.len() > SMALL) {
                // As much as it can become: with one wait for each nobody waits for another's half.
                let units = u32::try_from(self.max / UNIT + 1).unwrap_or(u32::MAX);
                let place = timeout_at(until, self.large.clone().acquire_many_owned(units)).await;
                read.place = Some(place.map_err(|_| BodyFault::Late)?.map_err(|_| BodyFault::Late)?);
            }
            read.bytes.extend_from_slice(&data);
        }
        // What it did not become is free for others.
        if let Some(place) = &mut read.place {
            let used = read.bytes.len() / UNIT + 1;
            drop(place.split(place.num_permits().saturating_sub(used)));
        }
        Ok(read)
    }

    /// Reads on a little, so that a client that is still writing comes to read the answer.
    async fn pass_over(&self, mut body: Body, until: Instant) {
        let mut left = self.max.saturating_mul(4);
        while let Ok(Some(Ok(frame))) = timeout_at(until, body.frame()).await {
            left = match frame.data_ref() {
                Some(data) => left.saturating_sub(data.len()),
                None => left,
            };
            if left == 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use bytes::Bytes;
    use futures::StreamExt as _;

    fn chunks(count: usize) -> Body {
        let chunks = (0..count).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 1000])));
        Body::from_stream(futures::stream::iter(chunks))
    }

    #[tokio::test]
    async fn bounds_of_size_and_time() {
        let bodies = Bodies::new(200_000, Duration::from_millis(500));
        assert_eq!(bodies.read(chunks(200)).await.unwrap().bytes.len(), 200_000);
        assert!(bodies.read(chunks(3)).await.unwrap().place.is_none());
        let Err(BodyFault::TooLong(beginning)) = bodies.read(chunks(201)).await else { panic!() };
        assert_eq!(beginning.len(), 200_000);
        let never = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from("x"))])
            .chain(futures::stream::pending());
        assert!(matches!(bodies.read(Body::from_stream(never)).await, Err(BodyFault::Late)));
    }

    #[tokio::test]
    async fn large_bodies_are_bounded_together() {
        let max = LARGE_TOGETHER / 2;
        let bodies = Bodies::new(max, Duration::from_secs(2));
        let whole = max / 1000;
        let held = [bodies.read(chunks(whole)).await.unwrap(), bodies.read(chunks(100)).await.unwrap()];
        assert!(
            matches!(bodies.read(chunks(100)).await, Err(BodyFault::Late)),
            "a third large one has no place"
        );
        assert_eq!(bodies.read(chunks(10)).await.unwrap().bytes.len(), 10_000, "a small one needs none");
        drop(held);
        assert_eq!(bodies.read(chunks(100)).await.unwrap().bytes.len(), 100_000);
    }
}
