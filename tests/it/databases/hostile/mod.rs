//! Names and texts sent with bad intent or bad luck, through the public door: kept as given or refused in clear words, the
//! same on every database.

mod names;
mod text;
