//! Very many files in a few statements, for tests of what lists cost and for the benches of searches and of the panel.

use sea_orm::{ConnectionTrait, DbBackend};

pub const FILES: u64 = 100_000;

/// Makes the one file there is so many, in a few statements. Neighbours share their time.
pub async fn multiply(connection: &impl ConnectionTrait, wanted: u64) {
    let backend = connection.get_database_backend();
    let id = match backend {
        DbBackend::Postgres => "gen_random_uuid()",
        DbBackend::MySql => "RANDOM_BYTES(16)",
        _ => "randomblob(16)",
    };
    let mut files = 1;
    while files < wanted {
        let more = files.min(wanted - files);
        // Every order is another one.
        let time = format!("(created_at + {})", files.div_ceil(2));
        let mixed = format!("({time} % 100000 * 7919 % 100003)");
        let sql = format!(
            "INSERT INTO file (id, owner_id, name, name_key, description, tags, metadata, state, revision, version_id, \
                 object_id, content_type, bytes, sha256, created_at, updated_at) \
             SELECT {id}, owner_id, name, CONCAT('n', {mixed}), description, tags, metadata, state, revision, version_id, \
                 object_id, content_type, {mixed}, sha256, {time}, {time} * 7 % 100003 \
             FROM file ORDER BY created_at LIMIT {more}"
        );
        connection.execute_unprepared(&sql).await.unwrap();
        files += more;
    }
    analyze(connection).await;
}

async fn analyze(connection: &impl ConnectionTrait) {
    let mysql = connection.get_database_backend() == DbBackend::MySql;
    let sql = if mysql { "ANALYZE TABLE file, file_term, file_label" } else { "ANALYZE" };
    connection.execute_unprepared(sql).await.unwrap();
}

/// Lets the files of even sizes, half of all, be found by what the first one is found by, its word `needle` apart.
pub async fn make_findable(connection: &impl ConnectionTrait) {
    let others = "file.bytes % 2 = 0 AND file.created_at > (SELECT MIN(created_at) FROM file)";
    for sql in [
        format!(
            "INSERT INTO file_term (file_id, term, owner_id, state) \
             SELECT id, 'common', owner_id, state FROM file WHERE {others} ORDER BY id"
        ),
        format!(
            "INSERT INTO file_label (file_id, label, owner_id, state, created_at) \
             SELECT file.id, seed.label, file.owner_id, file.state, file.created_at \
             FROM file CROSS JOIN (SELECT label FROM file_label) AS seed WHERE {others} ORDER BY file.id"
        ),
    ] {
        connection.execute_unprepared(&sql).await.unwrap();
    }
    analyze(connection).await;
}
