//! One file per table: rows and their states as the database keeps them, and nothing else.

pub mod account_closure;
pub mod action;
pub mod alert;
pub mod alert_storm;
pub mod audit_checkpoint;
pub mod audit_entry;
pub mod audit_seal;
pub mod block;
pub mod block_list;
pub mod blocked_content;
pub mod bulk_item;
pub mod event;
pub mod event_counter;
pub mod file;
pub mod file_label;
pub mod file_term;
pub mod file_version;
pub mod friendship;
pub mod idempotency;
pub mod job;
pub mod lease;
pub mod legal_hold;
pub mod object;
pub mod object_copy;
pub mod rendition;
pub mod replica_finding;
pub mod replica_range;
pub mod replica_run;
pub mod replica_watch;
pub mod report;
pub mod session;
pub mod share_download;
pub mod share_link;
pub mod site_role;
pub mod snap;
pub mod snap_recipient;
pub mod throttle;
pub mod upload;
pub mod usage;
pub mod user;
pub mod user_term;
pub mod write_intent;

mod timestamp;

pub use timestamp::Timestamp;
