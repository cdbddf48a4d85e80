//! From a URL to an operation.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

use crate::Api;
use crate::ask::{Asked, answer};
use crate::operation::{Method, Operation, operations};
use crate::problem::Problem;

/// From where a request came; a server puts it beside each request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The routes of everything that can be asked.
pub fn router(api: Arc<Api>) -> Router {
    let mut router = Router::new();
    for operation in operations() {
        let handler = move |State(api): State<Arc<Api>>,
                            places: Result<RawPathParams, RawPathParamsRejection>,
                            request: Request| { ask(api, operation, places, request) };
        let route = match operation.method {
            Method::Get => get(handler),
            Method::Post => post(handler),
        };
        router = router.route(&operation.path, route);
    }
    router
        .fallback(async || Problem::not_found("this path"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this is asked in another way")
        })
        .with_state(api)
}

async fn ask(
    api: Arc<Api>,
    operation: &'static Operation,
    places: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
) -> Response {
    let peer = request.extensions().get::<Peer>();
    let places = places.ok().map(|places| {
        places.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect::<BTreeMap<_, _>>()
    });
    let asked = Asked {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: request.headers().clone(),
        address: peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip()),
        places,
    };
    // Apart from the connection: who hangs up would cut a transaction off midway, and his question out of the log.
    match tokio::spawn(answer(api, operation, asked)).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(operation = operation.id, "a question was lost: {error}");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the question was lost").into_response()
        }
    }
}
