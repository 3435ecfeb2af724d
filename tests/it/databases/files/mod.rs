//! Files through the public door: GraphQL and multipart over HTTP, downloads through the edge.

mod access;
mod alerts;
mod changes;
mod deletion;
pub(super) mod direct;
mod find;
mod idle;
mod lists;
mod notifications;
mod pictures;
mod quota;
mod replacing;
mod upload;
mod versions;
