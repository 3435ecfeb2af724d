//! Ways to an object beside the schema.
