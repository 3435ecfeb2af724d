//! Commands and flags, as clap reads them.

mod recovery;

use std::{net::SocketAddr, path::PathBuf};

use chrono::{DateTime, Utc};
use clap::{Args as ClapArgs, Parser, Subcommand};

pub use recovery::{
    DoctorArgs, DrillArgs, FailbackArgs, ManifestCommand, PromoteArgs, RepairArgs, ReplicaCommand, RestoreArgs,
    StatusArgs, VerifyReplicasArgs,
};

use super::Failure;
use crate::{config::Sources, proof::Subject};

/// A GraphQL server for files, photos and snaps that can prove where every copy of a file is, and that it is gone when
/// it should be.
///
/// Without a command it serves. Every setting can be given in a TOML file (--config), as a variable
/// (SNAPHAVEN_SERVER__LISTEN, "__" goes one table deeper) or as a flag (--set server.listen=…); the later of these wins.
/// `snaphaven config show` prints them all.
#[derive(Debug, Parser)]
#[command(name = "snaphaven", version, after_help = "Exit codes: 0 done, 1 failed, 2 wrong command line or setting.")]
pub struct Args {
    #[command(flatten)]
    pub overrides: Overrides,

    #[command(flatten)]
    pub serve: ServeArgs,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags of every command: where its settings come from.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Overrides {
    /// Read settings from this TOML file
    #[arg(long, global = true, value_name = "FILE", env = crate::config::FILE_VARIABLE, help_heading = "Settings")]
    pub config: Option<PathBuf>,

    /// Keep the embedded database, buckets and keys in this folder [setting: data_dir]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Settings")]
    pub data_dir: Option<String>,

    /// Use this database [setting: database.url]
    ///
    /// sqlite://…, postgres://… or mysql://…. Other users of the machine can read a command line: give a URL with a password
    /// as SNAPHAVEN_DATABASE__URL or in the file.
    #[arg(long, global = true, value_name = "URL", help_heading = "Settings")]
    pub database_url: Option<String>,

    /// Set any setting, for example --set log.format=json; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value, help_heading = "Settings")]
    pub set: Vec<(String, String)>,
}

#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Serve the app, the edge and, embedded, S3, and run jobs (the default)
    Serve(ServeArgs),
    /// Run jobs only
    Worker,
    /// Run the embedded S3 server alone
    S3(S3Args),
    /// Apply, revert or list the database's migrations
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// Print the GraphQL schema (SDL)
    Schema,
    /// Create an admin or reset a password
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Verify or export the audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Look whether everything is set up as it has to be: database, buckets, permissions, clock, alert topic
    Doctor(DoctorArgs),
    /// Where every copy is: the state of the replication, verify it, repair it
    #[command(subcommand)]
    Replica(ReplicaCommand),
    /// Write the database to both buckets now, or list what was written
    #[command(subcommand)]
    Manifest(ManifestCommand),
    /// Rebuild a server on an empty database from a manifest and one bucket; exits 1 where the ledger has objects that the bucket
    /// has not
    Restore(RestoreArgs),
    /// Look at every object of a file, a person or a snap at both sites, and write what is there, signed; exits 1 where something
    /// is not as the ledger says
    Prove(ProveArgs),
    /// Show the settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Walk through sign-up, upload, download, edit, replace and delete against a running server
    SmokeTest(SmokeTestArgs),
    /// Fill a fresh server with people, pictures, snaps and reports, through its public API
    Demo(DemoArgs),
    /// The list of contents that nobody may store
    #[command(subcommand)]
    BlockList(BlockListCommand),
    /// Print what happened, such as new files
    Events(EventsArgs),
}

#[derive(Clone, Debug, Default, ClapArgs)]
pub struct ServeArgs {
    /// Listen here [setting: server.listen]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct S3Args {
    /// Listen here [setting: embedded.s3_listen]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
}

