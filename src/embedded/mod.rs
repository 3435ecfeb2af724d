//! What stands in for AWS on one machine: the S3 server, the CDN edge, their keys.

pub mod edge;
pub mod keys;
pub mod s3;
