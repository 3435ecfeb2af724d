//! The object store over aws-sdk-s3.
