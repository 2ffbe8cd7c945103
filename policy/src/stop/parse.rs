//! From the text of `--stop` to the policy.

use super::{
    Classic, Combination, Deadline, Downtime, Fni, Hybrid, Itc, Predictive, Psc, Quorum, StopPolicy, Xen,
};
use crate::markov::Model;
use crate::{Spec, SpecError};

/// How deep `any` and `all` may be nested.
const MAX_DEPTH: usize = 8;

/// The names that [`by_name`] knows, with their parameters: fixed rules, rules that adapt, rules with a goal, rules
/// that predict, combinations.
pub const NAMES: [&str; 12] = [
    "classic",
    "fni:n=N",
    "psc",
    "xen",
    "hybrid[:remaining=30M,rounds=37]",
    "itc[:trust=1,distrust=2]",
    "downtime:300ms",
    "deadline:60s[,then=stop|abort]",
    "fm[:model=FILE,window=50,tolerance=0.25,rounds=29]",
    "am[:m=5,model=FILE,window=50,tolerance=0.25,rounds=29]",
    "any(POLICY,...)",
    "all(POLICY,...)",
];

/// Reads the model that `model=` names; a failure says why.
pub type ReadModel<'a> = dyn Fn(&str) -> Result<Model, String> + 'a;

/// Makes the policy that `text` (`NAME[:key=value,...]`, or `any(...)` or `all(...)` of such) names.
///
/// `fm` and `am` then learn from what they see of the guest: nothing is read here; see [`with_models`].
///
/// # Errors
/// A [`SpecError`] that lists what exists and what was expected.
pub fn by_name(text: &str) -> Result<Box<dyn StopPolicy>, SpecError> {
    policy(text, &|_| Err("no files are read here".into()), 0)
}

/// As [`by_name`], where `fm` and `am` may have a trained model: `am:model=FILE`, of which `read` makes the model.
///
/// # Errors
/// As [`by_name`], and [`SpecError::Model`] when `read` fails.
pub fn with_models(text: &str, read: &ReadModel<'_>) -> Result<Box<dyn StopPolicy>, SpecError> {
    policy(text, read, 0)
}

fn policy(text: &str, read: &ReadModel<'_>, depth: usize) -> Result<Box<dyn StopPolicy>, SpecError> {
    if let Some((name, rest)) = text.split_once('(') {
        return combination(text, name, rest, read, depth);
    }
    let mut spec: Spec = text.parse()?;
    match spec.name.as_str() {
        "classic" => spec.finish("none").map(|()| Box::new(Classic) as _),
        "fni" => {
            let rounds = spec.need("n", "a whole number", |v| v.parse().ok())?;
            spec.finish("n").map(|()| Box::new(Fni { rounds }) as _)
        }
        "psc" => spec.finish("none").map(|()| Box::new(Psc) as _),
        "xen" => spec.finish("none").map(|()| Box::new(Xen) as _),
        "hybrid" => Ok(Box::new(Hybrid::from_spec(spec)?)),
        "itc" => Ok(Box::new(Itc::from_spec(spec)?)),
        "downtime" => Ok(Box::new(Downtime::from_spec(spec)?)),
        "deadline" => Ok(Box::new(Deadline::from_spec(spec)?)),
        "fm" => Ok(Box::new(Predictive::feedback(spec, read)?)),
        "am" => Ok(Box::new(Predictive::adjustment(spec, read)?)),
        _ => Err(unknown(spec.name)),
    }
}

fn unknown(name: String) -> SpecError {
    SpecError::UnknownName { what: "stop", name, known: NAMES.join(", ") }
}

fn combination(
    text: &str,
    name: &str,
    rest: &str,
    read: &ReadModel<'_>,
    depth: usize,
) -> Result<Box<dyn StopPolicy>, SpecError> {
    let wrong = |reason| SpecError::Brackets { text: text.into(), reason };
    let quorum = match name {
        "any" => Quorum::Any,
        "all" => Quorum::All,
        _ => return Err(unknown(name.into())),
    };
    if depth >= MAX_DEPTH {
        return Err(wrong("nested too deep"));
    }
    let list = rest.strip_suffix(')').ok_or_else(|| wrong("it does not end with its bracket"))?;
    let parts = split(list).ok_or_else(|| wrong("the brackets do not pair"))?;
    let members = parts.iter().map(|part| policy(part, read, depth + 1)).collect::<Result<_, _>>()?;
    Ok(Box::new(Combination { quorum, members }))
}

