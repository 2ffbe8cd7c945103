//! Writes the manual pages and shell completions of every command, from the definitions of their command lines.
//!
//! `xc-man DIR` makes `DIR/man/man1`, `DIR/bash-completion/completions`, `DIR/zsh/site-functions` and
//! `DIR/fish/vendor_completions.d`, which is how they lie below `/usr/share`.

#[path = "../xc-guest/args.rs"]
#[expect(dead_code, reason = "only the definition is used here")]
mod guest;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Command, CommandFactory, Parser};
use clap_complete::{Shell, generate_to};

/// Writes the manual pages and shell completions of every command.
#[derive(Debug, Parser)]
#[command(name = "xc-man", version)]
struct Args {
    /// Where to: `/usr/share`, or a directory like it.
    dir: PathBuf,
}

fn main() -> ExitCode {
    match write_all(&Args::parse().dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            xc_save::console::say(format_args!("xc-man: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Every command that is installed.
fn commands() -> [Command; 6] {
    [
        xc_save::cli::Args::command(),
        xc_save::migrate::Args::command(),
        xc_restore::cli::Args::command(),
        xc_restore::migrate_receive::Args::command(),
        xc_restore::image::Args::command(),
        guest::Args::command(),
    ]
}

fn write_all(dir: &Path) -> io::Result<()> {
    let man = dir.join("man/man1");
    fs::create_dir_all(&man)?;
    for mut command in commands() {
        clap_mangen::generate_to(command.clone().disable_help_subcommand(true), &man)?;
        let name = command.get_name().to_owned();
        for (shell, place) in [
            (Shell::Bash, "bash-completion/completions"),
            (Shell::Zsh, "zsh/site-functions"),
            (Shell::Fish, "fish/vendor_completions.d"),
        ] {
            let place = dir.join(place);
            fs::create_dir_all(&place)?;
            let written = generate_to(shell, &mut command, &name, &place)?;
            if shell == Shell::Bash {
                // bash-completion looks for a file of the command's own name.
                fs::rename(written, place.join(&name))?;
            }
        }
    }
    Ok(())
}
