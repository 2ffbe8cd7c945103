//! Reading the values of parameters. Each gives `None` for what it cannot read.

use std::time::Duration;

/// A rate in bit/s, decimal units as network links have them: `10G`, `935M`, `1.5G`, `64k`, `8000`.
pub fn bits_per_second(text: &str) -> Option<f64> {
    scaled(text, 1e3).filter(|value| *value >= 8.0)
}

/// An amount of memory in bytes, binary units as memory has them: `30M` is 30 MiB.
pub(crate) fn bytes(text: &str) -> Option<f64> {
    scaled(text, 1024.0).filter(|value| *value >= 0.0)
}

fn scaled(text: &str, kilo: f64) -> Option<f64> {
    let (digits, power) = match text.chars().last()? {
        'k' | 'K' => (&text[..text.len() - 1], 1),
        'm' | 'M' => (&text[..text.len() - 1], 2),
        'g' | 'G' => (&text[..text.len() - 1], 3),
        _ => (text, 0),
    };
    let value = digits.parse::<f64>().ok()? * kilo.powi(power);
    value.is_finite().then_some(value)
}

/// A time: `300ms`, `60s`, `1.5s`, `10min`.
pub fn duration(text: &str) -> Option<Duration> {
    let units = [("ms", 1e-3), ("min", 60.0), ("s", 1.0)];
    let (digits, unit) = units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    Duration::try_from_secs_f64(digits.parse::<f64>().ok()? * unit).ok()
}

/// A finite number above `bound`.
pub(crate) fn above(bound: f64) -> impl Fn(&str) -> Option<f64> {
    move |text| text.parse().ok().filter(|value: &f64| value.is_finite() && *value > bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_decimal_units() {
        assert_eq!(bits_per_second("10G"), Some(1e10));
        assert_eq!(bits_per_second("1.5m"), Some(1.5e6));
        assert_eq!(bits_per_second("8000"), Some(8e3));
        for bad in ["", "G", "-1G", "0", "inf", "1T", "é"] {
            assert_eq!(bits_per_second(bad), None, "{bad}");
        }
    }

    #[test]
    fn memory_has_binary_units() {
        assert_eq!(bytes("30M"), Some(31_457_280.0));
        assert_eq!(bytes("0"), Some(0.0));
        assert_eq!(bytes("-1"), None);
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("300ms"), Some(Duration::from_millis(300)));
        assert_eq!(duration("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("10min"), Some(Duration::from_secs(600)));
        for bad in ["60", "s", "-1s", "nans", "infs", "1e99s", "1h"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
