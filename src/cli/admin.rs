//! `admin create|reset-password`.

use super::{Failure, args::AdminCommand, print, read_password, serve};
use crate::{
    accounts::{self, NewAccount},
    config::Config,
    viewer::Viewer,
};

pub async fn run(config: Config, command: AdminCommand) -> Result<(), Failure> {
    let viewer = Viewer::System("command line");
    let refused = |error: accounts::AccountsError| Failure::fault(error.to_string());
    match command {
        AdminCommand::Create { username, email, password } => {
            let password = read_password(&password)?;
            let app = serve::connect(config).await?;
            // The user name stands in for a name until its owner gives one.
            let (first_name, last_name) = (username.clone(), String::new());
            let new = NewAccount { username, email, first_name, last_name, password };
            let user = accounts::create_admin(&app, &viewer, &new).await.map_err(refused)?;
            print(&format!("{} is an admin.\n", user.username))
        }
        AdminCommand::ResetPassword { username, password } => {
            let password = read_password(&password)?;
            let app = serve::connect(config).await?;
            let user = accounts::reset_password(&app, &viewer, &username, &password).await.map_err(refused)?;
            print(&format!("{} has a new password; all of their sessions and tokens ended.\n", user.username))
        }
    }
}
