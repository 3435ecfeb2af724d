//! Queries over `friendship` and `block`.

use entity::friendship::{self, State};
use sea_orm::{ColumnTrait, Condition, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::db::Tx;

/// The friendships between a person and these others, locked in the order of their pairs.
pub(super) async fn lock_accepted(tx: &Tx, person: Uuid, others: &[Uuid]) -> Result<Vec<friendship::Model>, DbErr> {
    use friendship::Column::{HighId, LowId, State as InState};
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let others = others.iter().copied();
    friendship::Entity::find()
        .filter(
            Condition::any()
                .add(Condition::all().add(LowId.eq(person)).add(HighId.is_in(others.clone())))
                .add(Condition::all().add(HighId.eq(person)).add(LowId.is_in(others))),
        )
        .filter(InState.eq(State::Accepted))
        .order_by_asc(LowId)
        .order_by_asc(HighId)
        .lock_exclusive()
        .all(tx)
        .await
}
