//! Every hold is counted where it keeps something, and nothing that is held is being deleted.

use std::collections::HashMap;

use entity::{file, legal_hold, object, object::State, report, report::Evidence};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

/// The files and objects whose holds differ from what stands in the tables of holds and reports. Nothing may be under way.
pub async fn wrong(connection: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let mut of_file: HashMap<Uuid, i32> = HashMap::new();
    let standing = legal_hold::Entity::find().filter(legal_hold::Column::ReleasedAt.is_null());
    for hold in standing.all(connection).await? {
        *of_file.entry(hold.file_id).or_default() += 1;
    }
    let mut evidence: HashMap<Uuid, i32> = HashMap::new();
    let held = report::Entity::find().filter(report::Column::Evidence.eq(Evidence::Held));
    for report in held.all(connection).await? {
        *evidence.entry(report.object_id).or_default() += 1;
    }
    let mut wrong = Vec::new();
    let files = file::Entity::find().all(connection).await?;
    for file in &files {
        let expected = of_file.remove(&file.id).unwrap_or_default();
        if file.holds != expected {
            wrong.push(format!("file {} counts {} holds, and {expected} stand", file.id, file.holds));
        }
    }
    wrong.extend(of_file.keys().map(|file| format!("file {file} is held, and not there")));
    let holds: HashMap<Uuid, i32> = files.iter().map(|file| (file.id, file.holds)).collect();
    for object in object::Entity::find().all(connection).await? {
        let is_original = object.kind == object::Kind::Original && object.state != State::Pending;
        let of_file = object.file_id.filter(|_| is_original).and_then(|file| holds.get(&file)).copied();
        // What was deleted before the hold came is not held.
        let expected = of_file.filter(|_| object.state == State::Live).unwrap_or_default()
            + evidence.remove(&object.id).unwrap_or_default();
        if object.holds != expected {
            wrong.push(format!("{} counts {} holds, and {expected} stand", object.key, object.holds));
        }
        if object.holds > 0 && object.state != State::Live {
            wrong.push(format!("{} is held and {:?}", object.key, object.state));
        }
    }
    Ok(wrong)
}
