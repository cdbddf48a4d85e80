//! A TCP proxy between a host and a database that can be told to fail.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How much is passed on at a time.
const PIECE_BYTES: usize = 16 * 1024;

/// How often a silent proxy looks whether it may go on.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// One that listens on a port of its own as long as the process lives.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    port: u16,
    line: Arc<Line>,
}

/// What the threads of a proxy share.
#[derive(Debug)]
struct Line {
    target: u16,
    open: Mutex<HashMap<u64, [TcpStream; 2]>>,
    made: AtomicU64,
    /// So many connections are still to end in the middle of what the database answers.
    to_break: AtomicU64,
    silent_until: Mutex<Option<Instant>>,
}

impl Proxy {
    /// Begins to pass connections on to this port of 127.0.0.1.
    pub(super) fn start(target: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot open a port for a proxy")?;
        let port = listener.local_addr().context("cannot tell the port of a proxy")?.port();
        let line = Arc::new(Line {
            target,
            open: Mutex::default(),
            made: AtomicU64::new(0),
            to_break: AtomicU64::new(0),
            silent_until: Mutex::default(),
        });
        let accepting = Arc::clone(&line);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A database that is away: the connection ends at once.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", accepting.target)) {
                    accepting.join(client, server).unwrap_or_default();
                }
            }
        });
        Ok(Self { port, line })
    }

    /// The port that it listens on.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Ends all connections.
    pub(super) fn cut(&self) {
        for streams in self.line.open().values() {
            part(streams);
        }
    }

    /// Ends each connection that is open in the middle of the next answer.
    pub(super) fn break_off(&self) {
        let open = self.line.open().len() as u64;
        self.line.to_break.store(open, Ordering::SeqCst);
    }

    /// Passes nothing on for a while; then it goes on as if nothing had been.
    pub(super) fn hush(&self, span: Duration) {
        *self.line.silent_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + span);
    }

    /// Lets everything through again.
    pub(super) fn heal(&self) {
        self.line.to_break.store(0, Ordering::SeqCst);
        *self.line.silent_until.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Line {
    fn open(&self) -> MutexGuard<'_, HashMap<u64, [TcpStream; 2]>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on between these two until one of them ends.
    fn join(self: &Arc<Self>, client: TcpStream, server: TcpStream) -> std::io::Result<()> {
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
        }
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        self.open().insert(number, [client.try_clone()?, server.try_clone()?]);
        for (from, to, answers) in [(&client, &server, false), (&server, &client, true)] {
            let (line, from, to) = (Arc::clone(self), from.try_clone()?, to.try_clone()?);
            thread::spawn(move || {
                // However it ends, the connection is over.
                line.pass(from, to, answers).unwrap_or_default();
                if let Some(streams) = line.open().remove(&number) {
                    part(&streams);
                }
            });
        }
        Ok(())
    }

    fn pass(&self, mut from: TcpStream, mut to: TcpStream, answers: bool) -> std::io::Result<()> {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let length = from.read(&mut piece)?;
            if length == 0 {
                return Ok(());
            }
            while self.is_silent() {
                thread::sleep(LOOK_EVERY);
            }
            if answers && self.takes_break() {
                return to.write_all(&piece[..length / 2]);
            }
            to.write_all(&piece[..length])?;
        }
    }

    fn is_silent(&self) -> bool {
        let until = *self.silent_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn takes_break(&self) -> bool {
        let less = |left: u64| left.checked_sub(1);
        self.to_break.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
    }
}

/// Ends both sides of a connection; one that has ended already is no error.
fn part(streams: &[TcpStream; 2]) {
    for stream in streams {
        stream.shutdown(Shutdown::Both).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers each byte with four.
    fn echo() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).is_ok() {
                        stream.write_all(&[byte[0]; 4]).unwrap();
                    }
                });
            }
        });
        port
    }

    fn ask(stream: &mut TcpStream, byte: u8) -> Vec<u8> {
        stream.write_all(&[byte]).unwrap();
        let mut answer = Vec::new();
        let mut piece = [0];
        while answer.len() < 4 && matches!(stream.read(&mut piece), Ok(1)) {
            answer.push(piece[0]);
        }
        answer
    }

    #[test]
    fn connections_are_passed_on_broken_off_and_cut() {
        let proxy = Proxy::start(echo()).unwrap();
        let connect = || TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        let mut stream = connect();
        assert_eq!(ask(&mut stream, 7), [7; 4]);
        let begun = Instant::now();
        proxy.hush(Duration::from_millis(100));
        assert_eq!(ask(&mut stream, 8), [8; 4]);
        assert!(begun.elapsed() >= Duration::from_millis(100));
        proxy.break_off();
        assert_eq!(ask(&mut stream, 9), [9; 2]);
        let mut stream = connect();
        assert_eq!(ask(&mut stream, 1), [1; 4]);
        proxy.cut();
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    }
}