/// Splits a list at the commas outside of brackets. A `key=value` belongs to the policy before it, so that
/// `any(itc:trust=1,distrust=2,xen)` has two members. `None` when the brackets do not pair.
fn split(list: &str) -> Option<Vec<String>> {
    let mut parts: Vec<String> = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, sign) in list.char_indices().chain([(list.len(), ',')]) {
        match sign {
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                let part = &list[start..at];
                match parts.last_mut() {
                    Some(policy) if is_parameter(part) => *policy += &format!(",{part}"),
                    _ => parts.push(part.into()),
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    (depth == 0).then_some(parts)
}

fn is_parameter(part: &str) -> bool {
    part.find([':', '(', '=']).is_some_and(|at| part[at..].starts_with('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        Model::learn(&[&[1, 2, 3]], std::time::Duration::from_millis(100), 1).unwrap()
    }

    #[test]
    fn a_model_is_read_where_it_is_named() {
        let read = |file: &str| if file == "there" { Ok(model()) } else { Err("no such file".into()) };
        assert!(with_models("any(am:m=3,model=there,fm)", &read).is_ok());
        let mistake = |text| with_models(text, &read).map(|_| ()).unwrap_err().to_string();
        assert_eq!(
            mistake("all(xen,fm:model=gone)"),
            "policy 'fm': cannot read the model 'gone': no such file"
        );
        assert!(by_name("am:model=there").is_err());
    }

    fn mistake(text: &str) -> String {
        by_name(text).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn every_name_in_the_list_is_known_as_it_is_printed() {
        for name in NAMES {
            let text = name.replace(['[', ']'], "").replace("=N", "=3").replace("stop|abort", "stop");
            let text = text.replace("POLICY,...", "xen,psc");
            let known = with_models(&text, &|_| Ok(model())).map(|policy| policy.name());
            assert_eq!(known, Ok(text.split([':', '(']).next().unwrap()));
        }
    }

    #[test]
    fn mistakes_list_what_exists() {
        assert_eq!(mistake("itd"), format!("unknown stop policy 'itd'; there are: {}", NAMES.join(", ")));
        assert_eq!(mistake("xen:n=1"), "policy 'xen' has no parameter 'n'; it takes: none");
        assert_eq!(mistake("fni"), "policy 'fni' needs n=");
        assert_eq!(mistake("fni:n=-1"), "policy 'fni': n=-1 is not a whole number");
        assert_eq!(mistake("itc:trust=0"), "policy 'itc': trust=0 is not a number above 0");
        assert_eq!(mistake("itc:distrust=1"), "policy 'itc': distrust=1 is not a number above 1");
        assert_eq!(
            mistake("hybrid:remaining=much"),
            "policy 'hybrid': remaining=much is not a size such as 30M"
        );
    }

    #[test]
    fn mistakes_in_brackets() {
        assert!(mistake("some(xen,psc)").starts_with("unknown stop policy 'some'"));
        assert!(mistake("any(xen,itd)").starts_with("unknown stop policy 'itd'"));
        assert!(mistake("any()").starts_with("unknown stop policy ''"));
        assert!(mistake("any(xen,,psc)").starts_with("unknown stop policy ''"));
        assert!(mistake("any(xen").starts_with("'any(xen': it does not end with its bracket"));
        assert!(mistake("any(xen))").starts_with("'any(xen))': the brackets do not pair"));
        assert!(mistake("any(all(xen)").starts_with("'any(all(xen)': the brackets do not pair"));
        assert!(mistake(&format!("{}xen{}", "any(".repeat(9), ")".repeat(9))).contains("nested too deep"));
        assert!(by_name(&format!("{}xen{}", "any(".repeat(8), ")".repeat(8))).is_ok());
    }

    #[test]
    fn parameters_stay_with_their_policy() {
        let list = "itc:trust=1,distrust=2,deadline:60s,then=abort,all(fni:n=3,xen),psc";
        let parts = split(list).unwrap();
        assert_eq!(parts, ["itc:trust=1,distrust=2", "deadline:60s,then=abort", "all(fni:n=3,xen)", "psc"]);
        assert!(by_name(&format!("any({list})")).is_ok());
    }
}
