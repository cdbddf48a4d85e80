//! From trees to typed forms, one module for each kind of file.

pub(crate) mod api;
pub(crate) mod broker;
pub(crate) mod columns;
pub(crate) mod extract;
pub(crate) mod filter;
pub(crate) mod object_type;
pub(crate) mod oidc;
pub(crate) mod profile;
pub(crate) mod property;
pub(crate) mod schedule;
pub(crate) mod service;
pub(crate) mod task;
pub(crate) mod tracing;
pub(crate) mod transform;
pub(crate) mod transformer;
pub(crate) mod url;
