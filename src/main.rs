//! The binary: a runtime, the command line, and the exit code.

use std::process::ExitCode;

use clap::Parser;
use snaphaven::cli::{self, Args, Failure};

fn main() -> ExitCode {
    let args = Args::parse();
    if args.stays() {
        cli::settle_allocator();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(cli::run(args)),
        Err(error) => Err(Failure::fault(format!("cannot start the runtime: {error}"))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprint!("{failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
