//! `demo`: fills a fresh server through its public API, as people would, so that there is something to look at.

mod folk;
mod pictures;
mod scenario;

use std::{
    io::{self, IsTerminal as _},
    time::Instant,
};

use super::{Failure, args::DemoArgs, client::ClientError, print};
use folk::Folk;
pub use pictures::Pictures;

/// Says how far a step is: over and over on a terminal, and once it is done.
struct Step {
    name: &'static str,
    of: usize,
    done: usize,
    began: Instant,
}

impl Step {
    fn new(name: &'static str, of: usize) -> Self {
        Self { name, of, done: 0, began: Instant::now() }
    }

    fn one_more(&mut self) -> Result<(), Failure> {
        self.done += 1;
        if io::stdout().is_terminal() && self.done < self.of {
            print(&format!("\r  {:<28} {:>4} of {}", self.name, self.done, self.of))?;
        }
        Ok(())
    }

    fn end(self) -> Result<(), Failure> {
        let start = if io::stdout().is_terminal() { "\r" } else { "" };
        print(&format!(
            "{start}  {:<28} {:>4}        {:>6.1} s\n",
            self.name,
            self.done,
            self.began.elapsed().as_secs_f64()
        ))
    }
}

pub async fn run(args: DemoArgs) -> Result<(), Failure> {
    let began = Instant::now();
    let pictures = Pictures::from(args.photos.as_deref(), args.files)?;
    print(&format!("Filling {}\n\n", args.url))?;
    let folk = Folk::sign_up(&args.url).await?;
    scenario::play(&folk, pictures).await?;
    let names: Vec<&str> = folk.people.iter().map(|person| person.username.as_str()).collect();
    print(&format!(
        "\nDone in {:.0} s. These people can log in, with the password {}\n  {}\n",
        began.elapsed().as_secs_f64(),
        folk.password,
        names.join(", ")
    ))
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::fault(error.to_string())
    }
}
