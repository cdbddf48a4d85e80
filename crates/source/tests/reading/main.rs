//! Reading identity systems of our own making on every engine: one body a test, three engines.

mod deletion;
mod filter;
mod identityiq;
mod lab;
mod load;
mod mismatch;
mod parts;
mod qualify;
mod secret;
mod staff;
mod whole_numbers;
