//! The merged lists at one moment and who owns each name in them. Made anew at every change of the
//! plugins; never changed afterwards.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::config::OnDenied;
use crate::grants::{Asked, Grants};
use crate::observe::escape_for_people;
use crate::plugin::Plugin;

use super::api::Snapshot;
use super::names::Names;
use super::schema::Schema;
use super::types::{Prompt, ResourceTemplate, Tool, ToolAnnotations};
use super::{convert, plain};

/// Longest public name: what the strictest model accepts, `^[a-zA-Z0-9_-]{1,64}$`.
const MAX_NAME: usize = 64;

/// A tool and its owner.
pub(super) struct ToolEntry {
    pub(super) plugin: Arc<Plugin>,
    /// The plugin's own name for it.
    pub(super) name: String,
    pub(super) input: Schema,
    pub(super) output: Option<Schema>,
}

/// A prompt and its owner.
pub(super) struct PromptEntry {
    pub(super) plugin: Arc<Plugin>,
    /// The plugin's own name for it.
    pub(super) name: String,
    /// Names of the arguments that must be given.
    pub(super) required: Vec<String>,
}

/// The lists and their owners.
#[derive(Default)]
pub(super) struct View {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) tools: HashMap<String, ToolEntry>,
    pub(super) prompts: HashMap<String, PromptEntry>,
    /// Templates with their owners.
    pub(super) templates: Vec<(String, Arc<Plugin>)>,
    /// Plugins with resources, in the order in which URIs are theirs.
    pub(super) with_resources: Vec<Arc<Plugin>>,
    /// All plugins.
    pub(super) plugins: Vec<Arc<Plugin>>,
    /// Their names, in the order of ownership.
    owners: Vec<String>,
    tool_names: Names,
    prompt_names: Names,
    /// What was left out and why, one line each.
    pub(super) faults: Vec<String>,
}

