//! The watchdog: every row of the three-way table planted and found under its right name, mended, and nothing believed without
//! evidence.

mod alone;
mod canary;
mod evidence;
mod failover;
mod planted;
mod shelf;
