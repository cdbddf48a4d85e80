//! Whole runs over a generated identity system, and the program as people call it.

mod banners;
mod captures;
mod command_line;
mod failures;
mod partitions;
mod past;
mod program;
mod selection;
mod site;
mod tables;
