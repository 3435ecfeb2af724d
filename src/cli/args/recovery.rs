//! The commands about copies: `replica`, `manifest` and `restore`.

use std::{path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, Subcommand};
use entity::{object_copy::Site, replica_finding::Kind};
use sea_orm::Iterable as _;

use crate::manifest::MAX_SAMPLE;

#[derive(Clone, Debug, Subcommand)]
pub enum ReplicaCommand {
    /// Print the state: exits 0 where it is HEALTHY, 1 where it is LAGGING or DRIFTED, 2 where it is INCONCLUSIVE or DOWN or
    /// cannot be told
    Status(StatusArgs),
    /// Verify now, and print what is found; exits 1 where there is a finding, 2 where not everything could be read
    Verify(VerifyReplicasArgs),
    /// Say what a repair of the open findings would do, or do it with --apply; exits 1 where some are left
    Repair(RepairArgs),
    /// Say what it would mean to make this site the primary though the present one is lost, or do it with --apply; exits 1 where
    /// something would be, or was, left behind
    Promote(PromoteArgs),
    /// Bring the first site up to date and make it the primary again, leaving nothing behind; with --apply. Writes are refused
    /// for the moment of the change
    Failback(FailbackArgs),
    /// Rebuild a server beside this one from the replica alone, with a sample of its objects, and say how old what is left is (RPO) and
    /// how long it takes (RTO); exits 1 where a copy was not right, 2 where nothing could be rebuilt
    Drill(DrillArgs),
}

#[derive(Clone, Debug, ClapArgs)]
pub struct DoctorArgs {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct StatusArgs {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct VerifyReplicasArgs {
    /// Read both copies of every object and hash them, instead of holding the listings against the ledger
    #[arg(long)]
    pub bytes: bool,
    /// Plant faults on objects made for that, and see that the verifier finds them
    #[arg(long, conflicts_with_all = ["bytes", "trust_listings"])]
    pub canary: bool,
    /// Believe listings that are far shorter than the ledger: for a bucket that has lost its objects, or a new one
    #[arg(long)]
    pub trust_listings: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct RepairArgs {
    /// Only findings of this kind, for example MISSING_IN_REPLICA; may be repeated
    #[arg(long = "kind", value_name = "KIND", value_parser = finding_kind)]
    pub kinds: Vec<Kind>,
    /// Do it
    #[arg(long)]
    pub apply: bool,
    /// Also where more would change than one repair may [setting: replication.repair_limit]
    #[arg(long)]
    pub beyond_limit: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct PromoteArgs {
    /// first or second, as in the settings
    #[arg(value_parser = site)]
    pub site: Site,
    /// Do it
    #[arg(long)]
    pub apply: bool,
    /// Only where the roles are still those of this epoch, as the command says it without --apply
    #[arg(long)]
    pub epoch: Option<i64>,
    /// Also where the present primary still answers
    #[arg(long)]
    pub force: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct FailbackArgs {
    /// Do it
    #[arg(long)]
    pub apply: bool,
    /// Believe listings that are far shorter than the ledger: the first site comes back empty
    #[arg(long)]
    pub trust_listings: bool,
    /// Also where more would have to be copied than one repair may change [setting: replication.repair_limit]
    #[arg(long)]
    pub beyond_limit: bool,
    /// How long writes may be refused while the last copies arrive
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = humantime_serde::re::humantime::parse_duration)]
    pub closed_for: Duration,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct DrillArgs {
    /// So many objects, taken at random
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=MAX_SAMPLE))]
    pub sample: u64,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub enum ManifestCommand {
    /// Write a manifest now, beside those of the schedule
    Write {
        /// Into this file, and not to the buckets: for a move to another database
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// List the manifests of both buckets, the newest first
    List,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct RestoreArgs {
    /// Where the bytes are: first, second or a bucket's name, as in the settings, or the folder of a bucket of an embedded store that
    /// nobody serves
    #[arg(long, value_name = "BUCKET")]
    pub from_bucket: String,
    /// A manifest's file, or its key in that bucket; without it the newest there
    #[arg(long, value_name = "FILE|KEY")]
    pub manifest: Option<String>,
    /// Take only a manifest that is signed by this public key (PEM); may be repeated
    #[arg(long = "public-key", value_name = "FILE")]
    pub public_keys: Vec<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

fn site(text: &str) -> Result<Site, String> {
    let found = Site::ALL.into_iter().find(|site| site.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| "there are first and second".to_owned())
}

fn finding_kind(text: &str) -> Result<Kind, String> {
    let kinds: Vec<&str> = Kind::iter().map(Kind::as_str).collect();
    let known = Kind::iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text));
    known.ok_or_else(|| format!("there are {}", kinds.join(", ")))
}
