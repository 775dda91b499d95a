//! The graph: entities with observations, and relations between them. What each operation does to
//! duplicates and to missing entities is the reference server's behaviour.
//! Must not know where the graph is kept.

use std::collections::HashSet;

use kennel_sdk::prelude::*;

use crate::schema::Added;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entity {
    /// The name of the entity
    pub(crate) name: String,
    /// The type of the entity
    pub(crate) entity_type: String,
    /// An array of observation contents associated with the entity
    pub(crate) observations: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Relation {
    /// The name of the entity where the relation starts
    pub(crate) from: String,
    /// The name of the entity where the relation ends
    pub(crate) to: String,
    /// The type of the relation
    pub(crate) relation_type: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Addition {
    /// The name of the entity to add the observations to
    entity_name: String,
    /// An array of observation contents to add
    contents: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deletion {
    /// The name of the entity containing the observations
    entity_name: String,
    /// An array of observations to delete
    observations: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Graph {
    pub(crate) entities: Vec<Entity>,
    pub(crate) relations: Vec<Relation>,
}

impl Graph {
    /// Adds the entities whose names were not there before, and gives them back.
    pub(crate) fn create_entities(&mut self, mut entities: Vec<Entity>) -> Vec<Entity> {
        let known: HashSet<&str> = self.entities.iter().map(|entity| entity.name.as_str()).collect();
        entities.retain(|entity| !known.contains(entity.name.as_str()));
        self.entities.extend_from_slice(&entities);
        entities
    }

    /// Adds the relations that were not there before, and gives them back.
    pub(crate) fn create_relations(&mut self, mut relations: Vec<Relation>) -> Vec<Relation> {
        relations.retain(|relation| !self.relations.contains(relation));
        self.relations.extend_from_slice(&relations);
        relations
    }

    /// Adds observations that an entity does not have yet. The error is the name of an entity that is
    /// not there; the graph is then not to be kept.
    pub(crate) fn add_observations<'a>(&mut self, additions: &'a [Addition]) -> Result<Vec<Added>, &'a str> {
        additions
            .iter()
            .map(|addition| {
                let entity = self
                    .entities
                    .iter_mut()
                    .find(|entity| entity.name == addition.entity_name)
                    .ok_or(addition.entity_name.as_str())?;
                let new: Vec<String> = addition
                    .contents
                    .iter()
                    .filter(|content| !entity.observations.contains(content))
                    .cloned()
                    .collect();
                entity.observations.extend_from_slice(&new);
                Ok(Added { entity_name: addition.entity_name.clone(), added_observations: new })
            })
            .collect()
    }

    /// Removes entities and every relation that touches one of them.
    pub(crate) fn delete_entities(&mut self, names: &[String]) {
        self.entities.retain(|entity| !names.contains(&entity.name));
        self.relations.retain(|relation| !names.contains(&relation.from) && !names.contains(&relation.to));
    }

    /// Removes observations; what is not there is passed over.
    pub(crate) fn delete_observations(&mut self, deletions: &[Deletion]) {
        for deletion in deletions {
            if let Some(entity) = self.entities.iter_mut().find(|entity| entity.name == deletion.entity_name)
            {
                entity.observations.retain(|observation| !deletion.observations.contains(observation));
            }
        }
    }

    /// Removes relations; what is not there is passed over.
    pub(crate) fn delete_relations(&mut self, relations: &[Relation]) {
        self.relations.retain(|relation| !relations.contains(relation));
    }

    /// The entities in whose name, type or observations the text occurs, in any case, and every relation
    /// that touches one of them.
    pub(crate) fn search(self, query: &str) -> Self {
        let query = query.to_lowercase();
        let has = |text: &String| text.to_lowercase().contains(&query);
        self.around(|entity| {
            has(&entity.name) || has(&entity.entity_type) || entity.observations.iter().any(has)
        })
    }

    /// The entities of these names, and every relation that touches one of them.
    pub(crate) fn open(self, names: &[String]) -> Self {
        self.around(|entity| names.contains(&entity.name))
    }

    fn around(mut self, wanted: impl Fn(&Entity) -> bool) -> Self {
        self.entities.retain(wanted);
        let names: HashSet<&str> = self.entities.iter().map(|entity| entity.name.as_str()).collect();
        self.relations.retain(|relation| {
            names.contains(relation.from.as_str()) || names.contains(relation.to.as_str())
        });
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn entity(name: &str, observations: &[&str]) -> Entity {
        Entity {
            name: name.into(),
            entity_type: "T".into(),
            observations: observations.iter().map(|text| (*text).into()).collect(),
        }
    }

    fn relation(from: &str, to: &str) -> Relation {
        Relation { from: from.into(), to: to.into(), relation_type: "r".into() }
    }

    fn graph() -> Graph {
        Graph {
            entities: vec![entity("a", &["Xylophone"]), entity("b", &[]), entity("c", &[])],
            relations: vec![relation("a", "b"), relation("b", "c"), relation("c", "gone")],
        }
    }

    #[test]
    fn only_names_that_were_there_before_are_passed_over() {
        let mut graph = graph();
        let made =
            graph.create_entities(vec![entity("a", &["other"]), entity("d", &[]), entity("d", &["twice"])]);
        assert_eq!(made, [entity("d", &[]), entity("d", &["twice"])]);
        assert_eq!(graph.entities.len(), 5);
        assert_eq!(
            graph.create_relations(vec![relation("a", "b"), relation("x", "y")]),
            [relation("x", "y")]
        );
    }

    #[test]
    fn observations_come_and_go() {
        let mut graph = graph();
        let addition = |name: &str, contents: &[&str]| Addition {
            entity_name: name.into(),
            contents: contents.iter().map(|text| (*text).into()).collect(),
        };
        let added = graph.add_observations(&[addition("a", &["Xylophone", "new"])]).unwrap();
        assert_eq!(added[0].added_observations, ["new"]);
        assert_eq!(graph.add_observations(&[addition("nobody", &["x"])]).unwrap_err(), "nobody");
        graph.delete_observations(&[Deletion { entity_name: "a".into(), observations: vec!["new".into()] }]);
        assert_eq!(graph.entities[0], entity("a", &["Xylophone"]));
    }

    #[test]
    fn an_entity_takes_its_relations_along() {
        let mut graph = graph();
        graph.delete_entities(&["b".into()]);
        assert_eq!(graph.relations, [relation("c", "gone")]);
        graph.delete_relations(&[relation("c", "gone"), relation("not", "there")]);
        assert!(graph.relations.is_empty());
    }

    #[test]
    fn what_is_found_brings_relations_of_either_end() {
        let found = graph().search("xylo");
        assert_eq!((found.entities.len(), found.relations), (1, vec![relation("a", "b")]));
        let opened = graph().open(&["c".into()]);
        assert_eq!(opened.relations, [relation("b", "c"), relation("c", "gone")]);
    }
}