#[derive(Clone, Debug, Subcommand)]
pub enum MigrateCommand {
    /// Apply all pending migrations
    Up,
    /// Revert the last migrations
    Down {
        /// How many
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
    /// List migrations and whether each is applied
    Status,
}

#[derive(Clone, Debug, Subcommand)]
pub enum AdminCommand {
    /// Create an account with the role ADMIN
    Create {
        #[arg(long)]
        username: String,
        #[arg(long)]
        email: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Set a new password and end all sessions of the account
    ResetPassword {
        #[arg(long)]
        username: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
}

/// A password is never an argument: other users of the machine can read those.
#[derive(Clone, Debug, ClapArgs)]
pub struct PasswordArgs {
    /// Read the password from the first line of standard input instead of asking for it
    #[arg(long)]
    pub password_stdin: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub enum AuditCommand {
    /// Follow the chain, check every signature, and compare what both buckets hold; fails where anything was touched
    ///
    /// Servers may run meanwhile. Names the first entry that was altered, removed or moved, and what is not sealed yet.
    Verify(VerifyArgs),
    /// Print the sealed entries, one JSON line an entry: seq, hash, entry
    Export(ExportArgs),
}

#[derive(Clone, Debug, ClapArgs)]
pub struct VerifyArgs {
    /// Also trust checkpoints signed by this public key (PEM); may be repeated
    ///
    /// The server's own key is trusted where its file is here. Where it is not, or was another one once, give it.
    #[arg(long = "public-key", value_name = "FILE")]
    pub public_keys: Vec<PathBuf>,
    /// Ask the database alone: a log cut off or rewritten together with its checkpoints then goes unnoticed
    #[arg(long)]
    pub no_buckets: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct ExportArgs {
    /// Only entries of this time or later, for example 2026-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<DateTime<Utc>>,
    /// Only entries before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct ProveArgs {
    /// The id of a file, a user or a snap, also of one that is gone
    #[arg(value_name = "ID")]
    pub subject: Subject,
    /// Write the document here, and not to standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Take the stores' word on what they have, and do not read it
    #[arg(long)]
    pub without_reading: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the effective settings as TOML, secrets masked, and where each non-default came from
    Show,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct SmokeTestArgs {
    /// The server's address, for example http://127.0.0.1:8080
    #[arg(long)]
    pub url: String,
    /// Upload this file too
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct DemoArgs {
    /// The server's address, for example http://127.0.0.1:8080
    #[arg(long)]
    pub url: String,
    /// Upload the pictures of this folder instead of generated ones
    #[arg(long, value_name = "DIR")]
    pub photos: Option<PathBuf>,
    /// Upload so many pictures, or fewer where the folder has not as many
    #[arg(long, value_name = "COUNT", default_value_t = 60)]
    pub files: usize,
}

#[derive(Clone, Debug, Subcommand)]
pub enum BlockListCommand {
    /// How well pictures that are blocked by their looks are found again, and how often others are taken for them
    Measure {
        /// Measure with the pictures of this folder instead of generated ones
        #[arg(long, value_name = "DIR")]
        photos: Option<PathBuf>,
        /// So many of them at the most
        #[arg(long, value_name = "COUNT", default_value_t = 60)]
        files: usize,
    },
}

#[derive(Clone, Debug, ClapArgs)]
pub struct EventsArgs {
    /// Keep printing new events until stopped
    #[arg(long)]
    pub follow: bool,
}

impl Command {
    /// The name on the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Serve(_) => "serve",
            Self::Worker => "worker",
            Self::S3(_) => "s3",
            Self::Migrate(_) => "migrate",
            Self::Schema => "schema",
            Self::Admin(_) => "admin",
            Self::Audit(_) => "audit",
            Self::Doctor(_) => "doctor",
            Self::Replica(_) => "replica",
            Self::Manifest(_) => "manifest",
            Self::Restore(_) => "restore",
            Self::Prove(_) => "prove",
            Self::Config(_) => "config",
            Self::SmokeTest(_) => "smoke-test",
            Self::Demo(_) => "demo",
            Self::BlockList(_) => "block-list",
            Self::Events(_) => "events",
        }
    }

    /// Whether the command writes a log. Those that print a document do not.
    #[must_use]
    pub fn logs(&self) -> bool {
        !matches!(
            self,
            Self::Schema
                | Self::Audit(_)
                | Self::Doctor(_)
                | Self::Replica(_)
                | Self::Manifest(_)
                | Self::Restore(_)
                | Self::Prove(_)
                | Self::Config(_)
                | Self::SmokeTest(_)
                | Self::Demo(_)
                | Self::BlockList(_)
        )
    }
}

impl Args {
    /// Whether the command runs until it is stopped.
    #[must_use]
    pub fn stays(&self) -> bool {
        matches!(self.command, None | Some(Command::Serve(_) | Command::Worker | Command::S3(_)))
    }

    /// The command to run and where its settings come from.
    ///
    /// # Errors
    ///
    /// Where `--listen` stands before a command other than `serve`.
    pub fn resolve(self, variables: Vec<(String, String)>) -> Result<(Command, Sources), Failure> {
        let command = match (self.command, self.serve) {
            (None, serve) => Command::Serve(serve),
            (Some(Command::Serve(own)), serve) => Command::Serve(ServeArgs { listen: own.listen.or(serve.listen) }),
            (Some(command), ServeArgs { listen: None }) => command,
            (Some(command), _) => {
                let error = format!("--listen before `{}` would set nothing", command.name());
                return Err(Failure::usage(error, "write it after the command, where it has one"));
            }
        };
        let Overrides { config, data_dir, database_url, set } = self.overrides;
        let mut flags: Vec<_> = set.into_iter().map(|(name, value)| ("--set".to_owned(), name, value)).collect();
        let listen = match &command {
            Command::Serve(serve) => serve.listen.map(|address| ("server.listen", address)),
            Command::S3(s3) => s3.listen.map(|address| ("embedded.s3_listen", address)),
            _ => None,
        };
        let listen = listen.map(|(name, address)| ("--listen", name, address.to_string()));
        let data_dir = data_dir.map(|value| ("--data-dir", "data_dir", value));
        let database_url = database_url.map(|value| ("--database-url", "database.url", value));
        let named = [data_dir, database_url, listen].into_iter().flatten();
        flags.extend(named.map(|(flag, name, value)| (flag.to_owned(), name.to_owned(), value)));
        Ok((command, Sources { file: config, variables, flags }))
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, for example log.format=json")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}
