//! Images as the transform configuration asks for them.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod kinds;
mod lab;
mod plan;
mod shape;
mod transformers;
