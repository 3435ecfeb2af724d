//! The command line: what can be asked, which settings it overrides, and how failures are told.

mod admin;
mod allocator;
pub mod args;
mod audit;
mod block_list;
pub mod client;
mod config;
mod demo;
mod doctor;
mod events;
mod failover;
mod failure;
mod manifest;
mod migrate;
mod password;
mod prove;
mod replica;
mod restore;
mod s3;
mod s3_address;
mod serve;
mod smoke_test;
mod subscription;

use std::io::{self, Write};

pub use allocator::settle as settle_allocator;
pub use args::{Args, Command};
pub use failure::Failure;
pub use password::read_password;

use crate::{config::Loaded, telemetry};
use args::ConfigCommand;

/// Loads the settings, starts logging where the command logs, and runs the command.
///
/// # Errors
///
/// The failure to print, with its exit code: 2 where the command line or a setting is wrong, 1 for everything else.
pub async fn run(args: Args) -> Result<(), Failure> {
    let (command, sources) = args.resolve(variables())?;
    let settings: Loaded = sources.load()?;
    if command.logs() {
        telemetry::init(&settings.config.log)?;
    }
    match command {
        Command::Config(ConfigCommand::Show) => config::show(&settings),
        Command::Serve(_) => serve::serve(settings.config).await,
        Command::Worker => serve::worker(settings.config).await,
        Command::S3(_) => s3::run(settings.config).await,
        Command::Migrate(command) => migrate::run(settings.config, command).await,
        Command::Schema => print(&crate::compose::sdl()),
        Command::Admin(command) => admin::run(settings.config, command).await,
        Command::Doctor(args) => doctor::run(settings.config, args).await,
        Command::Replica(command) => replica::run(settings.config, command).await,
        Command::Audit(command) => audit::run(settings.config, command).await,
        Command::Events(args) => events::run(settings.config, args).await,
        Command::SmokeTest(args) => smoke_test::run(&settings, args).await,
        Command::Manifest(command) => manifest::run(settings.config, command).await,
        Command::Restore(args) => restore::run(settings.config, args).await,
        Command::Prove(args) => prove::run(settings.config, &args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::BlockList(command) => block_list::run(settings.config, command).await,
    }
}

fn variables() -> Vec<(String, String)> {
    let utf8 = |(key, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((key.into_string().ok()?, value.to_string_lossy().into_owned()))
    };
    std::env::vars_os().filter_map(utf8).collect()
}

/// Prints to standard output. A reader that has gone away (`snaphaven schema | head`) is no failure.
///
/// # Errors
///
/// Any other error of the output, such as a full disk.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::fault(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
