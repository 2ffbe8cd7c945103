//! Sizes of memory as they are written: `512M`.

use engine::PAGE_SIZE;

use crate::Error;

/// Reads a size in bytes, or in binary units (`512K`, `256M`, `2G`), as pages.
///
/// # Errors
/// [`Error::Size`] when it is none, or not a whole number of pages.
pub fn parse_pages(text: &str) -> Result<u64, Error> {
    let bad = || Error::Size(text.to_owned());
    let unit = match text.chars().last() {
        Some('k' | 'K') => 1 << 10,
        Some('m' | 'M') => 1 << 20,
        Some('g' | 'G') => 1 << 30,
        Some('t' | 'T') => 1u64 << 40,
        _ => 1,
    };
    let digits = if unit == 1 { text } else { &text[..text.len() - 1] };
    let bytes = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).ok_or_else(bad)?;
    let page = PAGE_SIZE as u64;
    if bytes == 0 || bytes % page != 0 { Err(bad()) } else { Ok(bytes / page) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_pages() {
        assert_eq!(parse_pages("4096").unwrap(), 1);
        assert_eq!(parse_pages("512M").unwrap(), 131_072);
        assert_eq!(parse_pages("2g").unwrap(), 524_288);
        for bad in ["", "0", "M", "4097", "1K", "-1M", "9999999999T", "1.5G", "5é"] {
            assert!(parse_pages(bad).is_err(), "{bad}");
        }
    }
}
