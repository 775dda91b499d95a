//! Answers that let themselves be waited for: after a while the client gets a stream with comments in it, so that
//! nothing on the way gives the connection up. Says nothing of its own besides those.

use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::BodyExt as _;

/// How long an answer may take before its status is decided without it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a comment says that the line is alive.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Waits for the response to a call; after [`PATIENCE`] it becomes a stream, whatever it is. Dropping the body
/// drops the call.
pub(super) async fn patiently(call: impl Future<Output = Response> + Send + 'static) -> Response {
    after(PATIENCE, KEEP_ALIVE, call).await
}

type Call = Pin<Box<dyn Future<Output = Response> + Send>>;

enum Late {
    Waiting(Call),
    Begun(Body),
    Over,
}

async fn after(
    patience: Duration,
    every: Duration,
    call: impl Future<Output = Response> + Send + 'static,
) -> Response {
    let mut call: Call = Box::pin(call);
    if let Ok(response) = tokio::time::timeout(patience, &mut call).await {
        return response;
    }
    let comment = || Bytes::from_static(b":\n\n");
    let first = futures::stream::iter([Ok(comment())]);
    let rest = futures::stream::unfold(Late::Waiting(call), move |mut late| async move {
        loop {
            late = match late {
                Late::Waiting(mut call) => match tokio::time::timeout(every, &mut call).await {
                    Err(_) => return Some((Ok(comment()), Late::Waiting(call))),
                    Ok(response) if is_stream(&response) => Late::Begun(response.into_body()),
                    Ok(response) => {
                        let json = match response.into_body().collect().await {
                            Ok(body) => body.to_bytes(),
                            Err(error) => return Some((Err(error), Late::Over)),
                        };
                        let event = [b"data: ", json.as_ref(), b"\n\n"].concat();
                        return Some((Ok(Bytes::from(event)), Late::Over));
                    }
                },
                Late::Begun(mut body) => {
                    let frame = body.frame().await?;
                    match frame.map(http_body::Frame::into_data) {
                        Ok(Ok(data)) => return Some((Ok(data), Late::Begun(body))),
                        Ok(Err(_)) => Late::Begun(body),
                        Err(error) => return Some((Err(error), Late::Over)),
                    }
                }
                Late::Over => return None,
            }
        }
    });
    event_stream(Body::from_stream(first.chain(rest)))
}

/// The response that a stream of events begins with.
pub(super) fn event_stream(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Whether a response is a stream of events.
pub(super) fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::transport::http::plain::json;
    use axum::http::StatusCode;

    const SHORT: Duration = Duration::from_millis(100);

    async fn text(response: Response) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_quick_answer_stays_as_it_is() {
        let response = after(SHORT * 100, SHORT, async { json(StatusCode::BAD_REQUEST, "{}") }).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(text(response).await, "{}");
    }

    #[tokio::test]
    async fn a_slow_answer_comes_in_a_stream() {
        let slow = async {
            tokio::time::sleep(SHORT * 5).await;
            json(StatusCode::OK, "{}")
        };
        let response = after(SHORT, SHORT, slow).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(is_stream(&response));
        let text = text(response).await;
        let comments = text.strip_suffix("data: {}\n\n").unwrap();
        assert!(comments.starts_with(":\n\n:\n\n") && comments.replace(":\n\n", "").is_empty(), "{text:?}");
    }

    #[tokio::test]
    async fn dropping_the_stream_drops_the_call() {
        let (alive, gone) = tokio::sync::oneshot::channel::<()>();
        let slow = async move {
            let _alive = alive;
            std::future::pending().await
        };
        let response = after(SHORT, SHORT, slow).await;
        drop(response);
        assert!(gone.await.is_err());
    }
}
