//! `migrate up|down|status`.

use std::fmt::Write as _;

use migration::{MigrationStatus, Migrator, MigratorTrait};

use super::{Failure, args::MigrateCommand, print};
use crate::{app, clock::Clock, config::Config, db::Db};

pub async fn run(config: Config, command: MigrateCommand) -> Result<(), Failure> {
    let fault = |error: &dyn std::fmt::Display| Failure::fault(error.to_string());
    app::prepare_data_dir(&config).map_err(|error| fault(&error))?;
    let db = Db::connect(&config.database, &config.data_dir, Clock::system()).await.map_err(|error| fault(&error))?;
    let work = db.migrating(async |connection| {
        match command {
            MigrateCommand::Up => Migrator::up(connection, None).await?,
            MigrateCommand::Down { steps } => Migrator::down(connection, Some(steps)).await?,
            MigrateCommand::Status => {}
        }
        Migrator::get_migration_with_status(connection).await
    });
    let migrations = work.await.map_err(|error| fault(&error))?;
    let mut text = String::new();
    for migration in migrations {
        let status = match migration.status() {
            MigrationStatus::Applied => "applied",
            MigrationStatus::Pending => "pending",
        };
        let _ = writeln!(text, "{status}  {}", migration.name());
    }
    print(&text)
}
