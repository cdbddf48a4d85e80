//! A server that takes what it is sent and answers no more, while its host acknowledges everything: no call waits for
//! ever (TRAP-09).

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use annals_sql::{Access, Db, ErrorKind, Stmt};
use annals_testkit::{Engine, database};

const ONE: Stmt = Stmt::new("test.one", "select 1");

/// A way to a server that can be stopped up: connections stay, and nothing passes any more.
struct Proxy {
    url: String,
    stuck: Arc<AtomicBool>,
}

impl Proxy {
    fn before(url: &str) -> Self {
        let (head, rest) = url.split_once("@").unwrap();
        let (server, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{head}@{}/{database}", listener.local_addr().unwrap());
        let (server, stuck) = (server.to_owned(), Arc::new(AtomicBool::new(false)));
        let is_stuck = Arc::clone(&stuck);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let is_stuck = Arc::clone(&is_stuck);
                    std::thread::spawn(move || pass(from, to, &is_stuck));
                }
            }
        });
        Self { url, stuck }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, stuck: &AtomicBool) {
    let mut bytes = [0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        // What comes is taken and forgotten.
        if !stuck.load(Ordering::Relaxed) && to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
}

/// A statement of a transaction that is open ends when it has waited for so long; the next transaction and the next
/// opening end as well, within the time that it may take to have a connection.
#[tokio::test]
async fn a_server_that_answers_no_more_is_given_up() {
    let of_engine = |engine| async move {
        let server = database(engine);
        let proxy = Proxy::before(server.url());
        let db = Db::open(&proxy.url, Access::ReadWrite).await.unwrap();
        let db = db.with_call_max(Duration::from_secs(1));
        let mut open = db.begin_read().await.unwrap();
        open.fetch_one(&ONE, Vec::new()).await.unwrap();
        proxy.stuck.store(true, Ordering::Relaxed);

        let began = Instant::now();
        let silent = open.fetch_one(&ONE, Vec::new()).await.unwrap_err();
        assert!(silent.to_string().contains("test.one: no answer within 1s"), "{silent}");
        assert_eq!(silent.kind(), ErrorKind::Unreachable);
        assert!((1..10).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());

        let began = Instant::now();
        let (next, opened) = tokio::join!(db.begin(), Db::open(&proxy.url, Access::ReadWrite));
        assert_eq!(next.unwrap_err().kind(), ErrorKind::Unreachable, "{engine:?}");
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::Unreachable, "{engine:?}");
        assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    };
    tokio::join!(of_engine(Engine::Postgres), of_engine(Engine::MariaDb));
}
