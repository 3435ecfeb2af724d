//! Relay connections over keyset pages.

use async_graphql::{
    Json, ObjectType, OutputType, Positioned, VisitorContext,
    connection::{CursorType, Edge, EmptyFields, EnableNodesField},
    parser::types::{Field, VariableDefinition},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use super::error::bad_input;
use crate::{
    db::page::{Page, PageRequest},
    text,
};

/// Edges, nodes, page info, and `A`: additional fields such as `totalCount`.
pub type Connection<T, A = EmptyFields> = async_graphql::connection::Connection<
    String,
    T,
    A,
    EmptyFields,
    async_graphql::connection::DefaultConnectionName,
    async_graphql::connection::DefaultEdgeName,
    EnableNodesField,
>;

const DEFAULT_PAGE: u64 = 20;

/// The arguments of every connection field.
#[derive(Clone, Debug, Default)]
pub struct PageArguments {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

impl PageArguments {
    #[must_use]
    pub fn forward(first: Option<i32>, after: Option<String>) -> Self {
        Self { first, after, ..Self::default() }
    }

    /// Checks the arguments; `max` is `graphql.max_page_size`.
    ///
    /// Errors are top-level with the code `BAD_USER_INPUT`.
    pub fn page<C: DeserializeOwned>(self, max: usize) -> async_graphql::Result<PageRequest<C>> {
        if self.first.is_some() && self.last.is_some() {
            return Err(bad_input("Give `first` or `last`, not both."));
        }
        let from_end = self.last.is_some();
        let limit = match self.first.or(self.last) {
            None => DEFAULT_PAGE.min(max as u64),
            Some(wanted) => match u64::try_from(wanted) {
                Ok(wanted) if wanted <= max as u64 => wanted,
                _ => return Err(bad_input(format!("A page has 0 to {max} items, not {wanted}."))),
            },
        };
        Ok(PageRequest { after: decode(self.after)?, before: decode(self.before)?, limit, from_end })
    }
}

/// What a page costs: its size times one item.
#[must_use]
pub fn cost(first: Option<i32>, last: Option<i32>, child: usize) -> usize {
    let size = first.or(last).map_or(DEFAULT_PAGE as usize, |size| usize::try_from(size).unwrap_or(0));
    size.max(1).saturating_mul(child.max(1))
}

/// [`cost`] for fields whose `first` and `last` may be variables:
/// `#[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]`.
///
/// An expression that names the arguments themselves refuses a query that leaves out a nullable variable, which the
/// specification allows (section 6.4.1); the names with underscores are what the macro has them called.
#[must_use]
pub fn page_cost(
    ctx: &VisitorContext<'_>,
    variables: &[Positioned<VariableDefinition>],
    field: &Field,
    child: usize,
) -> usize {
    // What is wrong with an argument is said by the rule that checks it.
    let argument = |name| ctx.param_value::<Option<i32>>(variables, field, name, None).ok().flatten();
    cost(argument("first"), argument("last"), child)
}

/// What a mutation over `input.ids` costs: its payload lists the things of all these ids.
#[must_use]
pub fn ids_cost(
    ctx: &VisitorContext<'_>,
    variables: &[Positioned<VariableDefinition>],
    field: &Field,
    child: usize,
) -> usize {
    let input = ctx.param_value::<Option<Json<serde_json::Value>>>(variables, field, "input", None).ok().flatten();
    let ids = input.as_ref().and_then(|input| input.get("ids")?.as_array()).map_or(1, Vec::len);
    ids.max(1).saturating_mul(child.max(1))
}

/// A cursor that says nothing to clients: base64url of JSON.
pub fn encode<C: Serialize>(position: &C) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(position).unwrap_or_default())
}

/// The position that [`encode`] was given.
///
/// # Errors
///
/// `BAD_USER_INPUT` for what is no cursor.
pub fn decode<C: DeserializeOwned>(cursor: Option<String>) -> async_graphql::Result<Option<C>> {
    cursor
        .map(|cursor| {
            let position: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&cursor).ok()?).ok()?;
            text::is_storable(&position).then(|| serde_json::from_value(position).ok())?
        })
        .map(|position| {
            position
                .ok_or_else(|| bad_input("This cursor is not one of ours: use `endCursor` or `startCursor` of a page."))
        })
        .transpose()
}

/// A page as a connection; `position` is where an item stands in the order.
pub fn connection<T, A, C>(page: Page<T>, additional: A, position: impl Fn(&T) -> C) -> Connection<T, A>
where
    T: OutputType,
    A: ObjectType,
    C: Serialize,
    String: CursorType,
{
    let mut connection = Connection::with_additional_fields(page.has_previous, page.has_next, additional);
    connection.edges.extend(page.items.into_iter().map(|item| Edge::new(encode(&position(&item)), item)));
    connection
}
