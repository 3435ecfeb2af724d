//! Rows that cross over from the database as JSON, for reads that take whole tables page by page. Each column of each row costs
//! SQLite's driver several allocations on one thread that are freed on another: at fifteen columns most of what a page takes.

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExprTrait as _,
    sea_query::{Alias, Expr, Func, Query, SelectStatement},
};
use serde::de::DeserializeOwned;

const LINE: &str = "line";

/// A JSON array of `values`: text, numbers, NULL, and such arrays.
pub fn json_array(connection: &impl ConnectionTrait, values: impl IntoIterator<Item = Expr>) -> Expr {
    let name = match connection.get_database_backend() {
        DbBackend::Postgres => "json_build_array",
        _ => "json_array",
    };
    Func::cust(name).args(values).into()
}

/// What `select` finds: of each row one `line`, a [`json_array`] that `T` is read from. The order is nobody's promise.
pub async fn all_json<T: DeserializeOwned>(
    connection: &impl ConnectionTrait,
    mut select: SelectStatement,
    line: Expr,
) -> Result<Vec<T>, DbErr> {
    let select = match connection.get_database_backend() {
        DbBackend::Postgres => select.expr_as(line.cast_as("text"), LINE).take(),
        // MySQL, unlike MariaDB, has a type for JSON, which is not read as text.
        DbBackend::MySql => select.expr_as(line.cast_as("char"), LINE).take(),
        _ => {
            let lines = Func::cust("group_concat").args([Expr::col(LINE), Expr::val("\n")]);
            Query::select().expr(lines).from_subquery(select.expr_as(line, LINE).take(), Alias::new("page")).take()
        }
    };
    let mut found = Vec::new();
    for row in connection.query_all(&select).await? {
        // Of no rows SQLite makes a NULL.
        let lines: Option<String> = row.try_get_by_index(0)?;
        for value in serde_json::Deserializer::from_str(&lines.unwrap_or_default()).into_iter() {
            found.push(value.map_err(|error| DbErr::Type(format!("a row in JSON: {error}")))?);
        }
    }
    Ok(found)
}
