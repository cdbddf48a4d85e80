//! What tests stand on: throw-away database servers, databases and brokers, a clock that stands still, and Request Tracker,
//! an identity system that nobody here designed.
//!
//! `cargo x test` starts one PostgreSQL and one MariaDB server for all test processes together and passes their
//! administrators' URLs in [`POSTGRES_VARIABLE`] and [`MARIADB_VARIABLE`]; [`database`] makes databases there. A test
//! whose server is missing fails and says how to get one: nothing passes in silence.
//!
//! What prepares a test panics when it cannot, with the whole reason as its message: a test that cannot be set up has
//! failed.

mod account;
mod clock;
mod database;
mod engine;
mod error;
mod mariadb;
mod nats;
mod postgres;
mod program;
mod request_tracker;
mod server;

pub use clock::StillClock;
pub use database::{TestDb, database};
pub use engine::{Engine, MARIADB_VARIABLE, POSTGRES_VARIABLE, history_engines, source_engines};
pub use error::TestkitError;
pub use mariadb::MariaDb;
pub use nats::Nats;
pub use postgres::Postgres;
pub use request_tracker::{Acts, Principal, RequestTracker, Scope};
