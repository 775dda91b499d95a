//! One of each thing a plugin can offer, in small modules by theme. Copy from it.
//! The names and texts are those that the protocol's conformance suite looks for, and, under `published`, those of the published server.
//! Asks for questions to the person, to the model and for the client's directories; touches nothing else.

mod answers;
mod changes;
mod contents;
mod prompts;
mod published;
mod questions;
mod resources;
mod rounds;
mod schemas;
mod signals;
mod tasks;

kennel_sdk::plugin! {
    tools: [
        contents::test_simple_text,
        contents::test_image_content,
        contents::test_audio_content,
        contents::test_embedded_resource,
        contents::test_multiple_content_types,
        contents::test_error_handling,
        signals::test_tool_with_progress,
        signals::test_tool_with_logging,
        signals::test_logging_tool,
        signals::test_reconnection,
        changes::test_trigger_tool_change,
        changes::test_trigger_prompt_change,
        changes::test_trigger_resource_change,
        questions::test_sampling,
        questions::test_elicitation,
        questions::test_elicitation_sep1034_defaults,
        questions::test_elicitation_sep1330_enums,
        questions::test_streaming_elicitation,
        questions::test_missing_capability,
        rounds::test_input_required_result_elicitation,
        rounds::test_input_required_result_sampling,
        rounds::test_input_required_result_list_roots,
        rounds::test_input_required_result_request_state,
        rounds::test_input_required_result_multiple_inputs,
        rounds::test_input_required_result_multi_round,
        rounds::test_input_required_result_tampered_state,
        rounds::test_input_required_result_capabilities,
        schemas::json_schema_2020_12_tool,
        schemas::test_custom_header,
        tasks::greet,
        tasks::slow_compute,
        tasks::failing_job,
        tasks::protocol_error_job,
        tasks::confirm_delete,
        tasks::multi_input,
        tasks::test_tool_with_task,
        published::contents::echo,
        published::contents::annotated_message,
        published::contents::environment,
        published::resources::resource_links,
        published::resources::resource_reference,
        published::contents::structured_content,
        published::contents::sum,
        published::contents::tiny_image,
        published::operations::long_running,
        published::questions::roots_list,
        published::questions::elicitation,
        published::questions::sampling,
    ],
    resources: [
        resources::static_text,
        resources::static_binary,
        resources::watched,
        resources::record,
        published::resources::dynamic_text,
        published::resources::dynamic_blob,
    ],
    prompts: [
        prompts::test_simple_prompt,
        prompts::test_prompt_with_arguments,
        prompts::test_prompt_with_embedded_resource,
        prompts::test_prompt_with_image,
        prompts::test_input_required_result_prompt,
        published::prompts::simple,
        published::prompts::place,
        published::prompts::completable,
        published::prompts::resource,
    ],
    completions: [
        prompts::first_argument,
        resources::record_ids,
        published::prompts::departments,
        published::prompts::members,
        published::resources::prompt_types,
        published::resources::prompt_ids,
        published::resources::text_ids,
        published::resources::blob_ids,
    ],
    asks: {
        elicit: true,
        sample: true,
        roots: true,
    },
}
