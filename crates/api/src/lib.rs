//! REST over HTTP: query options, resources, who may ask. Questions are answered by the crates below; no SQL is here.

pub mod odata;
