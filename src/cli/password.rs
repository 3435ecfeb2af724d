//! Reading a password without showing it.

use std::io::{self, BufRead};

use secrecy::{SecretString, zeroize::Zeroize};

use super::{Failure, args::PasswordArgs};

/// Asks twice on the terminal, or reads the first line of standard input.
///
/// # Errors
///
/// Where there is no terminal, the input is empty, or the two entries differ.
pub fn read_password(args: &PasswordArgs) -> Result<SecretString, Failure> {
    let unreadable = |error: io::Error| {
        Failure::usage(format!("cannot read the password: {error}"), "use --password-stdin where there is no terminal")
    };
    let password = if args.password_stdin {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(unreadable)?;
        let password = line.trim_end_matches(['\r', '\n']).to_owned();
        line.zeroize();
        password
    } else {
        let first = rpassword::prompt_password("Password: ").map_err(unreadable)?;
        let mut again = rpassword::prompt_password("Once more: ").map_err(unreadable)?;
        let same = first == again;
        again.zeroize();
        if !same {
            return Err(Failure::usage("the two passwords differ", "try again"));
        }
        first
    };
    if password.is_empty() {
        return Err(Failure::usage("the password is empty", "type one, or pipe it in with --password-stdin"));
    }
    Ok(password.into())
}
