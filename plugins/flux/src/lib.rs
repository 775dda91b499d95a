//! Images by FLUX, generated at Replicate.
//! Needs two HTTPS hosts, Replicate's API (or the one that `REPLICATE_BASE_URL` names) and the one that its pictures lie
//! on, and a token that the host puts in for the first alone.
//! Must not hold the token; must not choose where a picture lies: Replicate names it, the host checks it.

mod picture;
mod prediction;

use kennel_sdk::api::Number;
use kennel_sdk::prelude::*;

/// What stands before every failure.
pub(crate) const PREFIX: &str = "Flux API error";

kennel_sdk::arguments! {
    GenerateImage {
        /// Text prompt for image generation
        prompt: String,
        /// Run faster predictions with optimized model
        #[schemars(extend("default" = true))]
        go_fast: Option<bool>,
        /// Guidance scale for generation (0-10)
        #[schemars(extend("default" = 3.5, "minimum" = 0, "maximum" = 10))]
        guidance: Option<Number>,
        /// Approximate number of megapixels
        #[schemars(extend("default" = "1", "enum" = ["1", "0.25"]))]
        megapixels: Option<String>,
        /// Aspect ratio for the generated image
        #[schemars(extend("default" = "4:5", "enum" = [
            "1:1", "16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21",
        ]))]
        aspect_ratio: Option<String>,
        /// Number of images to generate (1-4)
        #[schemars(extend("minimum" = 1, "maximum" = 4))]
        num_outputs: Option<Number>,
        /// Format of the image files
        #[schemars(extend("enum" = ["webp", "jpg", "png"]))]
        output_format: Option<String>,
        /// Quality of the image files (0-100); not for png
        #[schemars(extend("minimum" = 0, "maximum" = 100))]
        output_quality: Option<Number>,
        /// How far an image to begin from is changed (0-1)
        #[schemars(extend("minimum" = 0, "maximum" = 1))]
        prompt_strength: Option<Number>,
        /// Number of inference steps (1-50)
        #[schemars(extend("minimum" = 1, "maximum" = 50))]
        num_inference_steps: Option<Number>,
    }
}

/// Generate an image using the Flux model
#[tool]
fn generate_image(mut args: GenerateImage, context: Context) -> Result<ToolResult> {
    args.go_fast.get_or_insert(true);
    args.megapixels.get_or_insert_with(|| "1".into());
    args.aspect_ratio.get_or_insert_with(|| "4:5".into());
    let mut input = serde_json::to_value(&args)?;
    if args.guidance.is_none() {
        input["guidance"] = json!(3.5);
    }
    if let Some(fields) = input.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    let mut result = ToolResult::new();
    for url in prediction::run(&input, &context)? {
        let picture = picture::fetch(&url)?;
        result = result
            .text("Generated image:")
            .content(Content::image(picture.bytes, picture.mime))
            .text(format!("Image URL: {url}"));
    }
    Ok(result)
}

plugin! {
    tools: [generate_image],
    asks: {
        http: [
            {
                url: "https://api.replicate.com",
                methods: ["GET", "POST"],
                url_from_env: "REPLICATE_BASE_URL",
                why: "has images generated",
            },
            {
                url: "https://replicate.delivery",
                methods: ["GET"],
                url_from_env: "REPLICATE_FILES_URL",
                why: "reads the generated images",
            },
        ],
        env: [
            { name: "REPLICATE_BASE_URL", why: "asks another server than https://api.replicate.com/v1" },
            { name: "REPLICATE_FILES_URL", why: "reads images from another server than https://replicate.delivery" },
        ],
        secrets: [{ name: "token", why: "says to Replicate who you are; the host puts it in" }],
        settings: [{ name: "timeout", why: "how many seconds one request may take; 70 if unset" }],
    },
}
