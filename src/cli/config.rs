//! `config show`.

use super::{Failure, print};
use crate::config::Loaded;

pub fn show(settings: &Loaded) -> Result<(), Failure> {
    print(settings.show().trim_start())
}