impl View {
    /// Merges the plugins. A name belongs to a plugin that a person approved before one that nobody did, then to the one
    /// that had it before, or else to the first by name; a newcomer that wants the same name, or one like it, does not
    /// get it.
    pub(super) fn merge(before: &Self, plugins: &[Arc<Plugin>]) -> Self {
        let mut plugins = plugins.to_vec();
        let rank = |plugin: &Arc<Plugin>| {
            let name = plugin.config.name.as_str();
            let had = before.owners.iter().position(|owner| owner == name).unwrap_or(usize::MAX);
            (plugin.holding.unapproved.is_some(), had)
        };
        plugins.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.config.name.cmp(&b.config.name)));

        let mut view = Self::default();
        let mut lists = Snapshot::default();
        for plugin in &plugins {
            let (name, prefix) = (plugin.config.name.to_string(), &plugin.config.prefix);
            view.tool_names.claim(prefix, &name);
            view.prompt_names.claim(prefix, &name);
            view.owners.push(name);
            view.plugins.push(plugin.clone());
            view.add_tools(plugin, &mut lists.tools);
            view.add_prompts(plugin, &mut lists.prompts);
            view.add_templates(plugin, &mut lists.templates);
            if plugin.definitions.resources {
                view.with_resources.push(plugin.clone());
            }
        }
        lists.tools.sort_by(|a, b| a.name.cmp(&b.name));
        lists.prompts.sort_by(|a, b| a.name.cmp(&b.name));
        lists.templates.sort_by(|a, b| a.uri_template.cmp(&b.uri_template));
        view.snapshot = Arc::new(lists);
        view
    }

    fn add_tools(&mut self, plugin: &Arc<Plugin>, list: &mut Vec<Tool>) {
        for tool in plugin.definitions.tools.iter().filter(|tool| plugin.config.tools.shows(&tool.name)) {
            match self.tool(plugin, tool) {
                Ok((public, entry)) => {
                    self.tools.insert(public.name.clone(), entry);
                    list.push(public);
                }
                Err(why) => self.fault(plugin, "tool", &tool.name, &why),
            }
        }
    }

    fn tool(
        &mut self,
        plugin: &Arc<Plugin>,
        tool: &crate::sandbox::contract::Tool,
    ) -> Result<(Tool, ToolEntry), String> {
        let mut public = convert::tool(tool.clone()).map_err(|broken| broken.to_string())?;
        public.name = public_name(&plugin.config.prefix, &tool.name)?;
        if plugin.holding.unapproved.is_some() {
            plain::tool(&mut public);
        }
        public.annotations =
            Some(true_annotations(public.annotations.take(), &plugin.holding.grants, askable(plugin)));
        let input =
            Schema::compile(&public.input_schema).map_err(|why| format!("its input schema: {why}"))?;
        let output = match &public.output_schema {
            Some(schema) => Some(Schema::compile(schema).map_err(|why| format!("its output schema: {why}"))?),
            None => None,
        };
        self.tool_names.give(&public.name, &plugin.config.prefix, plugin.config.name.as_str())?;
        Ok((public, ToolEntry { plugin: plugin.clone(), name: tool.name.clone(), input, output }))
    }

    fn add_prompts(&mut self, plugin: &Arc<Plugin>, list: &mut Vec<Prompt>) {
        for prompt in &plugin.definitions.prompts {
            let made = public_name(&plugin.config.prefix, &prompt.name).and_then(|name| {
                let mut public = convert::prompt(prompt.clone()).map_err(|broken| broken.to_string())?;
                if plugin.holding.unapproved.is_some() {
                    plain::prompt(&mut public);
                }
                self.prompt_names.give(&name, &plugin.config.prefix, plugin.config.name.as_str())?;
                Ok(Prompt { name, ..public })
            });
            match made {
                Ok(public) => {
                    let required = public.arguments.iter().filter(|a| a.required).map(|a| a.name.clone());
                    let entry = PromptEntry {
                        plugin: plugin.clone(),
                        name: prompt.name.clone(),
                        required: required.collect(),
                    };
                    self.prompts.insert(public.name.clone(), entry);
                    list.push(public);
                }
                Err(why) => self.fault(plugin, "prompt", &prompt.name, &why),
            }
        }
    }

    fn add_templates(&mut self, plugin: &Arc<Plugin>, list: &mut Vec<ResourceTemplate>) {
        let mut seen: HashSet<String> = self.templates.iter().map(|(template, _)| template.clone()).collect();
        for template in &plugin.definitions.templates {
            let text = &template.uri_template;
            if !seen.insert(text.clone()) {
                self.fault(plugin, "template", text, "another plugin has it already");
                continue;
            }
            match convert::template(template.clone()) {
                Ok(mut public) => {
                    if plugin.holding.unapproved.is_some() {
                        plain::template(&mut public);
                    }
                    self.templates.push((text.clone(), plugin.clone()));
                    list.push(public);
                }
                Err(broken) => self.fault(plugin, "template", text, &broken.to_string()),
            }
        }
    }

    fn fault(&mut self, plugin: &Arc<Plugin>, what: &str, name: &str, why: &str) {
        let line = format!("plugin `{}`: its {what} {name:?} is left out: {why}", plugin.config.name);
        self.faults.push(escape_for_people(&line).into_owned());
    }

    /// The plugin with the template that fits a URI best: the longest literal beginning. Whether the
    /// rest fits is the plugin's to say.
    pub(super) fn template_owner(&self, uri: &str) -> Option<&Arc<Plugin>> {
        let literal = |template: &str| template.split('{').next().unwrap_or_default().len();
        self.templates
            .iter()
            .filter(|(template, _)| uri.starts_with(&template[..literal(template)]))
            .max_by_key(|(template, _)| literal(template))
            .map(|(_, plugin)| plugin)
    }
}

/// The name under which clients see a plugin's tool or prompt.
///
/// # Errors
/// When it is longer than every client takes.
pub fn public_name(prefix: &str, name: &str) -> Result<String, String> {
    let public = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}__{name}") };
    if public.len() <= MAX_NAME {
        Ok(public)
    } else {
        Err(format!("{public:?} has more than {MAX_NAME} characters; set a shorter `prefix` in kennel.toml"))
    }
}

/// What a tool may say of its effects, given what its plugin holds (DESIGN 4.8): without a way out it is
/// no open world; what can change something is not read-only whatever it says, and what cannot is not destructive.
fn true_annotations(
    claimed: Option<ToolAnnotations>,
    grants: &Grants,
    askable: Option<&Asked>,
) -> ToolAnnotations {
    let mut said = claimed.unwrap_or_default();
    let network = grants.reaches_out() || askable.is_some_and(Asked::reaches_out);
    let writes = grants.can_change() || askable.is_some_and(Asked::can_change);
    guarded!("hints", without { return said; });
    if !network {
        said.open_world = Some(false);
    } else if said.open_world == Some(false) {
        said.open_world = Some(true);
    }
    if writes && said.read_only == Some(true) {
        said.read_only = Some(false);
    }
    if !writes && said.destructive == Some(true) {
        said.destructive = Some(false);
    }
    said
}

