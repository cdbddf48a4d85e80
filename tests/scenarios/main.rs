//! Whole runs over a generated identity system, and the program as people call it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod access;
mod banners;
mod brokered;
mod captures;
mod clean_up;
mod command_line;
mod compact;
mod compare;
mod daemon;
mod dead;
mod deletions;
mod deploy;
mod doctor;
mod exit_codes;
mod export;
mod failed_list;
mod failures;
mod find;
mod holders;
mod late_commits;
mod new_task;
mod object_types;
mod observed;
mod pages;
mod pairs;
mod partitions;
mod past;
mod program;
mod quarantine;
mod ran;
mod reconcile;
mod replicas;
mod rest;
mod roles;
mod sameness;
mod selection;
mod site;
mod tables;
mod takeover;
mod thresholds;
mod traced;
mod views;
