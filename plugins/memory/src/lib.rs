//! A knowledge graph that is remembered between conversations: the answers of the reference server
//! `server-memory`.
//! Needs state. Must not lose an update: every change goes through the store's compare-and-swap.

mod graph;
mod schema;
mod store;

use graph::{Addition, Deletion, Entity, Graph, Relation};
use kennel_sdk::prelude::*;
use kennel_sdk::resource_updated;
use schema::{Added, Additions, Done, Entities, Relations, Subgraph};

const URI: &str = "memory://knowledge-graph";

#[derive(Deserialize, JsonSchema)]
struct CreateEntities {
    entities: Vec<Entity>,
}

/// Create multiple new entities in the knowledge graph
#[tool(
    title = "Create Entities",
    read_only = false,
    destructive = false,
    idempotent = false,
    open_world = false,
    output = Entities
)]
fn create_entities(args: CreateEntities) -> Result<ToolResult> {
    let entities = changed(|graph| Ok(graph.create_entities(args.entities.clone())))?;
    told(&entities, &json!({ "entities": &entities }))
}

#[derive(Deserialize, JsonSchema)]
struct CreateRelations {
    relations: Vec<Relation>,
}

/// Create multiple new relations between entities in the knowledge graph. Relations should be in active voice
#[tool(
    title = "Create Relations",
    read_only = false,
    destructive = false,
    idempotent = false,
    open_world = false,
    output = Relations
)]
fn create_relations(args: CreateRelations) -> Result<ToolResult> {
    let relations = changed(|graph| Ok(graph.create_relations(args.relations.clone())))?;
    told(&relations, &json!({ "relations": &relations }))
}

#[derive(Deserialize, JsonSchema)]
struct AddObservations {
    observations: Vec<Addition>,
}

/// Add new observations to existing entities in the knowledge graph
#[tool(
    title = "Add Observations",
    read_only = false,
    destructive = false,
    idempotent = false,
    open_world = false,
    output = Additions
)]
fn add_observations(args: AddObservations) -> Result<ToolResult> {
    let mut missing = None;
    let added = changed(|graph| {
        graph.add_observations(&args.observations).map_err(|name| {
            let text = format!("Entity with name {name} not found");
            missing = Some(text.clone());
            Error::failed(text)
        })
    });
    // The model is told in the reference's words, whatever a host adds to failures.
    if let Some(text) = missing {
        return Ok(ToolResult::error(text));
    }
    let added: Vec<Added> = added?;
    told(&added, &json!({ "results": &added }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DeleteEntities {
    /// An array of entity names to delete
    entity_names: Vec<String>,
}

/// Delete multiple entities and their associated relations from the knowledge graph
#[tool(
    title = "Delete Entities",
    read_only = false,
    destructive = true,
    idempotent = true,
    open_world = false,
    output = Done
)]
fn delete_entities(args: DeleteEntities) -> Result<ToolResult> {
    changed(|graph| {
        graph.delete_entities(&args.entity_names);
        Ok(())
    })?;
    done("Entities deleted successfully")
}

#[derive(Deserialize, JsonSchema)]
struct DeleteObservations {
    deletions: Vec<Deletion>,
}

/// Delete specific observations from entities in the knowledge graph
#[tool(
    title = "Delete Observations",
    read_only = false,
    destructive = true,
    idempotent = true,
    open_world = false,
    output = Done
)]
fn delete_observations(args: DeleteObservations) -> Result<ToolResult> {
    changed(|graph| {
        graph.delete_observations(&args.deletions);
        Ok(())
    })?;
    done("Observations deleted successfully")
}

#[derive(Deserialize, JsonSchema)]
struct DeleteRelations {
    /// An array of relations to delete
    relations: Vec<Relation>,
}

/// Delete multiple relations from the knowledge graph
#[tool(
    title = "Delete Relations",
    read_only = false,
    destructive = true,
    idempotent = true,
    open_world = false,
    output = Done
)]
fn delete_relations(args: DeleteRelations) -> Result<ToolResult> {
    changed(|graph| {
        graph.delete_relations(&args.relations);
        Ok(())
    })?;
    done("Relations deleted successfully")
}

/// Read the entire knowledge graph
#[tool(
    title = "Read Graph",
    read_only,
    destructive = false,
    idempotent,
    open_world = false,
    input_schema = r#"{"type":"object","properties":{}}"#,
    output = Subgraph
)]
fn read_graph() -> Result<ToolResult> {
    shown(&store::load()?)
}

#[derive(Deserialize, JsonSchema)]
struct Search {
    /// The search query to match against entity names, types, and observation content
    query: String,
}

/// Search for nodes in the knowledge graph based on a query
#[tool(title = "Search Nodes", read_only, destructive = false, idempotent, open_world = false, output = Subgraph)]
fn search_nodes(args: Search) -> Result<ToolResult> {
    shown(&store::load()?.search(&args.query))
}

#[derive(Deserialize, JsonSchema)]
struct Open {
    /// An array of entity names to retrieve
    names: Vec<String>,
}

/// Open specific nodes in the knowledge graph by their names
#[tool(title = "Open Nodes", read_only, destructive = false, idempotent, open_world = false, output = Subgraph)]
fn open_nodes(args: Open) -> Result<ToolResult> {
    shown(&store::load()?.open(&args.names))
}

/// The full knowledge graph with all entities and relations
#[resource(
    "memory://knowledge-graph",
    name = "knowledge-graph",
    title = "Knowledge Graph",
    mime = "application/json"
)]
fn knowledge_graph() -> Result<String> {
    Ok(serde_json::to_string_pretty(&store::load()?)?)
}

/// Changes the graph and tells whoever watches it.
fn changed<T>(change: impl FnMut(&mut Graph) -> Result<T>) -> Result<T> {
    let made = store::update(change)?;
    resource_updated(URI);
    Ok(made)
}

fn told(text: &impl Serialize, structured: &Value) -> Result<ToolResult> {
    ToolResult::new().text(serde_json::to_string_pretty(text)?).structured(structured)
}

fn shown(graph: &Graph) -> Result<ToolResult> {
    ToolResult::new().text(serde_json::to_string_pretty(graph)?).structured(graph)
}

fn done(message: &str) -> Result<ToolResult> {
    ToolResult::new().text(message).structured(&json!({ "success": true, "message": message }))
}

plugin! {
    tools: [
        create_entities,
        create_relations,
        add_observations,
        delete_entities,
        delete_observations,
        delete_relations,
        read_graph,
        search_nodes,
        open_nodes,
    ],
    resources: [knowledge_graph],
    asks: {
        state: { quota: "64MiB", scope: "plugin", why: "keeps the knowledge graph" },
    },
}
