//! Whole runs over a generated identity system, and the program as people call it.

mod captures;
mod failures;
mod partitions;
mod past;
mod program;
mod selection;
mod site;
mod tables;
