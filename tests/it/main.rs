//! The integration suite: one binary, the real server on free ports.

mod alert_sink;
mod cdn;
mod edge;
mod moto;
