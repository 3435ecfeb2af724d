//! WebSockets at `/graphql` by the letter of graphql-transport-ws: what a client may say, what it hears, and how it ends.

mod client;
mod door;
mod limits;
mod operations;
mod protocol;
mod stop;
