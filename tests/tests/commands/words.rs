//! A command for the tests, as anybody would write one: counts the words of files, or of its standard input.

use std::io::{Read, Write};

fn main() {
    let mut least = 1;
    let mut shout = false;
    let mut files = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--least" => least = args.next().and_then(|n| n.parse().ok()).unwrap_or(1),
            "--shout" => shout = true,
            // What a careless command does for whoever may write its options.
            "--erase" => std::fs::remove_file(args.next().unwrap()).unwrap(),
            "--spin" => loop {},
            "--fail" => panic!("as it was told"),
            "--flood" => {
                for _ in 0..2_000 {
                    println!("a line of some length");
                }
            }
            "--variables" => {
                for (name, value) in std::env::vars() {
                    println!("{name}={value}");
                }
            }
            _ => files.push(arg),
        }
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    for file in &files {
        match std::fs::read_to_string(file) {
            Ok(more) => text.push_str(&more),
            Err(error) => {
                eprintln!("{file}: {error}");
                std::process::exit(3);
            }
        }
    }
    let count = text.split_whitespace().filter(|word| word.len() >= least).count();
    let line = format!("{count} words in {} files", files.len());
    std::io::stdout().write_all(if shout { line.to_uppercase() } else { line }.as_bytes()).unwrap();
}
