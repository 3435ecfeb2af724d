//! No room on the disk of the data folder: for uploads under way, for the embedded buckets, and for SQLite.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{
    Options,
    storm::Storm,
    world::{Database, World},
};
use crate::common::Failure;

const SIZE: &str = "size=256m";

/// A small disk of its own, unmounted with the value.
struct Disk {
    path: PathBuf,
}

impl Disk {
    /// `None` where this user may not mount one.
    fn mount(path: &Path) -> Result<Option<Self>, Failure> {
        fs::create_dir_all(path)?;
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(path).output()?;
        Ok(mounted.status.success().then(|| Self { path: path.to_owned() }))
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }

    /// Takes all the room there is.
    fn fill(&self) -> Result<(), Failure> {
        let mut file = File::create(self.ballast())?;
        for size in [1 << 20, 4 << 10, 1] {
            let piece = vec![1; size];
            while file.write_all(&piece).is_ok() {}
        }
        Ok(())
    }

    fn empty(&self) -> Result<(), Failure> {
        Ok(fs::remove_file(self.ballast())?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}

pub async fn run(options: Options<'_>) -> Result<(), Failure> {
    let Some(disk) = Disk::mount(&options.folder.join("data"))? else {
        (options.say)("SKIPPED: a full disk needs a mount, which only root may make");
        return Ok(());
    };
    let mut world = World::embedded(options, Database::shared().await?).await?;
    for _ in 0..options.rounds {
        let seen = refused(&world);
        let storm = Storm { least: 3, page: Some(Duration::from_secs(2)), ..Storm::new("disk full") };
        let strike = async |_: &World<'_>| disk.fill();
        let clear = async |_: &World<'_>| disk.empty();
        world.storm(&storm, strike, |world| refused(world) - seen, clear).await?;
    }
    world.finish().await
}

/// Requests that were told to come again.
fn refused(world: &World<'_>) -> u32 {
    world.noted().faults.values().sum()
}