/// What a person may allow in the middle of a call.
fn askable(plugin: &Plugin) -> Option<&Asked> {
    let ask = plugin.config.on_denied == OnDenied::Ask && plugin.holding.unapproved.is_none();
    plugin.asked.as_ref().filter(|_| ask)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::grants::{
        DirectoryGrant, DirectoryMode, DiskQuota, HostPattern, HttpGrant, HttpScheme, PathPrefix,
        SocketGrant, StateGrant, StateScope,
    };
    use proptest::prelude::*;

    fn directory(mode: DirectoryMode) -> DirectoryGrant {
        let quota = DiskQuota { bytes: 1, files: 1 };
        DirectoryGrant {
            host: "/srv/x".into(),
            guest: "/x".into(),
            mode,
            quota,
            extensions: Vec::new(),
            lock: Default::default(),
        }
    }

    fn http(methods: Vec<&str>) -> HttpGrant {
        HttpGrant {
            scheme: HttpScheme::Https,
            host: HostPattern::Name("example.org".into()),
            port: 443,
            methods: methods.into_iter().map(str::to_owned).collect(),
            path: PathPrefix::new("/").unwrap(),
            private_addresses: false,
        }
    }

    fn socket() -> SocketGrant {
        SocketGrant { host: HostPattern::Name("example.org".into()), port: 25, private_addresses: false }
    }

    fn grants() -> impl Strategy<Value = Grants> {
        let mode = prop_oneof![Just(DirectoryMode::ReadOnly), Just(DirectoryMode::ReadWrite)];
        let method = proptest::sample::select(vec!["GET", "HEAD", "POST", "DELETE", "PROPFIND"]);
        (
            proptest::collection::vec(mode.prop_map(directory), 0..3),
            proptest::collection::vec(proptest::collection::vec(method, 0..3).prop_map(http), 0..3),
            any::<[bool; 4]>(),
            any::<[bool; 3]>(),
        )
            .prop_map(|(directories, http, [state, elicit, sample, env], [tcp, udp, resolve])| {
                Grants {
                    directories,
                    http,
                    tcp: tcp.then(socket).into_iter().collect(),
                    udp: udp.then(socket).into_iter().collect(),
                    resolve: resolve.then(|| HostPattern::Name("example.org".into())).into_iter().collect(),
                    state: state.then_some(StateGrant { quota: 1, scope: StateScope::Caller }),
                    elicit,
                    sample,
                    env: env.then(|| ("A".to_owned(), "b".to_owned())).into_iter().collect(),
                    ..Grants::default()
                }
            })
    }

    proptest! {
        /// Whatever is granted and whatever is claimed: what a client reads is not contradicted by the grants, and
        /// what they do not contradict stands as it was claimed.
        #[test]
        fn no_hint_says_what_the_grants_contradict(
            grants in grants(),
            read_only in any::<Option<bool>>(),
            destructive in any::<Option<bool>>(),
            idempotent in any::<Option<bool>>(),
            open_world in any::<Option<bool>>(),
        ) {
            let claim = ToolAnnotations { read_only, destructive, idempotent, open_world };
            let said = true_annotations(Some(claim), &grants, None);
            let writes_files = grants.directories.iter().any(|d| d.mode == DirectoryMode::ReadWrite);
            let sends = grants.http.iter().flat_map(|http| &http.methods).any(|m| m != "GET" && m != "HEAD");
            let sockets = grants.tcp.len() + grants.udp.len() > 0;
            let can_change = writes_files || sends || sockets || grants.state.is_some();
            let reaches_out = sockets || grants.http.len() + grants.resolve.len() > 0;

            prop_assert!(!(can_change && said.read_only == Some(true)));
            prop_assert!(can_change || said.destructive != Some(true));
            prop_assert_eq!(said.open_world == Some(false), !reaches_out);
            prop_assert_eq!(said.idempotent, idempotent);
            if !can_change {
                prop_assert_eq!(said.read_only, read_only);
            } else {
                prop_assert_eq!(said.destructive, destructive);
            }
            if reaches_out && open_world != Some(false) {
                prop_assert_eq!(said.open_world, open_world);
            }
            prop_assert_eq!(true_annotations(None, &grants, None), true_annotations(Some(ToolAnnotations::default()), &grants, None));
        }
    }

    #[test]
    fn long_names_are_refused_with_the_way_out() {
        assert_eq!(public_name("", "a").as_deref(), Ok("a"));
        assert_eq!(public_name("p", "a").as_deref(), Ok("p__a"));
        assert!(public_name("p", &"a".repeat(62)).is_err_and(|why| why.contains("prefix")));
    }
}
