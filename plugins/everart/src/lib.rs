//! Images by EverArt's models: the tool and the resource of the published server `server-everart`.
//! Needs one HTTPS host, or the one that `EVERART_BASE_URL` names, and a key that the host puts in.
//! Must not hold the key, and must not ask for ever: the call's deadline is looked at.

use std::time::Duration;

use kennel_sdk::api::{Api, Number};
use kennel_sdk::prelude::*;

/// Between two questions whether an image is ready.
const PAUSE: Duration = Duration::from_secs(1);

/// The published server's own: it has no other size.
const SIDE: u32 = 1024;

kennel_sdk::arguments! {
    GenerateImage {
        /// Text description of desired image
        prompt: String,
        /// Model ID (5000:FLUX1.1, 9000:FLUX1.1-ultra, 6000:SD3.5, 7000:Recraft-Real, 8000:Recraft-Vector)
        #[schemars(extend("default" = "5000"))]
        model: Option<String>,
        /// Number of images to generate
        #[schemars(extend("default" = 1))]
        image_count: Option<Number>,
    }
}

/// The words of the published server.
const GENERATE: &str = "Generate images using EverArt Models and returns a clickable link to view the generated image. \
                        The tool will return a URL that can be clicked to view the image in a browser. Available \
                        models:\n- 5000:FLUX1.1: Standard quality\n- 9000:FLUX1.1-ultra: Ultra high quality\n- \
                        6000:SD3.5: Stable Diffusion 3.5\n- 7000:Recraft-Real: Photorealistic style\n- \
                        8000:Recraft-Vector: Vector art style\n\nThe response will contain a direct link to view the \
                        generated image.";

#[derive(Deserialize)]
struct Begun {
    generations: Vec<Generation>,
}

#[derive(Deserialize)]
struct Asked {
    generation: Generation,
}

#[derive(Deserialize)]
struct Generation {
    id: String,
    status: String,
    image_url: Option<String>,
}

#[tool(description = GENERATE)]
fn generate_image(args: GenerateImage, context: Context) -> Result<String> {
    let api = Api::new("EverArt", "https://api.everart.ai/v1", "EVERART_BASE_URL").settled()?;
    let model = args.model.as_deref().unwrap_or("5000");
    let body = json!({
        "prompt": args.prompt,
        "type": "txt2img",
        "height": SIDE,
        "width": SIDE,
        "image_count": args.image_count.unwrap_or(1.into()),
    });
    let begun = api.post("/models/{model}/generations").arg("model", model).json(&body).read();
    let begun: Begun = begun.map_err(|error| error.prefixed("Error"))?;
    let mut urls = Vec::new();
    for generation in begun.generations {
        urls.push(finished(&api, generation, &context)?);
    }
    if urls.is_empty() {
        bail!("Error: EverArt began no image; try again");
    }
    let images: String = urls.iter().map(|url| format!("- Image URL: {url}\n")).collect();
    Ok(format!(
        "Image generated successfully!\n\nGeneration details:\n- Model: {model}\n- Prompt: \"{}\"\n{images}\nYou can click \
         the URL above to view the image.",
        args.prompt
    ))
}

/// Waits for an image; gives its URL.
fn finished(api: &Api, mut generation: Generation, context: &Context) -> Result<String> {
    let mut asked = 0.0;
    while matches!(generation.status.as_str(), "STARTING" | "PROCESSING") {
        if context.time_left() <= PAUSE * 2 {
            bail!(
                "Error: the image is not ready in this call's time; raise `limits.deadline` for this plugin"
            );
        }
        if asked > 0.0 {
            std::thread::sleep(PAUSE);
        }
        asked += 1.0;
        progress(asked, None, generation.status.as_str());
        let next = api.get("/generations/{id}").arg("id", &generation.id).read();
        generation = next.map(|asked: Asked| asked.generation).map_err(|error| error.prefixed("Error"))?;
    }
    match generation.image_url.filter(|url| !url.is_empty()) {
        Some(url) => Ok(url),
        None => {
            bail!("Error: No image URL: EverArt says {}; change the prompt, or try again", generation.status)
        }
    }
}

/// The published server lists this, and it is empty there too.
#[resource("everart://images", name = "Generated Images", mime = "image/png")]
fn images() -> Vec<u8> {
    Vec::new()
}

plugin! {
    tools: [generate_image],
    resources: [images],
    asks: {
        http: [{
            url: "https://api.everart.ai",
            methods: ["GET", "POST"],
            url_from_env: "EVERART_BASE_URL",
            why: "has images generated",
        }],
        env: [{ name: "EVERART_BASE_URL", why: "asks another server than https://api.everart.ai/v1" }],
        secrets: [{ name: "key", why: "says to EverArt who you are; the host puts it in" }],
        settings: [{ name: "timeout", why: "how many seconds one request may take; 30 if unset" }],
    },
}
