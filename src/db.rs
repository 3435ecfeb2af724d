//! Connecting, transactions with retry, keyset paging.
