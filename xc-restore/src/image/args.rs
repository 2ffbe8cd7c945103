//! The command line of `xc-image`.

use std::num::ParseIntError;

use clap::{Parser, Subcommand, ValueEnum};
use stream::Pfn;

const EXAMPLES: &str = "\
Examples:
  xc-image inspect web.save                       what is in it
  xc-image inspect --json web.save | jq .pages    the same for a script
  xc-image verify web.save && echo good           is all of it there and right
  xz -dc web.save.xz | xc-image verify -v -       every record, from a pipe
  xc-image extract web.save --config web.json     the guest's configuration
  xc-image extract web.save --layer libxc web.xc  the libxc stream alone
  xc-image extract web.save --page 0x1fff - | xxd the last content of a page

Exit codes:
  0  done; verify: the file is good
  1  the file is bad, or something failed; the last line on standard error says what and where
  2  wrong usage";

/// Looks at saved domains: files of `xl save`, captures of `xl migrate`, libxl streams and bare libxc streams.
///
/// Needs neither Xen nor root.
#[derive(Debug, Parser)]
#[command(name = "xc-image", version, after_help = EXAMPLES)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show headers, records and page types.
    ///
    /// A damaged file is shown up to the first error. Reserved bits and padding that are not zero are counted as
    /// warnings.
    Inspect(Read),
    /// Check the whole file: layout, values, order, that nothing of the guest is missing.
    ///
    /// Stricter than a restore: reserved bits and padding must be zero, unknown optional records are refused.
    Verify {
        #[command(flatten)]
        read: Read,
        /// Print each record, in the order of the file: layer, offset, name, length.
        #[arg(short, long)]
        verbose: bool,
    },
    /// Copy a part of the file out.
    Extract(Extract),
}

#[derive(Debug, clap::Args)]
pub(super) struct Read {
    /// The saved domain; `-` for standard input.
    pub(super) file: String,
    /// Print one JSON object.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Extract {
    /// The saved domain; `-` for standard input.
    pub(super) file: String,
    #[command(flatten)]
    pub(super) part: Part,
    /// Where to write it; `-` for standard output.
    pub(super) out: String,
}

/// Exactly one of these.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Part {
    /// A stream without the layers around it.
    #[arg(long)]
    pub(super) layer: Option<Layer>,
    /// The last content of this page, 4096 bytes; decimal or 0x hexadecimal.
    #[arg(long, value_name = "PFN", value_parser = pfn)]
    pub(super) page: Option<Pfn>,
    /// The guest's configuration as xl wrote it, JSON.
    #[arg(long)]
    pub(super) config: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Layer {
    /// The libxl stream with the libxc stream in it.
    Libxl,
    /// The libxc stream.
    Libxc,
}

fn pfn(text: &str) -> Result<Pfn, ParseIntError> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    }
    .map(Pfn)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_page_is_decimal_or_hexadecimal() {
        assert_eq!([Ok(Pfn(16)), Ok(Pfn(16))], [pfn("16"), pfn("0x10")]);
        assert!(pfn("x").is_err());
    }
}
