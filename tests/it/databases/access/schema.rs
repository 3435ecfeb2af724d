//! The schema as a running server tells it by introspection, and the selections that ask for all of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{client::Client, fields};

/// Arguments that move within a list and choose nothing: tried on every connection by a rule of their own.
pub const PAGING: [&str; 4] = ["first", "after", "last", "before"];

const QUERY: &str = "{ __schema { types { kind name fields(includeDeprecated: true) { name args { name type { ...T } } \
     type { ...T } } inputFields { name type { ...T } } possibleTypes { name } } } } \
     fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

#[derive(Clone, Debug)]
pub struct Field {
    /// The named type within lists and non-nulls.
    pub kind: String,
    /// Names, with their named types.
    pub arguments: BTreeMap<String, String>,
}

/// Every type, with the fields of objects and of inputs.
pub struct Schema {
    objects: BTreeMap<String, BTreeMap<String, Field>>,
    inputs: BTreeMap<String, BTreeMap<String, String>>,
    nodes: BTreeSet<String>,
}

impl Schema {
    pub async fn of(client: &Client) -> Self {
        let answer = client.query(QUERY, &json!({})).await.body;
        let types = list(&answer["data"]["__schema"]["types"]).filter(|kind| !text(&kind["name"]).starts_with("__"));
        let mut schema = Self { objects: BTreeMap::new(), inputs: BTreeMap::new(), nodes: BTreeSet::new() };
        for kind in types {
            let name = text(&kind["name"]);
            match kind["kind"].as_str().unwrap() {
                "OBJECT" => {
                    let field = |field: &Value| Field {
                        kind: named(&field["type"]),
                        arguments: list(&field["args"]).map(|arg| (text(&arg["name"]), named(&arg["type"]))).collect(),
                    };
                    let fields = list(&kind["fields"]).map(|each| (text(&each["name"]), field(each))).collect();
                    schema.objects.insert(name, fields);
                }
                "INPUT_OBJECT" => {
                    let fields = list(&kind["inputFields"]).map(|each| (text(&each["name"]), named(&each["type"])));
                    schema.inputs.insert(name, fields.collect());
                }
                "INTERFACE" if name == "Node" => {
                    schema.nodes = list(&kind["possibleTypes"]).map(|kind| text(&kind["name"])).collect();
                }
                "INTERFACE" | "UNION" => panic!("the walk through answers does not know {name} yet"),
                _ => {}
            }
        }
        schema
    }

    pub fn object(&self, name: &str) -> Option<&BTreeMap<String, Field>> {
        self.objects.get(name)
    }

    /// The types behind `node(id)`.
    pub fn nodes(&self) -> &BTreeSet<String> {
        &self.nodes
    }

    /// `Type.field` of every object type but the roots, which are operations.
    pub fn fields(&self) -> BTreeSet<String> {
        let types =
            self.objects.iter().filter(|(name, _)| !matches!(name.as_str(), "Query" | "Mutation" | "Subscription"));
        types.flat_map(|(name, fields)| fields.keys().map(move |field| format!("{name}.{field}"))).collect()
    }

    /// `Type.field(argument)` of every object type but the roots.
    pub fn field_arguments(&self) -> BTreeSet<String> {
        let all = self.fields().into_iter().flat_map(|key| {
            let (kind, field) = key.split_once('.').unwrap();
            let arguments = self.objects[kind][field].arguments.keys();
            arguments
                .filter(|name| !PAGING.contains(&name.as_str()))
                .map(|name| format!("{key}({name})"))
                .collect::<Vec<_>>()
        });
        all.collect()
    }

    /// Every query, and each of its arguments down to the leaves: `files`, `files(filter.ownerId)`. What takes only
    /// arguments of its own is no query without one.
    pub fn queries(&self) -> BTreeSet<String> {
        self.operations("Query")
    }

    /// The same of subscriptions.
    pub fn subscriptions(&self) -> BTreeSet<String> {
        self.operations("Subscription")
    }

    fn operations(&self, root: &str) -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        for (name, field) in &self.objects[root] {
            let leaves = field.arguments.iter().flat_map(|(argument, kind)| self.leaves(argument, kind));
            let leaves: Vec<_> = leaves.filter(|path| !PAGING.contains(&path.as_str())).collect();
            if leaves.is_empty() || field.kind.ends_with("Connection") {
                keys.insert(name.clone());
            }
            keys.extend(leaves.iter().map(|path| format!("{name}({path})")));
        }
        keys
    }

    pub fn mutations(&self) -> BTreeSet<String> {
        self.objects["Mutation"].keys().cloned().collect()
    }

    /// The leaves of a mutation's input.
    pub fn input(&self, mutation: &str) -> BTreeSet<String> {
        let arguments = &self.objects["Mutation"][mutation].arguments;
        let leaves = arguments.iter().flat_map(|(name, kind)| self.leaves(name, kind));
        leaves.map(|path| path.strip_prefix("input.").unwrap_or(&path).to_owned()).collect()
    }

    fn leaves(&self, path: &str, kind: &str) -> Vec<String> {
        match self.inputs.get(kind) {
            None => vec![path.to_owned()],
            Some(fields) => {
                fields.iter().flat_map(|(name, kind)| self.leaves(&format!("{path}.{name}"), kind)).collect()
            }
        }
    }

    /// Everything below a type, each argument with its sample value where `arguments`.
    pub fn everything(&self, kind: &str, arguments: bool) -> String {
        self.select(kind, arguments, &mut vec![])
    }

    fn select<'a>(&'a self, kind: &'a str, arguments: bool, within: &mut Vec<&'a str>) -> String {
        if kind == "Node" {
            // What it is, and whose, the table of queries tells.
            return " { __typename id }".to_owned();
        }
        let Some(fields) = self.objects.get(kind) else { return String::new() };
        within.push(kind);
        let mut selection = String::new();
        for (name, field) in fields {
            if within.contains(&field.kind.as_str()) {
                continue; // Round in a circle: asked for where it first occurs.
            }
            let below = self.select(&field.kind, arguments, within);
            let given = field.arguments.keys().filter_map(|argument| {
                let sample = fields::sample(&format!("{kind}.{name}({argument})"))?;
                Some(format!("{argument}: {sample}"))
            });
            let given = if arguments { given.collect::<Vec<_>>().join(", ") } else { String::new() };
            let given = if given.is_empty() { given } else { format!("({given})") };
            selection.push_str(&format!(" {name}{given}{below}"));
        }
        within.pop();
        format!(" {{{selection} }}")
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn named(kind: &Value) -> String {
    kind["name"].as_str().map_or_else(|| named(&kind["ofType"]), str::to_owned)
}
