//! `prove`: a signed document on a file, a person or a snap.

use super::{Failure, args::ProveArgs, print, serve};
use crate::{config::Config, proof, viewer::Viewer};

pub async fn run(config: Config, args: &ProveArgs) -> Result<(), Failure> {
    let app = serve::connect(config).await?;
    let me = Viewer::System("command line");
    let proof = proof::prove(&app, &me, args.subject, !args.without_reading, usize::MAX).await.map_err(fault)?;
    let Some(proof) = proof else { return Err(fault("nothing is known of it, and nothing ever was")) };
    if let Some(path) = &args.out {
        std::fs::write(path, &proof.document).map_err(|error| fault(format!("{}: {error}", path.display())))?;
    } else {
        print(&proof.document)?;
    }
    let verdict = proof.verdict;
    eprintln!(
        "{} objects are at both sites as the ledger says, {} are gone from both, {} are under way, {} are wanting",
        verdict.kept, verdict.gone, verdict.under_way, verdict.wanting
    );
    if verdict.wanting == 0 { Ok(()) } else { Err(Failure::told(1)) }
}

fn fault(error: impl std::fmt::Display) -> Failure {
    Failure::fault(error.to_string())
}
