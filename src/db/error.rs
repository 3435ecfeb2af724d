//! What a database error means: worth another attempt, out of reach, or a lost race for a key.

use sea_orm::{DbErr, RuntimeErr};

/// An error that may hold a database error which makes a transaction worth running again.
pub trait AsDbErr {
    fn as_db_err(&self) -> Option<&DbErr>;
}

impl AsDbErr for DbErr {
    fn as_db_err(&self) -> Option<&DbErr> {
        Some(self)
    }
}

/// MariaDB 1213 and 1205, Postgres 40001, 40P01, 55P03 and 25P03, SQLite BUSY and its extended forms.
pub fn is_transient(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))
    | DbErr::Conn(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    let sqlx::Error::Database(error) = &**error else { return false };
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return matches!(error.number(), 1213 | 1205);
    }
    let code = error.code();
    matches!(code.as_deref(), Some("40001" | "40P01" | "55P03" | "25P03" | "5" | "261" | "517" | "773"))
}

/// Whether the database could not be reached at all, so that the caller may say "try again".
#[must_use]
pub fn is_unavailable(error: &DbErr) -> bool {
    use sqlx::Error::{Database, Io, PoolClosed, PoolTimedOut, Protocol, WorkerCrashed};
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => match &**error {
            // A connection that breaks in mid-message looks like a broken protocol.
            Io(_) | PoolTimedOut | PoolClosed | WorkerCrashed | Protocol(_) => true,
            Database(error) => is_of_server(&**error),
            _ => false,
        },
        _ => false,
    }
}

/// What a server says that is stopping, starting or full: MariaDB 1040, 1053, 1203 and 1927; Postgres 57P01 to 57P05,
/// 53100, 53300 and class 08; SQLite IOERR, FULL and CANTOPEN with their extended forms.
fn is_of_server(error: &dyn sqlx::error::DatabaseError) -> bool {
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return matches!(error.number(), 1040 | 1053 | 1203 | 1927);
    }
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        return code.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 10 | 13 | 14));
    }
    matches!(&*code, "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "53100" | "53300") || code.starts_with("08")
}

/// Whether an insert lost against a unique key.
#[must_use]
pub fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_)))
}
