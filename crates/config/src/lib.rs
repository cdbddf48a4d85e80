//! Every YAML file of Annals: service, task, extract, transform and source profile.
//!
//! A file is read into a tree that remembers where each key and value stands; each kind of file then takes
//! its typed form out of the tree and notes everything that is wrong, so that one look finds all errors of
//! all files.
//!
//! [`Config::load`] reads a configuration directory, [`check`] only says what is wrong with it,
//! [`banner::run_banners`] what a run of a task will complain about.
//!
//! YAML is read as version 1.2 with its core schema: `true` and `false` are the only truth values, `yes`,
//! `no`, `on` and `off` are text; a number with leading zeros (`012`) is text, since versions of YAML
//! disagree about it; where a text is wanted, a plain number is the text that was written (`8.10` stays
//! `8.10`); a key without a value counts as not given. Tags, merge keys, directives and a second document are
//! refused; anchors and aliases may be used within the limits on nodes and depth.

pub mod banner;
mod config;
mod directory;
pub mod extract;
mod fields;
mod file;
pub mod filter;
mod load;
mod node;
mod place;
mod problem;
pub mod profile;
mod read;
mod resolve;
pub mod service;
mod suggest;
pub mod task;
pub mod transform;
mod value;
mod yaml;

pub use config::{Config, check};
pub use file::Environment;
pub use problem::{Problem, Problems, Severity};
