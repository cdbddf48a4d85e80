//! Connections: taken, secured, served, ended.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::router::Peer;
use crate::tls::{TlsFiles, acceptor};
use crate::{Api, Error, router};

/// Connections at a time; others wait to be taken.
const CONNECTIONS_MAX: usize = 1_000;
/// To agree on keys, and to send a request's head.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// Bytes of a request's head, its URL with the query in it.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// After a connection that could not be taken, for want of file descriptors, say.
const BREATH: Duration = Duration::from_millis(100);

/// Where requests come in.
pub struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

/// Begins to listen.
///
/// # Errors
/// `ClearText` for an address that other hosts reach without a certificate; else what hinders it.
pub async fn listen(address: SocketAddr, tls: Option<&TlsFiles>) -> Result<Server, Error> {
    if tls.is_none() && !address.ip().is_loopback() {
        return Err(Error::ClearText(address));
    }
    let tls = tls.map(acceptor).transpose()?;
    let listener = TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })?;
    Ok(Server { listener, tls })
}

impl Server {
    /// Where it listens, as the beginning of a URL.
    ///
    /// # Errors
    /// From the system.
    pub fn url(&self) -> std::io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.listener.local_addr()?))
    }

    /// Serves until it is told to stop; then takes no more connections, and returns when those requests are answered
    /// that were under way.
    pub async fn serve(self, api: Arc<Api>, stop: impl Future<Output = ()>) {
        let router = router(Arc::clone(&api));
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let (tell, told) = watch::channel(false);
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let taken = tokio::select! {
                () = &mut stop => break,
                // Those that ended are let go of.
                Some(_) = connections.join_next() => continue,
                taken = take(&self.listener, &room) => taken,
            };
            let Some((stream, peer, permit)) = taken else { continue };
            let (router, tls, told) = (router.clone(), self.tls.clone(), told.clone());
            connections.spawn(async move {
                let _permit = permit;
                connection(stream, peer, tls, router, told).await;
            });
        }
        tell.send_replace(true);
        // What is followed would go on for as long as the run does.
        api.stopping.send_replace(true);
        while connections.join_next().await.is_some() {}
    }
}

type Taken = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

async fn take(listener: &TcpListener, room: &Arc<Semaphore>) -> Option<Taken> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, permit)),
        Err(error) => {
            tracing::warn!("a connection could not be taken: {error}");
            tokio::time::sleep(BREATH).await;
            None
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    told: watch::Receiver<bool>,
) {
    // Answers are written whole: nothing is gained by waiting for more.
    drop(stream.set_nodelay(true));
    let Some(tls) = tls else { return requests(stream, peer, router, told).await };
    match tokio::time::timeout(HEAD_MAX, tls.accept(stream)).await {
        Ok(Ok(stream)) => requests(stream, peer, router, told).await,
        Ok(Err(error)) => tracing::debug!(%peer, "a connection was not secured: {error}"),
        Err(_) => tracing::debug!(%peer, "a connection was not secured in time"),
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: SocketAddr,
    router: Router,
    mut told: watch::Receiver<bool>,
) {
    let routes = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request;
        request.extensions_mut().insert(Peer(peer));
        routes.call(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX).max_buf_size(HEAD_BYTES_MAX);
    let serving = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        _ = told.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, "a connection ended: {error}");
    }
}
