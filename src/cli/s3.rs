//! `s3`: the embedded object store alone, for several server processes to share.

use super::{Failure, print, s3_address::S3Address, serve};
use crate::{app, config::Config, http, http::Supervisor};

pub async fn run(config: Config) -> Result<(), Failure> {
    let fault = |error: &dyn std::fmt::Display| Failure::fault(error.to_string());
    let supervisor = Supervisor::new(config.server.shutdown_deadline);
    supervisor.stop_on_signals().map_err(|error| fault(&error))?;
    app::prepare_data_dir(&config).map_err(|error| fault(&error))?;
    let mut address = config.server.listen;
    address.set_port(address.port().saturating_add(2));
    if !config.embedded.s3_listen.is_empty() {
        address = config.embedded.s3_listen.parse().map_err(|error| fault(&error))?;
    }
    let listener = http::bind(address).await.map_err(|error| fault(&error))?;
    let address = listener.local_addr().map_err(|error| fault(&error))?;
    let s3 = serve::open_embedded(&config, config.server.listen).await?;
    let _announced = S3Address::announce(&config.data_dir, address)?;
    supervisor.spawn(s3.serve(listener, supervisor.token()));
    print(&format!(
        "S3 is ready.\n\n  address    http://{address}\n  buckets    {} {}\n  keys       {}\n\nStop with Ctrl-C.\n",
        config.objects.first.bucket,
        config.objects.second.bucket,
        serve::credentials_file(&config).display()
    ))?;
    supervisor.finished().await;
    Ok(())
}
