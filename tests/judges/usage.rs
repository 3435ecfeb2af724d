//! Everyone's usage is the sum of their rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::{file, file_version, upload, usage};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait};
use uuid::Uuid;

/// The people whose counter of files and bytes differs from their rows. Nothing may be under way.
pub async fn wrong(connection: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let mut summed: BTreeMap<Uuid, (i64, i64)> = BTreeMap::new();
    let mut add = |owner: Uuid, files: i64, bytes: i64| {
        let sum = summed.entry(owner).or_default();
        *sum = (sum.0 + files, sum.1 + bytes);
    };
    let files = file::Entity::find().all(connection).await?;
    let owners: HashMap<Uuid, Uuid> = files.iter().map(|file| (file.id, file.owner_id)).collect();
    for row in files.iter().filter(|row| row.state != file::State::Rejected) {
        add(row.owner_id, 1, if row.state == file::State::Processing { row.bytes } else { 0 });
    }
    for row in file_version::Entity::find().all(connection).await? {
        if let Some(owner) = owners.get(&row.file_id) {
            add(*owner, 0, row.bytes);
        }
    }
    for row in upload::Entity::find().all(connection).await? {
        match (row.state, row.purpose) {
            (upload::State::Open, upload::Purpose::File) => add(row.owner_id, 1, row.bytes),
            (upload::State::Open | upload::State::Verifying, upload::Purpose::Content | upload::Purpose::Snap) => {
                add(row.owner_id, 0, row.bytes);
            }
            _ => {}
        }
    }
    let rows = usage::Entity::find().all(connection).await?;
    let counted: BTreeMap<Uuid, (i64, i64)> = rows.iter().map(|row| (row.user_id, (row.files, row.bytes))).collect();
    let people: BTreeSet<&Uuid> = summed.keys().chain(counted.keys()).collect();
    let of = |sums: &BTreeMap<Uuid, (i64, i64)>, person| sums.get(person).copied().unwrap_or_default();
    Ok(people
        .into_iter()
        .filter(|person| of(&summed, person) != of(&counted, person))
        .map(|person| {
            let ((files, bytes), (said, said_bytes)) = (of(&summed, person), of(&counted, person));
            format!("{person} has {files} files of {bytes} bytes, but {said} of {said_bytes} are counted")
        })
        .collect())
}
