//! Queries over `friendship` and `block`.

use entity::{
    block,
    friendship::{self, State},
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait as _, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait as _, sea_query::SelectStatement,
};
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

pub(super) async fn is_block_between(connection: &impl ConnectionTrait, one: Uuid, other: Uuid) -> Result<bool, DbErr> {
    let either = [(one, other), (other, one)].into_iter().fold(Condition::any(), |either, (blocker, blocked)| {
        either.add(Condition::all().add(block::Column::BlockerId.eq(blocker)).add(block::Column::BlockedId.eq(blocked)))
    });
    Ok(block::Entity::find().filter(either).count(connection).await? > 0)
}

/// Whom this person has blocked, and who has blocked this person.
pub(super) fn blocks_of(person: Uuid) -> (SelectStatement, SelectStatement) {
    use block::Column::{BlockedId, BlockerId};
    let of =
        |is: block::Column, other| block::Entity::find().select_only().column(other).filter(is.eq(person)).into_query();
    (of(BlockerId, BlockedId), of(BlockedId, BlockerId))
}
