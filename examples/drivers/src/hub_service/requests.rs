//! Requests that hyper has read, for axum or whatever else stands on it.

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderName, Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use roomwire::http;
use roomwire::hub::{Answer, Peer, RequestId};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::streams::Registered;
use super::{Application, HubService};
use crate::now;

impl<A: Application> HubService<A> {
    /// Answers a request for the path of Socket.IO: at once, when there is something to say, or by making its stream a
    /// WebSocket. When this future is dropped before it has an answer, the client is taken to be gone.
    pub async fn handle(&self, peer: Peer, mut request: Request<Body>) -> Response<Body> {
        let upgrade = hyper::upgrade::on(&mut request);
        match self.read(request).await {
            Ok(request) => match self.pass_in(peer, request, upgrade) {
                Ok(response) => respond(&response),
                Err(parked) => parked.response().await,
            },
            Err(status) => respond(&http::Response::new(status)),
        }
    }

    /// Reads a request whole, within the limits of the hub's configuration; else the status that says what is wrong with it.
    async fn read(&self, request: Request<Body>) -> Result<http::Request, u16> {
        let (limit, patience) = (self.0.body_bytes_max, self.0.body_timeout);
        let head = from_axum(&request).map_err(|error| error.status().unwrap_or(400))?;
        match timeout(patience, collect(request.into_body(), limit)).await {
            Ok(body) => Ok(head.with_body(body?)),
            Err(_) => Err(408),
        }
    }

    /// Gives a request to the hub: the response, or what it comes by.
    fn pass_in(&self, peer: Peer, request: http::Request, upgrade: OnUpgrade) -> Result<http::Response, Parked<A>> {
        let mut state = self.lock();
        let answer = match state.hub.handle_request(now(), peer, request) {
            Answer::Now(response) => Ok(response),
            Answer::NotServed(_) => Ok(http::Response::new(404)),
            Answer::Upgrade(conn, response) => {
                tokio::spawn(switch(state.registered(self, conn, peer), upgrade));
                Ok(response)
            }
            Answer::Parked(id) => {
                let (sender, receiver) = oneshot::channel();
                state.parked.insert(id, sender);
                Err(Parked { service: self.clone(), id, receiver })
            }
        };
        self.settle(state, None);
        answer
    }
}

/// Reads a body of at most `limit` bytes; else the status that says what is wrong with it.
///
/// Of a longer one as much again is read and dropped: a client that still writes when its connection is closed may never
/// see the answer.
async fn collect(mut body: Body, limit: usize) -> Result<Bytes, u16> {
    let most = limit.saturating_mul(2);
    if body.size_hint().lower() > most as u64 {
        return Err(413);
    }
    let (mut kept, mut length) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| 400_u16)?.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length <= limit {
            kept.extend_from_slice(&data);
        } else if length > most {
            break;
        }
    }
    if length <= limit { Ok(kept.into()) } else { Err(413) }
}

/// Carries a WebSocket on what is left of its request.
async fn switch<A: Application>(registered: Registered<A>, upgrade: OnUpgrade) {
    if let Ok(stream) = upgrade.await {
        // What breaks is told by the hub.
        let _ = registered.drive(TokioIo::new(stream)).await;
    }
}

/// A request that awaits its response. It is dropped with the task of its connection, when the client goes away.
struct Parked<A: Application> {
    service: HubService<A>,
    id: RequestId,
    receiver: oneshot::Receiver<http::Response>,
}

impl<A: Application> Parked<A> {
    async fn response(mut self) -> Response<Body> {
        match (&mut self.receiver).await {
            Ok(response) => respond(&response),
            Err(_) => respond(&http::Response::new(503)),
        }
    }
}

impl<A: Application> Drop for Parked<A> {
    fn drop(&mut self) {
        let mut state = self.service.lock();
        if state.parked.remove(&self.id).is_some() {
            state.hub.cancel_request(now(), self.id);
            self.service.settle(state, None);
        }
    }
}

/// The head of a request of axum's as one of the library's.
///
/// # Errors
/// If it breaks the rules of the library's own reader.
pub fn from_axum(request: &Request<Body>) -> Result<http::Request, http::Error> {
    let version = if request.version() == Version::HTTP_10 { 0 } else { 1 };
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let head = http::Request::from_parts(request.method().as_str(), &request.uri().to_string(), version, headers)?;
    Ok(match request.extensions().get::<Protocol>() {
        Some(protocol) => head.with_protocol(protocol.as_str()),
        None => head,
    })
}

/// A response of the library's as one of axum's.
#[must_use]
pub fn respond(answer: &http::Response) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body_bytes().clone()));
    *response.status_mut() = StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::BAD_REQUEST);
    for (name, value) in answer.headers() {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
