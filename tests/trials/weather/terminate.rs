//! SIGTERM under load, and with an upload under way that does not end.

use std::time::Duration;

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{
    Options,
    world::{Database, World},
};
use crate::common::Failure;

const DEADLINE: Duration = Duration::from_secs(3);
/// What a busy machine needs to end a process.
const MARGIN: Duration = Duration::from_secs(2);

pub async fn run(options: Options<'_>) -> Result<(), Failure> {
    let change = |launcher: crate::common::process::Launcher| {
        launcher.with("server.shutdown_deadline", format!("{}s", DEADLINE.as_secs()))
    };
    let mut world = World::new(options, Database::shared().await?, &[&change]).await?;
    world.launcher = change(world.launcher.clone());
    for _ in 0..options.rounds {
        let ended = world.terminate("SIGTERM under load").await?;
        if ended > DEADLINE {
            return Err(format!("the server took {ended:?} to end").into());
        }
        world.restart(0).await?;
        let _slow = slow_upload(&world.servers[0].url).await?;
        let ended = world.terminate("SIGTERM with an upload that does not end").await?;
        if ended < DEADLINE - Duration::from_millis(500) || ended > DEADLINE + MARGIN {
            return Err(format!("with a slow upload the server took {ended:?} to end, not {DEADLINE:?}").into());
        }
        world.restart(0).await?;
        world.judge(40).await?;
    }
    world.finish().await
}

/// Begins an upload and sends no more of it.
async fn slow_upload(url: &str) -> Result<TcpStream, Failure> {
    let address = url.trim_start_matches("http://").trim_end_matches("/graphql");
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: {address}\r\nContent-Type: multipart/form-data; boundary=x\r\n\
         Content-Length: 100000\r\n\r\n--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    Ok(stream)
}
