//! Requests over REST, one after the other or so many a second, and how long they took.

use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::service::Service;
use crate::bench::grid::number;

/// What is asked, with `{id}` for an identity; instants lie in the two years.
pub(super) const QUESTIONS: [(&str, &str); 4] = [
    ("as-of", "/api/v1/identities/{id}/as-of?at=2026-01-15"),
    ("access", "/api/v1/identities/{id}/access?at=2026-01-15&$top=1000"),
    ("timeline page", "/api/v1/identities/{id}/timeline?$top=100"),
    (
        "find page",
        "/api/v1/identities?$filter=startswith(lastname,'M')%20and%20deleted%20eq%20false&$orderby=name&$top=100",
    ),
];

/// Requests a second that are wanted, and for how long.
const RATE: u32 = 500;
const MIXED_FOR: Duration = Duration::from_secs(30);

/// Connections of the mixed requests.
const CONNECTIONS: u32 = 16;

/// How long questions took.
#[derive(Debug)]
pub(super) struct Latencies {
    /// Sorted, microseconds.
    us: Vec<u64>,
}

impl Latencies {
    pub(super) fn of(mut us: Vec<u64>) -> Self {
        us.sort_unstable();
        Self { us }
    }

    pub(super) fn count(&self) -> usize {
        self.us.len()
    }

    /// The smallest time within which so many percent were answered.
    pub(super) fn percentile_ms(&self, percent: usize) -> f64 {
        let place = (self.us.len() * percent).div_ceil(100).max(1) - 1;
        self.us.get(place).map_or(f64::NAN, |us| *us as f64 / 1_000.0)
    }

    pub(super) fn total_s(&self) -> f64 {
        self.us.iter().sum::<u64>() as f64 / 1_000_000.0
    }
}

/// A connection that is kept.
struct Connection<'s> {
    service: &'s Service,
    stream: BufReader<TcpStream>,
}

impl<'s> Connection<'s> {
    fn open(service: &'s Service) -> Result<Self> {
        let stream = TcpStream::connect(&service.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { service, stream: BufReader::new(stream) })
    }

    /// The body of the answer.
    fn get(&mut self, path: &str) -> Result<Vec<u8>> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
            self.service.address, self.service.token
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut status = String::new();
        self.stream.read_line(&mut status)?;
        let mut length = None;
        loop {
            let mut line = String::new();
            ensure!(self.stream.read_line(&mut line)? > 0, "the connection ended");
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = Some(value.trim().parse::<usize>()?);
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length.context("an answer without a length")?];
        self.stream.read_exact(&mut body)?;
        ensure!(status.contains(" 200 "), "{path}: {status}{}", String::from_utf8_lossy(&body));
        Ok(body)
    }
}

/// So many questions of a kind, one after the other; how long each took, and how many rows there were in all.
pub(super) fn one_by_one(
    service: &Service,
    people: &[&str],
    path: &str,
    questions: u32,
) -> Result<(Latencies, u64)> {
    let mut connection = Connection::open(service)?;
    let (mut us, mut rows) = (Vec::new(), 0);
    // The first ones are for connections and plans, and do not count.
    for (place, person) in people.iter().cycle().take(questions as usize + 100).enumerate() {
        let path = path.replace("{id}", person);
        let begun = Instant::now();
        let body = connection.get(&path)?;
        if place >= 100 {
            us.push(u64::try_from(begun.elapsed().as_micros())?);
            let answer: Value = serde_json::from_slice(&body)?;
            rows += answer["value"].as_array().map_or(1, Vec::len) as u64;
        }
    }
    Ok((Latencies::of(us), rows))
}

/// What came of mixed requests at a rate.
pub(super) struct Mixed {
    latencies: Latencies,
    taken: Duration,
}

impl Mixed {
    pub(super) fn table(&self) -> String {
        format!(
            "| wanted, requests/s | answered, requests/s | p50, ms | p95, ms | p99, ms |\n|--:|--:|--:|--:|--:|\n\
             | {RATE} | {} | {} | {} | {} |\n",
            number(self.rate(), 0),
            number(self.latencies.percentile_ms(50), 2),
            number(self.latencies.percentile_ms(95), 2),
            number(self.latencies.percentile_ms(99), 2),
        )
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "wantedPerSecond": RATE, "answeredPerSecond": self.rate(), "p50Ms": self.latencies.percentile_ms(50),
            "p95Ms": self.latencies.percentile_ms(95), "p99Ms": self.latencies.percentile_ms(99),
        })
    }

    fn rate(&self) -> f64 {
        self.latencies.count() as f64 / self.taken.as_secs_f64()
    }
}

/// Questions about single identities at a rate. Each has an instant at which it is due, whatever became of those before,
/// and its time counts from there: an answer that holds others up is not hidden.
pub(super) fn mixed(service: &Service, people: &[&str]) -> Result<Mixed> {
    let every = Duration::from_secs(1) / RATE;
    let wanted = usize::try_from(MIXED_FOR.as_micros() / every.as_micros())?;
    let next = AtomicUsize::new(0);
    let begun = Instant::now();
    let lane = || -> Result<Vec<u64>> {
        let mut connection = Connection::open(service)?;
        let mut us = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= wanted {
                return Ok(us);
            }
            let due = every * u32::try_from(place)?;
            if let Some(early) = due.checked_sub(begun.elapsed()) {
                thread::sleep(early);
            }
            let (_, path) = QUESTIONS[place % 3];
            let person = people[(place * 7) % people.len()];
            connection.get(&path.replace("{id}", person))?;
            us.push(u64::try_from((begun.elapsed() - due).as_micros())?);
        }
    };
    let all = thread::scope(|scope| {
        let lanes: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(lane)).collect();
        let ended =
            lanes.into_iter().map(|lane| lane.join().map_err(|_| anyhow::anyhow!("a lane broke off"))?);
        ended.collect::<Result<Vec<_>>>()
    })?;
    Ok(Mixed { latencies: Latencies::of(all.into_iter().flatten().collect()), taken: begun.elapsed() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_time_that_suffices_for_so_many() {
        let latencies = Latencies::of((1..=200).rev().map(|ms| ms * 1_000).collect());
        assert_eq!((latencies.percentile_ms(50), latencies.percentile_ms(95)), (100.0, 190.0));
        assert_eq!((latencies.percentile_ms(99), latencies.count()), (198.0, 200));
        assert!((Latencies::of(vec![1_500_000, 500_000]).total_s() - 2.0).abs() < 1e-9);
        assert_eq!(Latencies::of(vec![7_000]).percentile_ms(95), 7.0);
    }
}
