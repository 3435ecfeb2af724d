//! What a document amounts to once its fragments are spread, counted in one pass: the library's own checks spread every
//! fragment anew, so that thirty fragments that each name the next one twice would keep it busy for minutes.

use std::collections::HashMap;

use async_graphql::{
    Name, Pos, Positioned, ServerError,
    parser::types::{
        Directive, DocumentOperations, ExecutableDocument, InlineFragment, Selection, SelectionSet, TypeCondition,
    },
};

/// The most that a document may have.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// Selection sets within selection sets, fragments included.
    pub recursion: usize,
    /// Fields of all operations together.
    pub fields: usize,
    /// The same of aliases.
    pub aliases: usize,
    /// The same of directives.
    pub directives: usize,
}

/// Refuses a document that has more than `most` of anything, or a fragment that contains itself.
pub fn check(document: &ExecutableDocument, most: Most) -> Result<(), ServerError> {
    let mut scale = Scale { document, most, fragments: HashMap::new() };
    let mut total = Weight::default();
    for (_, operation) in document.operations.iter() {
        let operation = &operation.node;
        let of_variables = operation.variable_definitions.iter().map(|variable| variable.node.directives.len());
        total.directives += operation.directives.len() + of_variables.sum::<usize>();
        total.add(scale.set(&operation.selection_set, 1)?);
        scale.within(total, operation.selection_set.pos)?;
    }
    // Those that no operation names are validated all the same.
    for (name, fragment) in &document.fragments {
        let weight = scale.fragment(name, 1)?;
        scale.within(weight, fragment.pos)?;
    }
    Ok(())
}

/// Wraps each spread of a fragment into `... on T`, where T is the fragment's type: without it the library reckons what
/// the fragment costs by the type around it, and pages of an object behind an interface such as `node` cost nothing.
pub fn type_spreads(document: &mut ExecutableDocument) {
    let types: HashMap<_, _> = document
        .fragments
        .iter()
        .map(|(name, fragment)| (name.clone(), fragment.node.type_condition.clone()))
        .collect();
    let operations: Box<dyn Iterator<Item = _>> = match &mut document.operations {
        DocumentOperations::Single(operation) => Box::new(std::iter::once(operation)),
        DocumentOperations::Multiple(operations) => Box::new(operations.values_mut()),
    };
    for operation in operations {
        wrap(&mut operation.node.selection_set.node, &types);
    }
    for fragment in document.fragments.values_mut() {
        wrap(&mut fragment.node.selection_set.node, &types);
    }
}

fn wrap(set: &mut SelectionSet, types: &HashMap<Name, Positioned<TypeCondition>>) {
    for selection in &mut set.items {
        match &mut selection.node {
            Selection::Field(field) => wrap(&mut field.node.selection_set.node, types),
            Selection::InlineFragment(fragment) => wrap(&mut fragment.node.selection_set.node, types),
            Selection::FragmentSpread(spread) => {
                let Some(of) = types.get(&spread.node.fragment_name.node) else { continue };
                let at = selection.pos;
                let inner = Positioned::new(Selection::FragmentSpread(spread.clone()), at);
                let fragment = InlineFragment {
                    type_condition: Some(of.clone()),
                    directives: Vec::new(),
                    selection_set: Positioned::new(SelectionSet { items: vec![inner] }, at),
                };
                selection.node = Selection::InlineFragment(Positioned::new(fragment, at));
            }
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Weight {
    fields: usize,
    aliases: usize,
    directives: usize,
    /// Levels of selection sets.
    levels: usize,
}

impl Weight {
    fn add(&mut self, other: Self) {
        self.fields = self.fields.saturating_add(other.fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.levels = self.levels.max(other.levels);
    }
}

struct Scale<'a> {
    document: &'a ExecutableDocument,
    most: Most,
    /// Nothing while a fragment is being weighed.
    fragments: HashMap<&'a Name, Option<Weight>>,
}

impl<'a> Scale<'a> {
    fn set(&mut self, set: &'a Positioned<SelectionSet>, level: usize) -> Result<Weight, ServerError> {
        if level > self.most.recursion {
            return Err(self.too_deep(set.pos));
        }
        let mut weight = Weight::default();
        for selection in &set.node.items {
            weight.directives = weight.directives.saturating_add(directives(&selection.node).len());
            weight.add(match &selection.node {
                Selection::Field(field) => {
                    let mut inner = match field.node.selection_set.node.items.is_empty() {
                        true => Weight::default(),
                        false => self.set(&field.node.selection_set, level + 1)?,
                    };
                    inner.fields = inner.fields.saturating_add(1);
                    inner.aliases = inner.aliases.saturating_add(usize::from(field.node.alias.is_some()));
                    inner
                }
                Selection::InlineFragment(fragment) => self.set(&fragment.node.selection_set, level + 1)?,
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node, level + 1)?,
            });
        }
        weight.levels += 1;
        Ok(weight)
    }

    /// A fragment spread at this level. An unknown one weighs nothing: validation names it.
    fn fragment(&mut self, name: &'a Name, level: usize) -> Result<Weight, ServerError> {
        let Some(fragment) = self.document.fragments.get(name) else { return Ok(Weight::default()) };
        let weight = match self.fragments.get(name) {
            Some(Some(weight)) => *weight,
            Some(None) => {
                return Err(ServerError::new(format!("The fragment {name} contains itself."), Some(fragment.pos)));
            }
            None => {
                self.fragments.insert(name, None);
                let mut weight = self.set(&fragment.node.selection_set, level)?;
                weight.directives = weight.directives.saturating_add(fragment.node.directives.len());
                self.fragments.insert(name, Some(weight));
                weight
            }
        };
        // It may have been weighed further up.
        if level + weight.levels - 1 > self.most.recursion { Err(self.too_deep(fragment.pos)) } else { Ok(weight) }
    }

    fn within(&self, weight: Weight, at: Pos) -> Result<(), ServerError> {
        let most = self.most;
        for (what, count, most) in [
            ("fields", weight.fields, most.fields),
            ("aliases", weight.aliases, most.aliases),
            ("directives", weight.directives, most.directives),
        ] {
            if count > most {
                return Err(ServerError::new(format!("The document has more than {most} {what}."), Some(at)));
            }
        }
        Ok(())
    }

    fn too_deep(&self, at: Pos) -> ServerError {
        let most = self.most.recursion;
        ServerError::new(format!("The document has more than {most} selection sets within each other."), Some(at))
    }
}

fn directives(selection: &Selection) -> &[Positioned<Directive>] {
    match selection {
        Selection::Field(field) => &field.node.directives,
        Selection::InlineFragment(fragment) => &fragment.node.directives,
        Selection::FragmentSpread(spread) => &spread.node.directives,
    }
}
